"""Fields of keys, and what is typed into them."""

from __future__ import annotations

import tomllib

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisendcon_plugin.configuration.tables import TABLES
from multisendcon_plugin.editing.secrets import MASK
from multisendcon_plugin.operations.configured_values import as_json
from multisendcon_plugin.page.fields import Shape, fields_of
from multisendcon_plugin.page.forms import read

KEYS = TABLES["account"].keys


def field(name, value=None, table="account", **more):
    values = {} if value is None else {name: value}
    return {each.name: each for each in fields_of(TABLES[table].keys, values, **more)}[name]


def typed(name, value, text, table="account", **others):
    """Type something into the field of a key, and return what it has then, or ``...``."""
    fields = [field(name, value, table)]
    form = {name: [text]} | {f"{name}.{key}": [each] for key, each in others.items()}
    return read(fields, form).values.get(name, ...)


def as_form(fields):
    """Return what a browser sends of a form that nobody has touched."""
    form = {}
    for each in fields:
        form[each.name] = [each.text.replace("\n", "\r\n")]
        if each.shape is Shape.SECRET:
            form |= {f"{each.name}.source": [each.source], f"{each.name}.place": [each.place]}
    return form


@pytest.mark.parametrize(
    ("table", "key", "default"),
    [
        ("master_relay", "listen", "tcp:port=2500:interface=127.0.0.1"),
        ("master_relay", "allow", "127.0.0.1, ::1"),
        ("master_relay", "max_message_size", "50 MiB"),
        ("master_relay", "idle_timeout", "5m"),
        ("master_relay", "smtputf8", "true"),
        ("spool", "min_free", "5%"),
        ("delivery", "retry", "1m, 5m, 15m, 30m, 1h, 2h, 4h"),
        ("account", "minimum_wait", "0"),
        ("account", "tls", "auto"),
        # Their doc says it.
        ("account", "senders", ""),
        ("account", "helo_domain", ""),
        ("account", "name", ""),
    ],
)
def test_a_default_is_shown_as_it_would_be_written(table, key, default):
    assert field(key, table=table).default == default


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("senders", ["*@a.example", "b@b.example"], "*@a.example\nb@b.example"),
        ("senders", "*@a.example, b@b.example", "*@a.example\nb@b.example"),
        ("local_address", "192.0.2.1", "192.0.2.1"),
        ("fallback", [], "[]"),
        ("port", 587, "587"),
        ("minimum_wait", "2s", "2s"),
        ("minimum_wait", 1.5, "1.5"),
        ("enabled", False, "false"),
        ("tls", "starttls", "starttls"),
        ("password", MASK, MASK),
        ("replies", [{"code": "550", "means": "quota"}], '[{ code = "550", means = "quota" }]'),
    ],
)
def test_what_is_written_is_shown(key, value, text):
    assert field(key, value).text == text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("senders", ["one\ntwo"], '["one\\ntwo"]'),
        ("senders", [1], "[1]"),
        ("port", True, "true"),
        ("enabled", "yes", '"yes"'),
        ("tls", "startls", '"startls"'),
        ("server", 5, "5"),
        ("password", {"files": "x"}, '{ files = "x" }'),
    ],
)
def test_what_does_not_fit_its_field_is_shown_as_toml(key, value, text):
    found = field(key, value)
    assert (found.shape, found.text) == (Shape.TOML, text)
    assert tomllib.loads(f"value = {found.text}") == {"value": value}


@pytest.mark.parametrize(
    ("key", "before", "text", "after"),
    [
        ("senders", None, "*@a.example\r\n\r\n b@b.example ", ["*@a.example", "b@b.example"]),
        ("senders", ["*@a.example"], "", None),
        ("fallback", None, "[]", []),
        ("port", 25, "587", 587),
        ("port", 25, "smtp", "smtp"),
        ("minimum_wait", None, "2.5", 2.5),
        ("minimum_wait", None, "3s", "3s"),
        ("enabled", None, "false", False),
        ("enabled", False, "", None),
        ("tls", None, "starttls", "starttls"),
        ("server", None, " mx.example ", "mx.example"),
        ("password", MASK, "other ", "other "),
        ("password", MASK, "", None),
        ("password", {"file": "a"}, "", ...),
        ("replies", None, '[{ text = "x", means = "slow" }]', [{"text": "x", "means": "slow"}]),
    ],
)
def test_what_is_typed_is_a_value(key, before, text, after):
    assert typed(key, before, text) == after


