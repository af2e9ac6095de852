"""The declarations of the keys: `key` itself, and what each one has that others derive from it."""

from __future__ import annotations

import re

import attrs
import pytest

from multisendcon_plugin.settings import kinds, quantities
from multisendcon_plugin.settings.keys import Asking, Nested, key, keys_of
from multisendcon_plugin.settings.words import InvalidValueError
from tests.configuration.examples import ALL_TABLES, Paper

KEYS = [
    pytest.param(table.keys[name], id=f"{title}.{name}")
    for title, table in ALL_TABLES.items()
    for name in table.keys
]


@attrs.frozen(kw_only=True)
class Parcel:
    weight: int = key(quantities.count, doc="How heavy it is.")
    label: str | None = key(kinds.readable_file, default=None, connection=True, doc="Its label.")
    code: str = key(kinds.text, default="0000", secret=True, doc="What opens it.")


def test_the_keys_of_a_class_are_what_it_declares_in_its_order():
    keys = keys_of(Parcel)
    assert list(keys) == ["weight", "label", "code"]
    assert [each.doc for each in keys.values()] == [
        "How heavy it is.",
        "Its label.",
        "What opens it.",
    ]
    assert [each.required for each in keys.values()] == [True, False, False]
    assert [each.connection for each in keys.values()] == [False, True, False]


def test_a_key_is_an_attribute_with_its_default():
    assert attrs.asdict(Parcel(weight=2)) == {"weight": 2, "label": None, "code": "0000"}
    with pytest.raises(TypeError, match="weight"):
        Parcel()


def test_a_secret_is_not_shown():
    assert repr(Parcel(weight=2, code="1234")) == "Parcel(weight=2, label=None)"


def test_a_value_is_converted_by_its_kind():
    assert keys_of(Parcel)["weight"].convert(7, Paper()) == 7
    with pytest.raises(InvalidValueError, match="is not a count"):
        keys_of(Parcel)["weight"].convert(0, Paper())


def test_a_kind_that_asks_is_told_whom():
    assert keys_of(Parcel)["label"].convert("known", Paper()) == "/base/known"
    with pytest.raises(InvalidValueError, match="gone cannot be read"):
        keys_of(Parcel)["label"].convert("gone", Paper())


@pytest.mark.parametrize("declared", KEYS)
def test_each_key_has_a_kind(declared):
    assert isinstance(declared.kind, Asking | Nested) or callable(declared.kind)


@pytest.mark.parametrize("declared", KEYS)
def test_each_key_has_a_doc_of_one_short_sentence(declared):
    assert re.fullmatch(r"[A-Z][^\n]{10,180}[^.;:, ]\.", declared.doc)
    assert "  " not in declared.doc


@pytest.mark.parametrize("title", ALL_TABLES)
def test_each_key_has_a_default_unless_it_is_required(title):
    required = {
        "client": ("addresses",),
        "destination": ("domains",),
        "account": ("name",),
        "account.oauth2": ("provider", "grant"),
    }
    table = ALL_TABLES[title]
    assert table.required == required.get(title, ())
    given = dict.fromkeys(table.required, "given")
    made = table.type(**given)
    own = {name: each for name, each in table.keys.items() if name not in table.borrowed}
    assert {name: getattr(made, name) for name in own} == {
        name: given.get(name, each.default) for name, each in own.items()
    }
