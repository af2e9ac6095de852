"""Mail for servers of others, which share no code and so no faults with the relay."""

from __future__ import annotations

import email
import os
import smtplib

import pytest

from tests.interop.logins import PASSWORD, USERNAME
from tests.interop.next_servers import (
    DEFERRAL,
    DEFERRED,
    REFUSAL,
    REFUSED,
    Exim,
    OpenSmtpd,
)
from tests.interop.programs import needs, run, until
from tests.interop.relay import Relay, account

pytestmark = [
    needs("mount", "unshare"),
    pytest.mark.skipif(os.getuid() != 0, reason="they are started as root only"),
]

SENDER = "boss@sales.example"
HEADER = (
    b"From: boss@sales.example\r\nTo: a@customer.example\r\nSubject: Hello\r\n"
    b"Message-ID: <1@sales.example>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n\r\n"
)
#: Where a server or we may stumble: dots, lines that look like others' marks, blanks, long lines.
AWKWARD = (
    b".\r\n..\r\n.x\r\n\r\n...\r\n .\r\n. \r\n\r\n\r\nFrom the start\r\n>From\r\nQUIT\r\n"
    b"blanks at the end \t\r\n \r\n\t\r\n\x01\x7f\x0c\r\n" + b"x" * 998 + b"\r\n.\r\n"
)


