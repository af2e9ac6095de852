"""Values of the configuration file as JSON has them, and back."""

from __future__ import annotations

import datetime
import json
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as some

from multisendcon_plugin.operations.configured import AccountKeys
from multisendcon_plugin.operations.configured_values import as_json, check_unmasked, known, parts
from multisendcon_plugin.operations.errors import BadRequestError
from multisendcon_plugin.operations.json_form import from_json

MASK = "********"


def test_dates_and_what_is_no_number_become_text():
    document = tomllib.loads("a = 2027-05-01\nb = [inf, 1.5]\n[c]\nd = 10:00:00\ne = nan\n")
    assert as_json(document) == {
        "a": "2027-05-01",
        "b": ["inf", 1.5],
        "c": {"d": "10:00:00", "e": "nan"},
    }


def test_keys_of_a_table_inside_come_first_and_a_day_is_one():
    values = {"name": "B", "oauth2": {"expires": "2027-05-01", "tenant": None}, "port": 25}
    assert list(parts(values)) == [
        (("oauth2",), {"expires": datetime.date(2027, 5, 1), "tenant": None}),
        ((), {"name": "B", "port": 25}),
    ]


@pytest.mark.parametrize("day", ["soon", 7, None])
def test_what_is_no_day_stays_what_it_is(day):
    assert next(parts({"oauth2": {"expires": day}})) == (("oauth2",), {"expires": day})


def test_a_table_inside_can_be_removed():
    assert list(parts({"oauth2": None})) == [((), {"oauth2": None})]


@pytest.mark.parametrize(
    "values",
    [{"quota": [None]}, {"port": {"a": None}}, {"x": [{"a": None}]}, {"oauth2": {"a": [None]}}],
)
def test_nothing_is_null_within_a_value(values):
    with pytest.raises(BadRequestError, match="null can only stand for the whole value of a key"):
        list(parts(values))


def test_a_place_of_a_secret_is_no_table_inside():
    values = {"password": {"file": "x"}}
    assert list(parts(values)) == [((), values)]


def test_masks_say_nothing():
    values = {"password": MASK, "port": 25, "oauth2": {"client_secret": MASK, "tenant": "a"}}
    assert known(values, MASK) == {"port": 25, "oauth2": {"tenant": "a"}}


def test_a_mask_of_nothing_is_refused():
    check_unmasked({"password": "x", "oauth2": {"client_secret": "y"}}, MASK)
    for values in ({"password": MASK}, {"oauth2": {"client_secret": MASK}}):
        with pytest.raises(BadRequestError, match="no secret yet"):
            check_unmasked(values, MASK)


def keys(values):
    return from_json({"hash": "", "values": values}, AccountKeys).values


PLAIN = some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text()


@given(
    some.recursive(
        PLAIN,
        lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
        max_leaves=10,
    )
)
def test_a_value_is_what_it_was_or_refused(value):
    with suppress(BadRequestError):
        assert keys({"a": value}) == {"a": value}


@pytest.mark.parametrize("value", [[None], [{"a": [[None]]}], "\ud800", {"\udc00": 1}])
def test_the_file_has_no_such_values(value):
    with pytest.raises(BadRequestError):
        keys({"a": value})


def test_values_do_not_lie_in_each_other_for_ever():
    with pytest.raises(BadRequestError):
        keys({"a": json.loads("[" * 400 + "]" * 400)})
