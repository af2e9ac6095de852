"""`multisendcon explain`, with a relay that answers, and with a configuration file alone."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest

SALES = {"name": "Sales", "taken": True, "reason": "sender matches *@sales.example.com"}
OTHERS = {"name": "All others", "taken": False, "reason": "but Sales comes first"}
EXPLANATION = {
    "sender": "boss@sales.example.com",
    "recipients": [
        {"address": "anna@x.example", "account": "Sales", "accounts": [SALES, OTHERS]},
    ],
    "accounts": [
        {
            "name": "Sales",
            "type": "smtp",
            "routes": None,
            "fallbacks": ["Bulk", "All others"],
            "envelope": {"sender": "sales@example.com", "recipients": ["anna@x.example"]},
            "session": {
                "server": "smtp.example.com",
                "port": 465,
                "tls": "implicit",
                "tls_required": True,
                "local_address": "192.0.2.10",
                "helo": "mail.example.com",
                "username": "sales",
                "login": "token",
                "mailbox": "box@sales.example.com",
                "auth": "xoauth2",
            },
            "limits": {
                "max_recipients": 100,
                "max_connections": 1,
                "max_mails_per_connection": 100,
                "minimum_wait": 2.5,
                "quota": [
                    {"quota": "30 mails/1m", "used": 5, "left": 25, "opens": None},
                    {"quota": "1000 recipients/1d", "used": 1000, "left": 0, "opens": 4e9},
                    {"quota": "9 mails/1s", "used": None, "left": None, "opens": None},
                ],
                "over_quota": "fallback",
            },
            "header": {
                "before": "From: Boss <boss@sales.example.com>\r\nSubject: x\r\n",
                "after": "From: Boss\r\n\t<sales@example.com>\r\nSubject: x\r\n",
            },
            "size": 163,
        }
    ],
}
NOBODY = {
    "sender": "",
    "recipients": [
        {"address": "anna@x.example", "account": None, "accounts": [{**OTHERS, "reason": "no"}]}
    ],
    "accounts": [],
}


def test_all_is_told(run, relay):
    relay.answers_with("POST explain", EXPLANATION)
    ended = run("explain", "boss@sales.example.com", "anna@x.example")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        "<anna@x.example>: Sales (sender matches *@sales.example.com)",
        "  not All others: but Sales comes first",
        "",
        "By Sales, as it would leave:",
        "  envelope   from <sales@example.com> to <anna@x.example>",
        (
            "  session    smtp.example.com port 465, TLS implicit, required, from 192.0.2.10,"
            " HELO mail.example.com, login box@sales.example.com by token (xoauth2)"
        ),
        "  limits     at least 2.5 s between two mails, 1 connection",
        "  quota      30 mails/1m: 5 used, 25 left; then its fallback takes over",
        (
            "             1000 recipients/1d: 1,000 used, none left until 2096-10-02 07:06:40; then"
            " its fallback takes over"
        ),
        "             9 mails/1s; then its fallback takes over",
        "  fallback   Bulk, then All others",
        "  header     - From: Boss <boss@sales.example.com>",
        "             + From: Boss",
        "             +         <sales@example.com>",
    ]
    [(_, _, _, body)] = relay.asked
    assert body == {"sender": "boss@sales.example.com", "recipients": ["anna@x.example"]}


def test_json(run, relay):
    relay.answers_with("POST explain", EXPLANATION)
    ended = run("explain", "boss@sales.example.com", "anna@x.example", "--json")
    assert json.loads(ended.out) == EXPLANATION


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_recipient_whom_nobody_takes(run, relay, more):
    relay.answers_with("POST explain", NOBODY)
    ended = run("explain", "<>", "anna@x.example", *more)
    assert ended.status == 1
    [(_, _, _, body)] = relay.asked
    assert body["sender"] == ""
    if not more:
        assert ended.out.splitlines() == [
            "<anna@x.example>: no account takes it; it is rejected with 550 5.7.1",
            "  not All others: no",
        ]


def direct(routes):
    """Return the explanation of a mail that leaves by a direct account."""
    (departure,) = EXPLANATION["accounts"]
    session = {**departure["session"], "server": "", "port": 25, "tls": "auto", "login": "none"}
    session["tls_required"] = False
    changed = {**departure, "type": "direct", "routes": routes, "session": session}
    return {**EXPLANATION, "accounts": [changed]}


HOST = {
    "name": "mx1.x.example",
    "preference": 10,
    "addresses": ["192.0.2.1", "2001:db8::1"],
    "policy": "mta-sts",
    "testing": False,
    "tls": "starttls",
    "tls_required": True,
    "why": "the MTA-STS policy of x.example wants a valid certificate for mx1.x.example",
}
ROUTE = {"destination": "x.example", "hosts": [HOST], "problem": "", "temporary": False}


def test_of_a_direct_account_the_mail_servers_are_told(run, relay):
    testing = {**HOST, "testing": True, "tls": "opportunistic", "tls_required": False, "why": "why"}
    unusable = {**HOST, "policy": "dane", "tls": None, "why": "its records cannot be looked up"}
    routes = [
        {**ROUTE, "hosts": [HOST, testing, unusable]},
        {**ROUTE, "destination": "y.example", "problem": "5.1.2 it does not exist", "hosts": []},
        {**ROUTE, "destination": "z", "problem": "4.4.3 SERVFAIL", "temporary": True, "hosts": []},
    ]
    relay.answers_with("POST explain", direct(routes))
    lines = run("explain", "boss@sales.example.com", "anna@x.example").out.splitlines()
    assert (
        "  session    mail servers of the recipients port 25, TLS auto, from 192.0.2.10, HELO"
        " mail.example.com, no login"
    ) in lines
    at = "mx1.x.example (10) at 192.0.2.1, 2001:db8::1"
    first = lines.index("  to         x.example:")
    assert lines[first + 1 : first + 6] == [
        f"               {at}: mta-sts, TLS starttls, required; {HOST['why']}",
        f"               {at}: mta-sts in testing mode, TLS opportunistic; why",
        f"               {at}: dane, not to be used now: its records cannot be looked up",
        "             y.example: no way, the mail comes back: 5.1.2 it does not exist",
        "             z: no way, the mail waits: 4.4.3 SERVFAIL",
    ]


def test_without_a_relay_nothing_is_looked_up(run, relay):
    relay.answers_with("POST explain", direct(None))
    assert (
        "  to         the mail servers of each domain: not looked up, since only the relay asks the"
        " DNS\n"
    ) in run("explain", "boss@sales.example.com", "anna@x.example").out


MAIL = b"From: J\xc3\xb6rg <boss@sales.example.com>\r\nX: \xff\r\n\r\nHi\r\n"


@pytest.mark.parametrize("way", ["file", "pipe"])
def test_a_mail_may_be_given(run, relay, tmp_path, monkeypatch, way):
    relay.answers_with("POST explain", EXPLANATION)
    (tmp_path / "mail.eml").write_bytes(MAIL)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(MAIL)))
    file = "-" if way == "pipe" else str(tmp_path / "mail.eml")
    run("explain", "boss@sales.example.com", "anna@x.example", "--message", file)
    [(_, _, _, body)] = relay.asked
    assert body["message"] == MAIL.decode("utf-8", "replace")


def test_a_mail_that_is_not_there(run, relay, tmp_path):
    missing = str(tmp_path / "missing.eml")
    ended = run("explain", "boss@sales.example.com", "anna@x.example", "--message", missing)
    assert (ended.status, ended.out) == (2, "")
    assert "--message: " in ended.err
    assert "No such file" in ended.err
    assert relay.asked == []


def test_without_a_relay_the_file_is_explained(run, tmp_path):
    mail = tmp_path / "mail.eml"
    mail.write_bytes(MAIL)
    arguments = ("boss@sales.example.com", "anna@x.example", "--message", str(mail))
    ended = run("explain", *arguments)
    assert ended.status == 0
    assert "no relay runs here; this is what the file says" in ended.err
    assert "<anna@x.example>: Sales (every sender, every recipient)" in ended.out
    assert "smtp.sales.example port 25" in ended.out
    ended = run("explain", *arguments, "--json")
    assert json.loads(ended.out)["accounts"][0]["name"] == "Sales"
