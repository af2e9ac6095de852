"""What a configuration allows although its author can hardly mean it."""

from __future__ import annotations

import pytest

from multisendcon_plugin import configuration
from tests.configuration.examples import Paper, bound, document, read

OPEN = (
    "[master_relay], allow: everyone who can reach this relay may send mail without a login, as"
    " through an open relay; list your own clients only, and let others log in"
    " (users_from_anywhere)"
)
ALLOW = "[master_relay], allow"
MAPPED = "never matches, since IPv4 clients are known by their IPv4 address; write"
NO_CLIENT = "never matches, since no client has such an address"
EARLIER = (
    "never matches, since it is a part of what an earlier [[client]] lists, and the first one"
    " applies; move this table up"
)
UNBOUND = (
    "senders: is not set, so everyone who may send mail to this relay can send through this"
    ' account; list the senders, or write "*" if it is meant for all of them'
)
CLEAR = (
    'tls: "none" sends the password in the clear, for everyone on the way to read; write'
    ' "starttls", or "implicit" for port 465'
)
ANYBODY = (
    "tls_verify: is false, so anyone on the way can pass for the server and get mail and password;"
    " name the server's authority in tls_ca, its own name in tls_name, or its certificate in"
    " tls_fingerprint"
)
LOGIN = {"username": '"u"', "password": '{ env = "known" }'}


def warnings(text):
    return configuration.warnings(read(text, Paper()), now=0)


@pytest.mark.parametrize(
    ("allow", "expected"),
    [
        (["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"], []),
        (["0.0.0.0/0"], [OPEN]),
        (["10.0.0.0/8", "::/0"], [OPEN]),
        (["0.0.0.0/1", "128.0.0.0/1"], [OPEN]),
        (["::/1", "8000::/2", "c000::/2"], [OPEN]),
        (["0.0.0.0/1", "8000::/1"], []),
        (["::ffff:10.0.0.0/104"], [f'{ALLOW}: "::ffff:a00:0/104" {MAPPED} "10.0.0.0/8"']),
        (["::ffff:192.0.2.7"], [f'{ALLOW}: "::ffff:c000:207/128" {MAPPED} "192.0.2.7/32"']),
        (["::ffff:0:0/96"], [f'{ALLOW}: "::ffff:0:0/96" {MAPPED} "0.0.0.0/0"']),
        (["::fffe:0:0/95"], []),  # more than IPv4
        (["0.0.0.0"], [f'{ALLOW}: "0.0.0.0/32" {NO_CLIENT}']),
        (["::"], [f'{ALLOW}: "::/128" {NO_CLIENT}']),
        (["224.0.0.0/4"], [f'{ALLOW}: "224.0.0.0/4" {NO_CLIENT}']),
        (["ff02::1"], [f'{ALLOW}: "ff02::1/128" {NO_CLIENT}']),
    ],
)
def test_who_may_connect(allow, expected):
    quoted = [*map('"{}"'.format, allow)]
    text = document("master_relay", allow=f"[{', '.join(quoted)}]")
    assert warnings(bound(text)) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("10.1.0.0/16", "10.0.0.0/8", []),
        ("10.0.0.0/8", "11.0.0.1", []),
        ("10.0.0.0/8", "2001:db8::1", []),
        ("0.0.0.0/0", "2001:db8::1", []),
        ("10.0.0.0/8", "10.1.2.3", [f'[[client]] number 2, addresses: "10.1.2.3/32" {EARLIER}']),
        ("::/0", "2001:db8::1", [f'[[client]] number 2, addresses: "2001:db8::1/128" {EARLIER}']),
        ("::/0", "::/0", [f'[[client]] number 2, addresses: "::/0" {EARLIER}']),
        (
            "::ffff:10.0.0.1",
            "10.0.0.1",
            [f'[[client]] number 1, addresses: "::ffff:a00:1/128" {MAPPED} "10.0.0.1/32"'],
        ),
    ],
)
def test_clients_to_whom_no_table_applies(first, second, expected):
    text = document("client", addresses=f'["{first}"]', senders='"*"')
    text += f'\n[[client]]\naddresses = ["{second}"]\nsenders = "*"'
    assert warnings(bound(text)) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, True),
        ({"recipients": '"*@partner.example"'}, True),
        ({"senders": '"*@example.com"'}, False),
        ({"senders": '"*"'}, False),
        ({"senders": '"<>"'}, False),
    ],
)
def test_accounts_for_every_sender(keys, expected):
    found = [f'[[account]] "Sales", {UNBOUND}'] if expected else []
    assert warnings(document(**keys)) == found


def test_an_account_that_is_off_is_no_risk():
    off = {"enabled": "false", "tls": '"none"', **LOGIN}
    other = bound(document(name='"B"'))
    assert warnings(f"{document(**off)}\n{other}") == []


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"tls": '"none"'}, None),
        ({"tls": '"none"', **LOGIN}, CLEAR),
        ({"tls": '"none"', "tls_verify": "false", **LOGIN}, CLEAR),
        ({"tls": '"none"', "tls_verify": "false"}, None),  # there is nothing to verify
        ({"tls_verify": "false"}, ANYBODY),
        ({"tls_verify": "false", **LOGIN}, ANYBODY),
        ({"tls_verify": "false", "tls": '"opportunistic"'}, None),
        ({"tls_verify": "false", "tls": '"opportunistic"', **LOGIN}, ANYBODY),
        ({"tls": '"opportunistic"'}, None),
        (LOGIN, None),
    ],
)
def test_what_others_can_listen_to(keys, expected):
    def found(where):
        return [f"{where}, {expected}"] if expected else []

    assert warnings(bound(document(**keys))) == found('[[account]] "Sales"')
    ndr = document("ndr", server='"mx.example.com"', **keys)
    assert warnings(bound(ndr)) == found("[ndr]")


def in_order(*keys):
    """Return the warnings of accounts with these keys: "A", "B" and so on."""
    accounts = [
        f'[[account]]\nname = "{chr(65 + number)}"\nserver = "mx.example"\n{each}'
        for number, each in enumerate(keys)
    ]
    return warnings("\n".join(accounts))


ALL, SOME = 'senders = "*"', 'senders = "a@x.example"'


@pytest.mark.parametrize(
    ("keys", "behind"),
    [
        ([ALL, SOME], '"B"'),
        ([f'{ALL}\nrecipients = "*"', SOME, ALL, SOME], '"B" and "D"'),
        ([SOME, ALL], ""),
        # It is there to stand in.
        ([ALL, ALL], ""),
        ([f'{ALL}\nfallback = ["B"]', SOME], ""),
        # It does not take all.
        ([f'{ALL}\nrecipients = "*@x.example"', SOME], ""),
        ([f'{ALL}\nnull_sender = "skip"', SOME], ""),
        ([ALL, 'senders = ["<>"]'], ""),
        ([f"{ALL}\nenabled = false", ALL, SOME], '"C"'),
    ],
)
def test_accounts_whose_turn_never_comes(keys, behind):
    found = [each for each in in_order(*keys) if "before" in each]
    if not behind:
        assert found == []
        return
    (warning,) = found
    assert f"takes the mail of every sender to every recipient before {behind} can;" in warning
