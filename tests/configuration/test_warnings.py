"""Names with which servers would send the relay away."""

from __future__ import annotations

import pytest

from multisendcon_plugin import configuration
from tests.configuration.examples import Paper, bound, document, read

ADVICE = (
    "is not a fully qualified name, and some servers reject all mail from a client that uses such"
    " a name in EHLO (504); write the name that this machine has in the DNS, for example"
    ' "relay.example.com"'
)
RELAY = "[master_relay], hostname"
SALES = '[[account]] "Sales", helo_domain'


def warnings(text, machine="relay.example.com"):
    return configuration.warnings(read(bound(text), Paper(name=machine)), now=0)


@pytest.mark.parametrize("name", ["relay", "localhost", "localhost.localdomain", "RELAY.localhost"])
def test_a_hostname_that_is_not_full(name):
    expected = [f'{RELAY}: "{name}" {ADVICE}']
    assert warnings(document("master_relay", hostname=f'"{name}"')) == expected
    # The same when the name is the machine's, and when an account repeats it.
    assert warnings(document(), machine=name) == expected
    assert warnings(document(helo_domain=f'"{name}"'), machine=name) == expected


@pytest.mark.parametrize("name", ["relay.example.com", "relay.local", "relay.corp.example"])
def test_a_hostname_that_is_full(name):
    assert warnings(document("master_relay", hostname=f'"{name}"')) == []
    assert warnings(document(), machine=name) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mail", [f'{SALES}: "mail" {ADVICE}']),
        ("localhost", [f'{SALES}: "localhost" {ADVICE}']),
        ("mail.example.com", []),
        ("[192.0.2.10]", []),
        ("[IPv6:2001:db8::10]", []),
    ],
)
def test_the_name_of_an_account(name, expected):
    assert warnings(document(helo_domain=f'"{name}"')) == expected


def test_an_account_with_a_full_name_does_not_make_up_for_the_hostname():
    assert warnings(document(helo_domain='"mail.example.com"'), machine="relay") == [
        f'{RELAY}: "relay" {ADVICE}'
    ]


@pytest.mark.parametrize(
    ("senders", "expected"), [("", True), ('["*", "<>"]', False), ('"a@x.example"', False)]
)
def test_clients_that_may_use_every_sender(senders, expected):
    text = document("client", addresses='["192.0.2.7"]', senders='"*"')
    text += '\n[[client]]\naddresses = ["192.0.2.8"]'
    text += f"\nsenders = {senders}" if senders else ""
    warning = (
        "[[client]] number 2, senders: is not set, so these clients may use every sender; list"
        ' theirs, or write ["*", "<>"] if it is meant so'
    )
    assert warnings(text) == [warning] * expected


DIRECT = '[[account]]\nname = "Sales"\ntype = "direct"\n'
STRANGERS = ADVICE.replace("some servers", "most mail servers of recipients")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mail", [f'{SALES}: "mail" {STRANGERS}']),
        ("localhost", [f'{SALES}: "localhost" {STRANGERS}']),
        ("[192.0.2.10]", [f'{SALES}: "[192.0.2.10]" {STRANGERS}']),
        ("mail.example.com", []),
    ],
)
def test_the_name_of_a_direct_account(name, expected):
    assert warnings(f'{DIRECT}helo_domain = "{name}"') == expected
    other = document(name='"B"')
    assert warnings(f'{DIRECT}helo_domain = "{name}"\nenabled = false\n{other}') == []


def test_the_hostname_is_the_name_of_a_direct_account():
    assert warnings(DIRECT, machine="relay") == [f'{RELAY}: "relay" {STRANGERS}']


def test_an_account_that_is_not_enabled_introduces_itself_to_nobody():
    text = document(helo_domain='"mail"', enabled="false")
    text += '\n[[account]]\nname = "B"\nserver = "b.example"\n'
    assert warnings(text) == []
