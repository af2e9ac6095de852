"""What a reload changes, and what it cannot."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.configuration import (
    Configuration,
    ReloadSummary,
    needing_restart,
    parse,
    summary,
)

BEFORE = """
[master_relay]
hostname = "relay.example"
[[account]]
name = "A"
server = "a.example"
[[account]]
name = "B"
server = "b.example"
"""


def test_the_same_is_no_change():
    assert summary(parse(BEFORE), parse(BEFORE), []) == ReloadSummary()


def test_accounts_are_told_by_their_names():
    after = BEFORE.replace('"B"', '"C"').replace("a.example", "new.example")
    changes = summary(parse(BEFORE), parse(after), ["look"])
    assert changes == ReloadSummary(
        added=("C",), removed=("B",), changed=("A",), warnings=("look",)
    )


TOKEN = """
[account.oauth2]
provider = "microsoft"
grant = "client_credentials"
tenant = "a.example"
client_id = "app"
client_secret = "s3cret"
mailbox = "sales@a.example"
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("s3cret", "another"),
        ('"sales@', '"other@'),
        ("[account.oauth2]", 'quota = ["30 mails/1m"]\n[account.oauth2]'),
        ("[account.oauth2]", 'over_quota = "fallback"\n[account.oauth2]'),
        ('mailbox = "sales@a.example"', 'mailbox = "sales@a.example"\nexpires = 2027-05-01'),
    ],
)
def test_tokens_and_quotas_change_while_the_relay_runs(old, new):
    before, after = BEFORE + TOKEN, BEFORE + TOKEN.replace(old, new)
    assert summary(parse(before), parse(after), []) == ReloadSummary(changed=("B",))
    assert needing_restart(parse(before), parse(after)) == []


def test_another_order_is_no_other_account():
    before = parse(BEFORE)
    after = attrs.evolve(before, accounts=before.accounts[::-1])
    assert summary(before, after, []) == ReloadSummary()


@pytest.mark.parametrize(
    ("more", "table"),
    [
        ("[delivery]\nmax_connections = 7", "delivery"),
        ('[ndr]\npostmaster = "p@relay.example"', "ndr"),
        ('[ndr]\nserver = "reports.example"', "ndr"),
        ('[[client]]\naddresses = ["192.0.2.1"]', "client"),
        ("[metrics]", "metrics"),
        ("[history]\nkeep = 0", "history"),
    ],
)
def test_tables_are_told_by_their_names_in_the_file(more, table):
    changes = summary(parse(BEFORE), parse(BEFORE + more), [])
    assert changes == ReloadSummary(tables=(table,))


def test_a_password_that_is_another_one_by_now_is_a_change(monkeypatch):
    text = BEFORE.replace('"b.example"', '"b.example"\nusername = "u"\npassword = { env = "PW" }')
    monkeypatch.setenv("PW", "old")
    before = parse(text)
    monkeypatch.setenv("PW", "new")
    assert summary(before, parse(text), []) == ReloadSummary(changed=("B",))
    monkeypatch.setenv("PW", "old")
    assert summary(before, parse(text), []) == ReloadSummary()


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [("master_relay", "own_process", False), ("spool", "path", "/x"), ("log", "format", "json")],
)
def test_what_cannot_change_says_so(table, key, value):
    before = parse(BEFORE)
    settings = attrs.evolve(getattr(before, table), **{key: value})
    after = attrs.evolve(before, **{table: settings})
    sentence = f"[{table}], {key}: cannot change while the relay runs; restart it, or leave this"
    assert needing_restart(before, after) == [f"{sentence} as it was"]
    assert needing_restart(before, before) == []
    (fault,) = needing_restart(before, attrs.evolve(after, path="/etc/m.toml"))
    assert fault == f"/etc/m.toml, {sentence} as it was"


def test_each_part_of_a_configuration_is_an_account_or_a_table():
    named = {each.name for each in attrs.fields(Configuration)}
    assert named >= {"accounts", "reports_account", "path", "has_secrets", "clients"}


def test_destinations_and_dns_change_as_the_tables_of_the_file():
    after = BEFORE + '[dns]\nservers = ["192.0.2.53"]\n[[destination]]\ndomains = ["a.example"]'
    changes = summary(parse(BEFORE), parse(after), [])
    assert changes == ReloadSummary(tables=("dns", "destination"))
    assert needing_restart(parse(BEFORE), parse(after)) == []