@pytest.fixture(
    params=[
        pytest.param(Exim, marks=needs("exim4"), id="Exim"),
        pytest.param(OpenSmtpd, marks=needs("smtpd OpenSMTPD", "openssl"), id="OpenSMTPD"),
    ],
)
def server(request, open_folder, start):
    tried = run("unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    if tried.returncode:
        pytest.skip(f"there are no private file systems here: {tried.stdout.strip()}")
    return start(request.param(open_folder))


@pytest.fixture
def tls_server(server):
    if not server.has_tls():
        pytest.skip("with OpenSSL 3, OpenSMTPD 6 cannot be a server with TLS")
    return server


@pytest.fixture
def relay(tmp_path, start, server):
    """Return a function that starts a relay with an account for the server."""

    def begin(port=server.port, tls="none", **settings):
        way = account("Only", server.address, port, tls=f'"{tls}"', **settings)
        trusted = '[[client]]\naddresses = ["127.0.0.0/8"]\nsuccess_reports = true\n'
        return start(Relay(tmp_path, trusted + way))

    return begin


def send(relay, *recipients, body=b"Hi.\r\n", sender=SENDER, options=(), wishes=()):
    content = HEADER + body
    with smtplib.SMTP(relay.address, relay.port, "client.example", timeout=60) as client:
        assert client.sendmail(sender, recipients, content, options, wishes) == {}
    return content


def arrive(server, *recipients):
    """Wait for one mail to each recipient; return who has got how many, and their contents."""
    until(lambda: server.copies().keys() >= set(recipients), "all get their mail")
    copies = server.copies()
    return [content for recipient in recipients for content in copies[recipient]]


def status_of(report):
    """Return the part of a report that programs read (RFC 3464)."""
    return email.message_from_bytes(report).get_payload(1).as_string()


def ends(relay):
    until(lambda: relay.waiting() == 0, "nothing waits any more")


@pytest.mark.parametrize("body", [b"Hi.\r\n", AWKWARD, b""], ids=["plain", "awkward", "empty"])
def test_a_mail_arrives_octet_for_octet(server, relay, body):
    relay = relay()
    content = send(relay, "a@customer.example", body=body)
    (arrived,) = arrive(server, "a@customer.example")
    assert arrived.endswith(b"\r\n" + content)
    ends(relay)


def test_ten_megabytes_arrive_octet_for_octet(server, relay):
    relay = relay()
    content = send(relay, "a@customer.example", body=AWKWARD * (10_000_000 // len(AWKWARD)))
    (arrived,) = arrive(server, "a@customer.example")
    assert len(content) > 9_900_000
    assert arrived.endswith(b"\r\n" + content)
    ends(relay)


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "implicit TLS"])
def test_a_login_inside_tls(tls_server, relay, implicit):
    server = tls_server
    relay = relay(
        *([server.implicit_port, "implicit"] if implicit else [server.port, "starttls"]),
        username=f'"{USERNAME}"',
        password=f'"{PASSWORD}"',
        tls_ca=f'"{server.ca}"',
    )
    content = send(relay, "a@customer.example")
    (arrived,) = arrive(server, "a@customer.example")
    trace, _, _ = arrived.partition(b"by relay.example.com")
    assert arrived.endswith(b"\r\n" + content)
    assert b" with esmtpsa" in trace.lower()
    assert ("STARTTLS" in server.commands()) is not implicit
    assert sum(line.startswith("AUTH PLAIN") for line in server.commands()) == 1
    ends(relay)


def test_a_wrong_password_keeps_the_mail(tls_server, relay):
    server = tls_server
    login = {"username": f'"{USERNAME}"', "password": '"wrong"', "tls_ca": f'"{server.ca}"'}
    relay = relay(tls="starttls", **login)
    send(relay, "a@customer.example")
    until(lambda: " 535 " in relay.log.read_text(), "the login is refused")
    assert relay.waiting() == 2
    assert server.copies() == {}


def test_a_server_whose_tls_fails_gets_mail_in_the_clear_where_that_is_allowed(server, relay):
    if server.has_tls():
        pytest.skip("its TLS works")
    relay = relay(tls="opportunistic")
    content = send(relay, "a@customer.example")
    (arrived,) = arrive(server, "a@customer.example")
    assert arrived.endswith(b"\r\n" + content)
    assert "STARTTLS" in server.commands()
    ends(relay)


def test_wishes_for_reports_are_passed_on(server, relay):
    relay = relay()
    send(
        relay,
        "anna@customer.example",
        options=["RET=HDRS", "ENVID=QQ+2B1"],
        wishes=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Anna+2BB@customer.example"],
    )
    arrive(server, "anna@customer.example")
    ends(relay)
    said = "\n".join(server.commands())
    assert " RET=HDRS ENVID=QQ+2B1" in said
    assert (
        "RCPT TO:<anna@customer.example> NOTIFY=SUCCESS,FAILURE"
        " ORCPT=rfc822;Anna+2BB@customer.example"
    ) in said


def test_eight_bits_are_announced(server, relay):
    relay = relay()
    content = send(
        relay,
        "a@customer.example",
        body="Grüße\r\n".encode("latin-1"),
        options=["BODY=8BITMIME"],
    )
    (arrived,) = arrive(server, "a@customer.example")
    assert arrived.endswith(b"\r\n" + content)
    assert " BODY=8BITMIME" in "\n".join(server.commands())
    ends(relay)


def test_addresses_beyond_ascii(server, relay):
    relay = relay()
    for sender, recipient in [("böss@sales.example", "ä@b.example"), (SENDER, "a@bücher.example")]:
        send(relay, recipient, sender=sender, options=["SMTPUTF8", "BODY=8BITMIME"])
    if server.offers_smtputf8:
        arrive(server, "ä@b.example", "a@bücher.example")
        assert " SMTPUTF8" in "\n".join(server.commands())
    else:
        # A domain has a form in ASCII; local parts have none, and so nobody can be told of that.
        arrive(server, "a@xn--bcher-kva.example")
        until(lambda: "5.6.7" in relay.log.read_text(), "it is logged why the other one cannot go")
        assert "UTF8" not in "\n".join(server.commands())
    ends(relay)


def test_a_refused_recipient_is_reported(server, relay):
    relay = relay()
    send(relay, f"{REFUSED}@customer.example")
    (report,) = arrive(server, SENDER)
    assert "MAIL FROM:<>" in "\n".join(server.commands())
    assert REFUSAL in status_of(report)
    ends(relay)


def test_of_several_recipients_each_gets_what_the_server_says(server, relay):
    relay = relay()
    good = ["a@customer.example", "b@customer.example"]
    bad = [f"{REFUSED}@customer.example", f"{DEFERRED}@customer.example"]
    content = send(relay, good[0], *bad, good[1])
    arrived = arrive(server, *good, SENDER)
    assert all(each.endswith(b"\r\n" + content) for each in arrived[:2])
    assert REFUSAL in status_of(arrived[2])
    until(lambda: relay.value("SELECT count(*) FROM delivery") == 1, "one delivery waits")
    assert f"<{DEFERRED}@customer.example> deferred" in relay.log.read_text()
    assert DEFERRAL in relay.log.read_text()


def transactions(server):
    """Return how many recipients each transaction asked for."""
    asked = []
    for command in server.commands():
        if command.startswith("MAIL"):
            asked.append(0)
        elif command.startswith("RCPT"):
            asked[-1] += 1
    return asked


@pytest.mark.parametrize(
    ("settings", "asked"),
    [({"max_recipients": "7"}, [7, 7, 7, 4]), ({}, [25, 15, 5])],
    ids=["max_recipients", "learned"],
)
def test_many_recipients_go_in_several_transactions(server, relay, settings, asked):
    relay = relay(**settings)
    recipients = [f"{number}@customer.example" for number in range(25)]
    content = send(relay, *recipients)
    arrived = arrive(server, *recipients)
    assert len(arrived) == len(recipients)
    assert all(each.endswith(b"\r\n" + content) for each in arrived)
    assert transactions(server) == asked
    ends(relay)
