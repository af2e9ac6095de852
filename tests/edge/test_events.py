"""What the edge publishes of clients, and with which values."""

from __future__ import annotations

import base64

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress

from multisendcon_plugin.edge.guesses import PAUSE
from multisendcon_plugin.edge.notices import IN_FULL, MINUTE
from multisendcon_plugin.edge.proxy import ProxyFactory
from multisendcon_plugin.errors import SpoolError, SpoolFullError
from multisendcon_plugin.events import (
    ClientRefused,
    CommandRefused,
    EventsLeftOut,
    LimitReached,
    LoginAccepted,
    LoginRefused,
    MailNotStored,
    ProxyRefused,
    SessionEnded,
)
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from tests.configuration.examples import HASH
from tests.edge.clients import Edge, MemoryTransport, account
from tests.queues import collected

USERS = Users("users", {"joe": PasswordHash.parse(HASH)})
HERE, PROXY = "127.0.0.1", IPv4Address("TCP", "192.0.2.9", 1)
MAIL_FROM = b"MAIL FROM:<a@x.example>"


def login(password):
    return b"AUTH PLAIN " + base64.b64encode(b"\0joe\0" + password)


def world(**settings):
    edge = Edge(account(recipients=["!*@no.example"]), **settings)
    return edge, collected(edge.events)


def test_a_client_that_a_list_lacks():
    edge, events = world(allow=["192.0.2.1"])
    edge.client()
    assert events == [ClientRefused(HERE, "allow")]


@pytest.mark.parametrize(
    ("settings", "limit"),
    [
        ({"max_connections": 0}, "max_connections (0) reached"),
        ({"max_connections_per_address": 0}, "max_connections_per_address (0) reached"),
        (
            {"max_connections": 1, "allow": [], "users": USERS, "users_from_anywhere": True},
            "the part of max_connections (0) for clients not in allow is used up",
        ),
    ],
)
def test_a_client_too_many(settings, limit, monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.edge.admission.RESERVED", 1.0)
    edge, events = world(**settings)
    edge.client()
    assert events == [LimitReached(HERE, limit)]


def test_a_client_too_many_at_a_local_socket():
    edge, events = world(max_connections=0)
    edge.client(peer=UNIXAddress(None))
    assert events == [LimitReached("local", "max_connections (0) reached")]


def test_a_mail_for_which_there_is_no_memory(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.edge.memory.MOST_OCTETS", 0)
    edge, events = world()
    edge.client().ask(MAIL_FROM, *[b"RCPT TO:<%d@y.example>" % n for n in range(300)])
    assert LimitReached(HERE, "mails under way take 0 MiB of memory") in events


def test_a_proxy_without_a_header():
    edge, events = world(proxies=["192.0.2.9"])
    reader = ProxyFactory(edge.factory, edge.clock).buildProtocol(PROXY)
    reader.makeConnection(MemoryTransport(peerAddress=PROXY))
    reader.dataReceived(b"EHLO x\r\n")
    assert events == [
        ProxyRefused("192.0.2.9", "missing: the connection begins with something else")
    ]


def test_a_command_that_is_refused_names_its_mail():
    edge, events = world()
    accepted = [b"RCPT TO:<%d@y.example>" % n for n in range(5)]
    edge.client().ask(MAIL_FROM, *accepted, b"RCPT TO:<b@no.example>")
    assert events == [
        CommandRefused(
            address=HERE,
            user="",
            reply=Reply(
                550,
                "5.7.1",
                "no account is configured for mail from <a@x.example> to <b@no.example>",
            ),
            command="RCPT TO:<b@no.example>",
            sender="a@x.example",
            recipients=("0@y.example", "1@y.example", "2@y.example"),
            more=2,
        )
    ]


def test_a_command_that_is_refused_without_a_mail():
    edge, events = world()
    edge.client().ask(b"FOO")
    (refused,) = events
    assert (refused.command, refused.sender, refused.recipients) == ("FOO", None, ())


def test_a_mail_that_is_refused_has_no_command():
    edge, events = world()
    edge.client().ask(b"MAIL FROM:<>", b"RCPT TO:<b@y.example>", b"DATA", b"\0", b".")
    (refused,) = events
    assert (refused.command, refused.sender, refused.recipients) == ("", "", ("b@y.example",))
    assert refused.reply.enhanced == "5.6.11"


def test_a_login_and_what_is_refused_after_it():
    edge, events = world(users=USERS)
    edge.client().ask(login(b"secret"), b"FOO")
    accepted, refused = events
    assert accepted == LoginAccepted(HERE, "joe")
    assert refused.user == "joe"


def test_a_wrong_login():
    edge, events = world(users=USERS)
    edge.client().ask(login(b"c4nary"))
    edge.clock.advance(PAUSE)
    assert events[0] == LoginRefused(HERE, "joe")
    assert "c4nary" not in repr(events)


def test_a_session_that_we_end():
    edge, events = world()
    client = edge.client()
    client.ask(MAIL_FROM, b"RCPT TO:<b@y.example>")
    edge.clock.advance(300)
    assert events == [
        SessionEnded(
            address=HERE,
            user="",
            why="idle_timeout (300 s) reached",
            command="",
            sender="a@x.example",
            recipients=("b@y.example",),
            more=0,
        )
    ]


@pytest.mark.parametrize(
    ("error", "code"), [(SpoolError("no disk"), 451), (SpoolFullError("no room"), 452)]
)
def test_a_mail_that_the_spool_does_not_take(error, code):
    edge, events = world()
    edge.intake.fault = error
    edge.client().send_mail()
    (not_stored,) = events
    assert isinstance(not_stored, MailNotStored)
    assert (not_stored.address, not_stored.reply.code) == (HERE, code)
    assert not_stored.error == str(error)


def test_what_repeats_itself_is_counted():
    edge, events = world()
    edge.client().ask(MAIL_FROM, *[b"RCPT TO:<b@no.example>"] * (IN_FULL + 7))
    assert len(events) == IN_FULL
    edge.clock.advance(MINUTE)
    assert events[IN_FULL:] == [EventsLeftOut(HERE, "CommandRefused", "550 5.7.1", 7)]


def test_a_mail_that_is_taken_is_told_by_the_queue_alone():
    edge, events = world()
    edge.client().send_mail()
    assert events == []
