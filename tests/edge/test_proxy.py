"""The header of a proxy: read, refused, and what it means for the session."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import capturedLogs, formatEvent

from multisendcon_plugin.edge import ProxyFactory
from multisendcon_plugin.edge.proxy import HEADER_WITHIN, read_header
from tests.edge.clients import Edge, MemoryTransport
from tests.edge.test_logins import USERS
from tests.edge.test_security import AUTHENTICATED, plain

PROXY = IPv4Address("TCP", "10.0.0.1", 1)
HERE = IPv4Address("TCP", "127.0.0.1", 1)
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
NOT_ALLOWED = "554 5.7.1 this relay does not serve your address\r\n"


NO_CLIENT = "554 5.7.1 your proxy has not said whose connection this is\r\n"


def address(host):
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, 1)


def v1(client="192.0.2.1", family="TCP4", to="10.0.0.2"):
    return f"PROXY {family} {client} {to} 4711 25\r\n".encode()


def v2(client="192.0.2.1", command=0x21, family=None, more=b""):
    source = ip_address(client)
    family = (0x11 if source.version == 4 else 0x21) if family is None else family
    block = source.packed + bytes(len(source.packed)) + struct.pack("!HH", 4711, 25) + more
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


HEADERS = [
    (v1(), "192.0.2.1"),
    (v1("2001:db8::1", "TCP6", "::1"), "2001:db8::1"),
    (v1("::ffff:192.0.2.1", "TCP6", "::1"), "192.0.2.1"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    (v2(), "192.0.2.1"),
    (v2("2001:db8::1"), "2001:db8::1"),
    (v2(more=b"\x03\0\x04abcd"), "192.0.2.1"),
    (v2(command=0x20), None),
    (SIGNATURE + b"\x20\0\0\0", None),
    (SIGNATURE + b"\x21\0\0\0", None),
    (v2(family=0x31), None),
]
BAD = [
    b"EHLO x\r\n",
    b"\r\nNOOP",
    b"PROXI",
    b"proxy tcp4",
    b"PROXY TCP4\r\n",
    v1("x"),
    v1("192.0.2.1", "TCP6"),
    v1("2001:db8::1"),
    v1("fe80::1%eth0", "TCP6"),
    v1("127.0.0.1\0"),
    v1("١٢٧.0.0.1"),
    v1().replace(b" 4711", b"  4711"),
    v1().replace(b"4711", b"x"),
    b"PROXY TCP4 " + b"1" * 200,
    b"PROXY UNKNOWN " + b"x" * 100 + b"\r\n",
    v2(command=0x11),
    v2(command=0x22),
    v2(family=0x21),
    SIGNATURE + b"\x21\x11\0\x0b" + bytes(11),
]


@pytest.mark.parametrize(("header", "client"), HEADERS)
def test_headers(header, client):
    for rest in (b"", b"EHLO x\r\n"):
        found, size = read_header(header + rest)
        assert size == len(header)
        assert (found and found.host) == client
        assert isinstance(found, IPv6Address) == (":" in (client or ""))
        assert not found or found.port == 4711


@pytest.mark.parametrize("header", [header for header, _ in HEADERS])
def test_a_header_that_is_not_whole_is_waited_for(header):
    for cut in range(len(header)):
        assert read_header(header[:cut]) is None


@pytest.mark.parametrize("octets", BAD)
def test_what_is_no_header(octets):
    with pytest.raises(ValueError, match=r"."):
        read_header(octets)


@given(st.sampled_from([b"", SIGNATURE, b"PROXY ", b"PROXY TCP4 "]), st.binary(max_size=120))
def test_no_octets_do_more_than_break_it(start, octets):
    try:
        found = read_header(start + octets)
    except ValueError:
        return
    assert found is None or found[1] <= len(start + octets)


class Connection:
    """One connection to where a proxy connects."""

    def __init__(self, edge, peer=PROXY):
        protocol = ProxyFactory(edge.factory, edge.clock).buildProtocol(peer)
        self.transport = MemoryTransport(peerAddress=peer)
        # A transport gives its protocol what it receives.
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)

    def send(self, octets):
        self.transport.protocol.dataReceived(octets)

    def says(self):
        text = self.transport.value().decode()
        self.transport.clear()
        return text


def edge_with(**settings):
    defaults = {"users": USERS, "allow": ["192.0.2.1"], "proxies": ["10.0.0.1", "127.0.0.1"]}
    return Edge(**(defaults | settings), tls=True)


@pytest.fixture
def edge():
    return edge_with()


@pytest.mark.parametrize("header", [v1(), v2()])
def test_the_session_begins_after_the_header_and_is_that_of_the_client(edge, header):
    connection = Connection(edge)
    for octet in header[:-1]:
        connection.send(bytes([octet]))
        assert connection.says() == ""
    connection.send(header[-1:])
    assert connection.says() == "220 relay.example ESMTP ready\r\n"
    connection.send(b"EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
    connection.send(b"Subject: x\r\n\r\n.\r\n")
    assert "250 2.0.0 queued as" in connection.says()
    [message] = edge.messages
    assert b"from x ([192.0.2.1])" in message.header


def test_what_comes_with_the_header_is_not_lost(edge):
    connection = Connection(edge)
    connection.send(v1() + b"NOOP\r\n")
    assert connection.says().endswith("250 2.0.0 still here\r\n")


def test_the_allow_list_is_about_the_client(edge):
    connection = Connection(edge)
    connection.send(v1("198.51.100.1"))
    assert connection.says() == NOT_ALLOWED
    assert connection.transport.disconnecting


@pytest.mark.parametrize("anywhere", [True, False])
@pytest.mark.parametrize("peer", ["192.0.2.1", "198.51.100.1", "10.0.0.2", "::ffff:192.0.2.1"])
def test_nobody_but_a_proxy_may_name_a_client(anywhere, peer):
    connection = Connection(edge_with(users_from_anywhere=anywhere), address(peer))
    with capturedLogs() as events:
        again = Connection(edge_with(users_from_anywhere=anywhere), address(peer))
    for each in (connection, again):
        assert each.says() == NOT_ALLOWED
        assert each.transport.disconnecting
    assert [formatEvent(event) for event in events] == [
        f"{peer} rejected: not in [master_relay] proxies"
    ]


def test_without_proxies_nobody_speaks_for_others():
    for peer in ("127.0.0.1", "192.0.2.1"):
        edge = edge_with(proxies=[], allow=["127.0.0.1", "192.0.2.1"])
        assert Connection(edge, address(peer)).says() == NOT_ALLOWED


@pytest.mark.parametrize("peer", ["10.9.9.9", "::ffff:10.9.9.9", "2001:db8::9"])
def test_proxies_may_be_a_network(peer):
    edge = edge_with(proxies=["10.0.0.0/8", "2001:db8::/64"])
    connection = Connection(edge, address(peer))
    connection.send(v1())
    assert connection.says().startswith("220")


def test_who_may_write_to_a_local_socket_is_for_its_file_to_say():
    connection = Connection(edge_with(proxies=[]), UNIXAddress(None))
    connection.send(v1() + b"EHLO x\r\nMAIL FROM:<a@x.example>\r\n")
    assert connection.says().endswith("250 2.1.0 sender ok\r\n")
    unnamed = Connection(edge_with(proxies=[]), UNIXAddress(None))
    unnamed.send(b"PROXY UNKNOWN\r\nEHLO x\r\nMAIL FROM:<a@x.example>\r\n")
    assert unnamed.says().endswith(NO_CLIENT)


@pytest.mark.parametrize("header", [header for header, client in HEADERS if client is None])
@pytest.mark.parametrize(
    "settings",
    [{}, {"allow": ["10.0.0.1"]}, {"users_from_anywhere": True}, {"allow": ["0.0.0.0/0", "::/0"]}],
)
@pytest.mark.parametrize("peer", [PROXY, HERE])
def test_a_connection_that_the_proxy_does_not_name_is_greeted_and_may_do_nothing(
    header, settings, peer
):
    edge = edge_with(**settings)
    connection = Connection(edge, peer)
    connection.send(header + b"EHLO x\r\n")
    greeting = connection.says()
    assert greeting.startswith("220 relay.example ESMTP ready\r\n250-")
    assert "AUTH" not in greeting
    connection.send(plain("joe", "secret") + b"\r\n")
    assert connection.says().startswith("502 ")
    connection.send(b"MAIL FROM:<a@x.example>\r\n")
    assert connection.says() == NO_CLIENT
    connection.send(b"STARTTLS\r\n")
    assert ISSLTransport.providedBy(connection.transport)
    connection.says()
    connection.send(b"EHLO x\r\n")
    assert "AUTH" not in connection.says()
    connection.send(b"MAIL FROM:<>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n")
    assert connection.says().startswith(NO_CLIENT + "503 ")
    assert edge.messages == []


def test_a_proxy_has_rights_of_its_own_where_it_connects_as_a_client():
    edge = edge_with(allow=["10.0.0.1"])
    connection = Connection(edge)
    connection.send(v1("10.0.0.1") + b"EHLO x\r\nMAIL FROM:<a@x.example>\r\n")
    assert connection.says().endswith("250 2.1.0 sender ok\r\n")
    assert edge.client(peer=PROXY).send_mail()[0].startswith("250")


def test_a_stranger_behind_a_proxy_is_a_stranger():
    connection = Connection(edge_with(users_from_anywhere=True))
    connection.send(v1("198.51.100.1") + b"EHLO x\r\nMAIL FROM:<a@x.example>\r\n")
    assert connection.says().endswith("530 5.7.0 authentication required\r\n")


def test_connections_are_counted_by_client():
    edge = edge_with(max_connections_per_address=1, allow=["10.0.0.1", "192.0.2.1"])
    for client in ("10.0.0.1", "192.0.2.1"):
        connection = Connection(edge)
        connection.send(v1(client))
        assert connection.says().startswith("220")
    again = Connection(edge)
    again.send(v2())
    assert again.says().startswith("421 4.7.0 too many connections from your address")


@pytest.mark.parametrize(
    ("peer", "client", "possible"),
    [
        (HERE, "127.0.0.1", True),
        (HERE, "192.0.2.1", False),
        # What the proxy took from its own machine comes to us over the network.
        (PROXY, "127.0.0.1", False),
    ],
)
def test_a_login_without_tls_never_crosses_a_network(peer, client, possible):
    connection = Connection(edge_with(allow=["0.0.0.0/0"]), peer)
    connection.send(v1(client) + b"EHLO x\r\n" + plain("joe", "secret") + b"\r\n")
    assert (AUTHENTICATED[0] in connection.says()) == possible


def test_tls_behind_a_proxy(edge):
    connection = Connection(edge)
    connection.send(v1() + b"EHLO x\r\n")
    connection.send(b"STARTTLS\r\n")
    assert ISSLTransport.providedBy(connection.transport)
    connection.says()
    connection.send(b"EHLO x\r\n")
    assert "AUTH PLAIN LOGIN" in connection.says()


def test_a_proxy_that_looks_whether_we_are_well(edge):
    connection = Connection(edge)
    connection.send(v2(command=0x20))
    assert connection.says().startswith("220")


@pytest.mark.parametrize("octets", BAD)
def test_a_connection_without_a_header_is_cut_off_and_logged(edge, octets):
    connection = Connection(edge)
    with capturedLogs() as events:
        connection.send(octets)
    assert connection.transport.disconnected
    assert connection.says() == ""
    [line] = map(formatEvent, events)
    assert line.startswith("connection from 10.0.0.1 closed: PROXY header ")


def test_a_header_that_does_not_come(edge):
    connection = Connection(edge)
    connection.send(v1()[:-1])
    edge.clock.advance(HEADER_WITHIN)
    assert connection.transport.disconnected


def test_a_connection_that_ends_before_its_header_leaves_no_timer(edge):
    connection = Connection(edge)
    connection.transport.protocol.connectionLost()
    assert edge.clock.getDelayedCalls() == []
