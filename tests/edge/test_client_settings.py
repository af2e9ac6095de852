"""What differs for some clients: bare line feeds that are fixed, headers that are completed."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from ipaddress import ip_network

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from multisendcon_plugin.mail.dsn import Notify
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.settings.values import BareLf, ClientSettings
from tests.edge.clients import MAIL, Edge
from tests.edge.test_logins import FAR, RIGHT, edge_with, inside_tls
from tests.edge.test_security import AUTHENTICATED

REFUSED = ["550 5.6.11 message contains a bare CR, a bare LF or a NUL"]
SCANNER, OTHER = IPv4Address("TCP", "192.0.2.7", 1), IPv4Address("TCP", "192.0.2.8", 1)
MAPPED = IPv6Address("TCP", "::ffff:192.0.2.7", 1)
ADDED = re.compile(
    rb"(?:From: a@x\.example\r\n)?Date: (?P<date>[^\r\n]+)\r\n"
    rb"Message-ID: <(?P<id>\w+)\.[0-9a-f]{16}@relay\.example>\r\n"
)


def edge(*clients, **settings):
    return Edge(allow=["192.0.2.0/24"], clients=clients, **settings)


def table(*addresses, **settings):
    return ClientSettings(addresses=tuple(map(ip_network, addresses)), **settings)


def content(edge):
    """Return the last message as the client sent it: without our trace field."""
    (*_, message) = edge.messages
    _, _, rest = message.content.split(b"\r\n\t", 2)
    return rest.partition(b"\r\n")[2]


# Bare line feeds.

FIXING = table("192.0.2.7", bare_lf=BareLf.FIX)


@pytest.mark.parametrize("peer", [SCANNER, MAPPED])
def test_line_feeds_are_fixed_for_the_clients_that_are_listed(peer):
    relay = edge(FIXING)
    client = relay.client(peer=peer)
    (reply,) = client.send_mail(b"Subject: x\n\nscan\n.\nmore\n\r\n")
    assert reply.startswith("250 2.0.0 queued")
    assert content(relay) == b"Subject: x\r\n\r\nscan\r\n..\r\nmore\r\n\r\n"
    assert relay.messages[0].header.endswith(b"\r\nSubject: x\r\n")


@pytest.mark.parametrize(
    ("clients", "peer"),
    [
        ([], SCANNER),
        ([FIXING], OTHER),
        ([FIXING], UNIXAddress(None)),
        ([table("192.0.2.0/24"), FIXING], SCANNER),
        ([table("192.0.2.7", submission_help=True)], SCANNER),
    ],
)
def test_line_feeds_are_refused_for_all_others(clients, peer):
    relay = edge(*clients)
    client = relay.client(peer=peer)
    assert client.send_mail(b"Subject: x\n\nscan\n\r\n") == REFUSED
    assert client.send_mail()[0].startswith("250")


@pytest.mark.parametrize("bad", [b"\r", b"\0", b"\r\r\n"])
def test_other_bare_octets_are_refused_also_where_line_feeds_are_fixed(bad):
    assert edge(FIXING).client(peer=SCANNER).send_mail(b"a\n" + bad + b"a\r\n") == REFUSED


def test_line_feed_in_a_command_is_never_fixed():
    client = edge(FIXING).client(peer=SCANNER)
    (reply,) = client.ask(b"NOOP\nNOOP")
    assert reply.startswith("554 5.5.2")
    assert client.closed


def test_size_counts_what_the_line_feeds_become():
    relay = edge(FIXING, max_message_size=100)
    client = relay.client(peer=SCANNER)
    assert client.send_mail(b"\n" * 49 + b"\r\n")[0].startswith("250")
    assert client.send_mail(b"\n" * 50 + b"\r\n") == ["552 5.3.4 message too large"]


# Submission help.


@pytest.mark.parametrize(
    ("clients", "settings", "helped"),
    [
        ([], {}, False),
        ([], {"submission_help": True}, True),
        ([table("192.0.2.7", submission_help=True)], {}, True),
        ([table("192.0.2.8", submission_help=True)], {}, False),
        ([table("192.0.2.7", submission_help=False)], {"submission_help": True}, False),
    ],
)
def test_who_is_helped(clients, settings, helped):
    relay = edge(*clients, **settings)
    sent = b"Bcc: c@y.example\r\nSubject: x\r\n\r\nBcc: body\r\n"
    relay.client(peer=SCANNER).send_mail(sent)
    if not helped:
        assert content(relay) == sent
        return
    (message,) = relay.messages
    found = ADDED.search(message.content)
    assert content(relay) == b"Subject: x\r\n" + found[0] + b"\r\nBcc: body\r\n"
    assert message.header.endswith(found[0])
    assert parsedate_to_datetime(found["date"].decode()).timestamp() == 1_700_000_000
    assert b" id " + found["id"] + b";" in message.header


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"hello\r\n", (b"", b"\r\nhello\r\n")),
        (b"\r\nhello\r\n", (b"", b"\r\nhello\r\n")),
        (b"A: b\r\n", (b"A: b\r\n", b"")),
        (b"From: b@x.example\r\n\r\n", (b"From: b@x.example\r\n", b"\r\n")),
        (b"A: b\r\nno field\r\n", (b"A: b\r\n", b"no field\r\n")),
        (b"Return-Path: <>\r\n\r\n", (b"", b"\r\n")),
        (b"bCC :\r\n\ta@x.example,\r\n b@x.example\r\nA: b\r\n\r\n", (b"A: b\r\n", b"\r\n")),
    ],
)
@pytest.mark.parametrize("length", [1, 1000])
def test_help_is_for_the_header_alone(sent, kept, length):
    relay = edge(submission_help=True)
    client = relay.client(peer=SCANNER)
    client.begin()
    stream = sent + b".\r\n"
    for start in range(0, len(stream), length):
        client.send(stream[start : start + length])
    before, after = kept
    found = ADDED.search(content(relay))
    assert found[0].startswith(b"From: a@x.example") == (b"From" not in sent)
    assert content(relay) == before + found[0] + after


def test_no_author_is_made_up_for_the_null_reverse_path():
    relay = edge(submission_help=True)
    relay.client(peer=SCANNER).send_mail(b"Date:\r\nSubject: x\r\n\r\n", sender=b"")
    (message,) = relay.messages
    assert b"From:" not in message.header
    assert b"Date: Tue, 14 Nov 2023" in message.header


def test_a_message_id_that_is_added_is_kept_with_the_envelope():
    relay = edge(submission_help=True)
    relay.client(peer=SCANNER).send_mail(b"Message-ID:\r\nSubject: x\r\n\r\n")
    (message,) = relay.messages
    assert b"Message-ID: %s\r\n" % message.envelope.message_id.encode() in message.header
    assert message.envelope.message_id


def test_two_mails_have_two_names():
    relay = edge(submission_help=True)
    client = relay.client(peer=SCANNER)
    for _ in range(2):
        client.send_mail()
    first, second = (ADDED.search(message.content)[0] for message in relay.messages)
    assert first.rpartition(b"Message")[2] != second.rpartition(b"Message")[2]


def test_mail_of_an_application_is_helped_as_the_master_relay_says():
    mail = b"Bcc: c@y.example\n" + MAIL.replace(b"\r\n", b"\n")
    envelope = Envelope(reverse_path="a@x.example", recipients=("b@y.example",))
    for helped in (False, True):
        relay = edge(submission_help=helped)
        relay.submit(envelope, mail)
        (message,) = relay.messages
        assert bool(ADDED.search(message.header)) == helped
        assert (b"Bcc" in message.content) != helped


# Reports of success.

ASKS = {
    b"NOTIFY=SUCCESS": Notify.SUCCESS,
    b"NOTIFY=SUCCESS,FAILURE": Notify.SUCCESS | Notify.FAILURE,
    b"NOTIFY=DELAY,FAILURE,SUCCESS": Notify.SUCCESS | Notify.FAILURE | Notify.DELAY,
    b"NOTIFY=DELAY": Notify.DELAY,
    b"NOTIFY=NEVER": Notify.NEVER,
    b"": None,
}
TRUSTED = table("192.0.2.7", success_reports=True)


def wishes(client, relay):
    """Return what is stored of what is asked for each recipient."""
    client.ask(b"MAIL FROM:<victim@x.example>")
    for n, asks in enumerate(ASKS):
        assert client.ask(b"RCPT TO:<%d@y.example> %s" % (n, asks)) == ["250 2.1.5 recipient ok"]
    client.ask(b"DATA", MAIL + b".")
    (*_, message) = relay.messages
    return [recipient.notify for recipient in message.recipients]


def without_success(notify):
    return notify if notify is None else notify & ~Notify.SUCCESS


@pytest.mark.parametrize("peer", [SCANNER, MAPPED])
def test_success_is_reported_for_the_clients_that_are_listed(peer):
    relay = edge(TRUSTED)
    assert wishes(relay.client(peer=peer), relay) == list(ASKS.values())


@pytest.mark.parametrize(
    ("clients", "peer"),
    [
        ([], SCANNER),
        ([TRUSTED], OTHER),
        ([TRUSTED], UNIXAddress(None)),
        ([table("192.0.2.0/24"), TRUSTED], SCANNER),
    ],
)
def test_for_all_others_nobody_is_told_of_success_whom_they_name(clients, peer):
    """Of 3 recipients of whom it was asked for, success was reported for all before, now of none.

    The wish goes to no server either, which would report in our place.
    """
    relay = edge(*clients)
    client = relay.client(peer=peer)
    assert any("DSN" in line for line in client.ask(b"EHLO c"))
    assert wishes(client, relay) == [without_success(each) for each in ASKS.values()]


def test_success_is_reported_for_a_user_once_they_have_logged_in():
    relay = edge_with()
    before = relay.client(peer=FAR)
    assert wishes(before, relay)[0] is Notify.NEVER
    client = inside_tls(relay)
    assert client.ask(RIGHT) == AUTHENTICATED
    assert wishes(client, relay) == list(ASKS.values())