def test_a_pause_without_a_unit_is_a_number():
    assert typed("retry", None, "90\r\n5m", table="delivery") == [90, "5m"]


@pytest.mark.parametrize(
    ("source", "place", "value"),
    [
        ("file", "/etc/secret", {"file": "/etc/secret"}),
        ("env", "SECRET", {"env": "SECRET"}),
        ("command", "pass show 'the relay'", {"command": ["pass", "show", "the relay"]}),
        ("command", '["pass", "show"]', {"command": ["pass", "show"]}),
        ("", "/etc/secret", ...),
        ("nowhere", "/etc/secret", ...),
    ],
)
def test_a_secret_can_be_kept_elsewhere(source, place, value):
    assert typed("password", MASK, MASK, source=source, place=place) == value


def test_only_what_was_touched_is_a_change():
    fields = list(fields_of(KEYS, {"name": "A", "oauth2": {"tenant": "x", "client_id": "y"}}))
    form = as_form(fields) | {"oauth2.tenant": ["z"], "port": ["26"]}
    assert read(fields, form).values == {"port": 26, "oauth2": {"tenant": "z"}}
    assert read(fields, {}).values == {}


def test_a_table_of_which_nothing_is_left_goes():
    fields = list(fields_of(KEYS, {"oauth2": {"tenant": "x", "client_secret": {"env": "E"}}}))
    empty = {"oauth2.tenant": [""], "oauth2.client_secret.source": [""]}
    assert read(fields, empty).values == {"oauth2": None}
    assert read(fields, {"oauth2.tenant": [""]}).values == {"oauth2": {"tenant": None}}


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("replies", {"replies": ["[{"]}),
        ("replies", {"replies": ["1\nother = 2"]}),
        ("password", {"password": ["a"], "password.source": ["env"], "password.place": ["b"]}),
        ("password", {"password.source": ["command"], "password.place": ["a 'b"]}),
    ],
)
def test_what_cannot_be_read_is_a_fault_of_its_field(key, form):
    found = read([field(key)], form)
    assert not found.readable
    assert found.fields[0].faults
    assert found.fields[0].text == form.get(key, [""])[0]
    assert found.values == {}


def test_what_a_preset_gives_stands_in_place_of_the_default():
    found = field("port", inherited={"port": 587})
    assert (found.text, found.default) == ("", "587")
    inside = field("oauth2.provider", inherited={"oauth2": {"provider": "google"}})
    assert inside.default == "google"


def test_faults_are_at_their_fields():
    assert field("port", faults={"port": ["is no port"]}).faults == ("is no port",)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
PLAIN = st.one_of(TEXTS, st.booleans(), st.integers(-99, 10**6), st.just(MASK))
VALUES = st.recursive(
    PLAIN,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=2),
    max_leaves=4,
)


@settings(deadline=None, derandomize=True)
@given(st.sampled_from(sorted(KEYS)), VALUES)
def test_a_form_that_nobody_touches_changes_nothing(key, value):
    fields = list(fields_of(KEYS, {key: as_json(value)}))
    assert read(fields, as_form(fields)).values == {}


@settings(deadline=None, derandomize=True)
@given(st.sampled_from(sorted(KEYS)), VALUES)
def test_a_form_that_is_sent_twice_is_the_same(key, value):
    """What was typed with a fault is there again."""
    fields = list(fields_of(KEYS, {}))
    shown = {each.name: each for each in fields_of(KEYS, {key: as_json(value)})}
    form = as_form(shown.values())
    once = read(fields, form)
    assert read(fields, as_form(once.fields)).values == once.values
    assert [attrs.evolve(each, faults=()) for each in read(once.fields, {}).fields] == [
        attrs.evolve(each, faults=()) for each in once.fields
    ]
