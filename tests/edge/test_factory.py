from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from zope.interface import alsoProvides

from multisendcon_plugin.edge.protocol import LAST_WORDS
from multisendcon_plugin.edge.refusal import MOST_REFUSED
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import Users
from tests.edge.clients import EXAMPLE_PEER, MAIL, Edge, MemoryTransport

SHUTTING_DOWN = ["421 4.3.2 shutting down, try again later"]
NOT_ALLOWED = ["554 5.7.1 this relay does not serve your address"]
TOO_MANY = ["421 4.3.2 too many connections, try again later"]
TOO_MANY_FROM_THERE = ["421 4.7.0 too many connections from your address, try again later"]


@pytest.mark.parametrize(
    ("allow", "host", "allowed"),
    [
        (["127.0.0.1", "::1"], "127.0.0.1", True),
        (["127.0.0.1", "::1"], "127.0.0.2", False),
        (["127.0.0.1", "::1"], "::1", True),
        (["127.0.0.1", "::1"], "::2", False),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["192.0.2.0/24"], "::ffff:192.0.2.1", True),
        (["192.0.2.0/24"], "::ffff:192.0.3.1", False),
        (["::/0"], "::ffff:192.0.2.1", False),
        (["::/0"], "192.0.2.1", False),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["fe80::/64"], "fe80::1%eth0", True),
        ([], "127.0.0.1", False),
    ],
)
def test_allow_list(allow, host, allowed):
    kind = IPv6Address if ":" in host else IPv4Address
    client = Edge(allow=allow).client(peer=kind("TCP", host, 1))
    assert client.greeting == (["220 relay.example ESMTP ready"] if allowed else NOT_ALLOWED)
    assert client.closed != allowed


def test_local_sockets_are_guarded_by_their_files():
    client = Edge(allow=[]).client(peer=UNIXAddress(None))
    assert client.greeting[0].startswith("220")


def test_most_connections():
    edge = Edge(max_connections=2)
    first, second = edge.client(), edge.client()
    assert edge.client().greeting == TOO_MANY
    assert edge.client().closed
    first.ask(b"QUIT")
    assert edge.client().greeting == TOO_MANY
    first.hang_up()
    assert edge.client().greeting[0].startswith("220")
    assert second.ask(b"NOOP") == ["250 2.0.0 still here"]


def peer(host):
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 1)


ANYWHERE = ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize(
    ("host", "same", "other"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("127.0.0.1", "127.0.0.1", "::1"),
    ],
)
def test_most_connections_per_address(host, same, other):
    edge = Edge(allow=ANYWHERE, max_connections_per_address=2)
    first = edge.client(peer=peer(host))
    edge.client(peer=peer(same))
    refused = edge.client(peer=peer(same))
    assert refused.greeting == TOO_MANY_FROM_THERE
    assert refused.closed
    assert edge.client(peer=peer(other)).greeting[0].startswith("220")
    refused.hang_up()
    assert edge.client(peer=peer(same)).greeting == TOO_MANY_FROM_THERE
    first.hang_up()
    assert edge.client(peer=peer(same)).greeting[0].startswith("220")
    assert edge.client(peer=peer(same)).greeting == TOO_MANY_FROM_THERE


# A part of all connections is kept for the allow list.

USERS = Users("users", {"joe": PasswordHash(salt=b"", digest=b"")})
FROM_ANYWHERE = {"allow": ["127.0.0.1"], "users": USERS, "users_from_anywhere": True}


@pytest.mark.parametrize("most", [5, 10, 500])
def test_silent_strangers_leave_room_for_allowed_clients(most):
    """Once, 500 of them from 5 addresses took all of 500 connections."""
    edge = Edge(max_connections=most, **FROM_ANYWHERE)
    strangers = [edge.client(peer=peer(f"198.51.100.{n % 5}")) for n in range(most)]
    reserved = most // 5
    refused = [client for client in strangers if client.closed or client.cut_off]
    assert len(refused) == reserved
    for client in refused:
        client.hang_up()
    allowed = [edge.client() for _ in range(reserved)]
    assert allowed[-1].send_mail()[0].startswith("250 2.0.0 queued")
    assert edge.client().greeting == TOO_MANY
    for client in strangers:
        if client not in refused:
            client.hang_up()
    assert edge.client(peer=peer("198.51.100.1")).greeting[0].startswith("220")


def test_what_is_kept_is_not_taken_from_allowed_clients():
    edge = Edge(max_connections=10, **FROM_ANYWHERE)
    for _ in range(10):
        assert edge.client().greeting[0].startswith("220")
    assert edge.client().greeting == TOO_MANY


def test_a_stranger_s_own_room_does_not_grow_by_allowed_clients_that_go():
    edge = Edge(max_connections=10, **FROM_ANYWHERE)
    allowed = [edge.client() for _ in range(5)]
    strangers = [edge.client(peer=peer("198.51.100.1")) for _ in range(5)]
    for client in allowed:
        client.hang_up()
    strangers += [edge.client(peer=peer("198.51.100.1")) for _ in range(5)]
    assert [client.greeting for client in strangers].count(TOO_MANY) == 2


def test_the_admin_can_read_why_a_stranger_is_sent_away():
    edge = Edge(max_connections=5, **FROM_ANYWHERE)
    with capturedLogs() as events:
        for _ in range(5):
            edge.client(peer=peer("198.51.100.1"))
    (event,) = events
    assert formatEvent(event).endswith("(4) for clients not in allow is used up")


# Who is refused takes no room.


def refused(edge, number):
    return [edge.client() for _ in range(number)]


def test_few_refused_clients_are_waited_for():
    edge = Edge(allow=[])
    waiting = refused(edge, MOST_REFUSED)
    assert all(client.greeting == NOT_ALLOWED for client in waiting)
    assert not any(client.cut_off for client in waiting)
    beyond = refused(edge, 1000)
    assert all(client.cut_off and not client.greeting for client in beyond)
    for client in (*waiting, *beyond):
        client.hang_up()
    edge.factory.stop()
    assert edge.clock.getDelayedCalls() == []
    assert refused(edge, 1)[0].greeting == NOT_ALLOWED


@pytest.mark.parametrize(
    "settings",
    [
        {"allow": []},
        {"max_connections": 0},
        {"max_connections_per_address": 0},
        {"max_connections": 0, **FROM_ANYWHERE},
    ],
)
def test_inside_tls_nobody_is_refused_by_way_of_a_handshake(settings):
    """Once, each that sent no ClientHello kept a descriptor for ten seconds."""
    edge = Edge(**settings)
    session = edge.factory.buildProtocol(EXAMPLE_PEER)
    transport = MemoryTransport(peerAddress=EXAMPLE_PEER)
    alsoProvides(transport, ISSLTransport)
    session.makeConnection(transport)
    assert transport.disconnected
    assert not transport.value()
    session.connectionLost(Failure(ConnectionLost()))
    assert edge.clock.getDelayedCalls() == []
    assert edge.factory._refusals.there == 0


def test_local_sockets_have_no_address_to_be_counted_by():
    edge = Edge(max_connections_per_address=1)
    for _ in range(5):
        assert edge.client(peer=UNIXAddress(None)).greeting[0].startswith("220")


def cut_off_after_last_words(edge, client):
    client.ask(b"QUIT")
    edge.clock.advance(LAST_WORDS)
    assert client.cut_off


ENDINGS = {
    "vanishes": lambda edge, client: None,
    "quits": lambda edge, client: client.ask(b"QUIT"),
    "is idle": lambda edge, client: edge.clock.advance(300),
    "makes errors": lambda edge, client: client.ask(*[b"FOO"] * 20),
    "is a browser": lambda edge, client: client.ask(b"GET / HTTP/1.1"),
    "sends a bare line feed": lambda edge, client: client.send(b"\n"),
    "vanishes in its content": lambda edge, client: client.begin(),
    "vanishes before its reply": lambda edge, client: client.send_mail(),
    "does not read": cut_off_after_last_words,
    "rejected": lambda edge, client: client.session.stop(),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_connections_are_given_back_however_a_session_ends(end):
    edge = Edge(max_connections_per_address=1)
    edge.intake.waits = True
    for _ in range(3):
        client = edge.client()
        assert client.greeting[0].startswith("220")
        assert edge.client().greeting == TOO_MANY_FROM_THERE
        end(edge, client)
        # What counts is the connection, not that we have said good-bye.
        assert edge.client().greeting == TOO_MANY_FROM_THERE
        client.hang_up()
    assert not edge.factory._counts
    assert not edge.factory._sessions


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"allow": []}, "rejected: not in [master_relay] allow"),
        ({"max_connections": 0}, "max_connections (0) reached"),
        ({"max_connections_per_address": 0}, "max_connections_per_address (0) reached"),
    ],
)
def test_admin_can_read_who_was_refused(settings, why):
    with capturedLogs() as events:
        Edge(**settings).client()
    (event,) = events
    assert "127.0.0.1" in formatEvent(event)
    assert why in formatEvent(event)


def test_refused_client_that_does_not_go_is_cut_off():
    edge = Edge(allow=[])
    client = edge.client()
    edge.clock.advance(LAST_WORDS)
    assert client.cut_off


def test_refused_client_that_goes_leaves_no_timer():
    edge = Edge(allow=[])
    edge.client().hang_up()
    assert edge.clock.getDelayedCalls() == []


def test_whatever_a_refused_client_says_is_not_answered():
    client = Edge(allow=[]).client()
    client.send(b"EHLO x\r\nMAIL FROM:<a@x.example>\r\n")
    assert client.replies() == []


def stop(edge):
    stopped = []
    edge.factory.stop().addCallback(stopped.append)
    return stopped


def test_stop_without_sessions():
    assert len(stop(Edge())) == 1


def test_stop_sends_sessions_away():
    edge = Edge()
    idle, busy = edge.client(), edge.client()
    busy.begin()
    busy.ask(MAIL)
    stopped = stop(edge)
    for client in (idle, busy):
        assert client.replies() == SHUTTING_DOWN
        assert client.closed
    assert edge.draft.discarded
    idle.hang_up()
    assert not stopped
    busy.hang_up()
    assert stopped


def test_session_that_is_owed_a_reply_gets_it_first():
    edge = Edge()
    edge.intake.waits = True
    client = edge.client()
    client.send_mail()
    client.ask(b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>", b"DATA")
    stopped = stop(edge)
    assert client.replies() == []
    assert not client.closed
    edge.intake.go_on()
    (reply, *others) = client.replies()
    assert reply.startswith("250 2.0.0 queued as ")
    assert others == SHUTTING_DOWN
    assert client.closed
    client.hang_up()
    assert stopped


def test_session_that_has_got_its_reply_is_sent_away():
    edge = Edge()
    client = edge.client()
    client.send_mail()
    stop(edge)
    assert client.replies() == SHUTTING_DOWN


def test_session_that_quits_is_not_told_twice():
    edge = Edge()
    client = edge.client()
    client.ask(b"QUIT")
    stopped = stop(edge)
    assert client.replies() == []
    client.hang_up()
    assert stopped


def test_client_that_comes_after_stop_is_sent_away():
    edge = Edge()
    stop(edge)
    assert edge.client().greeting == SHUTTING_DOWN
