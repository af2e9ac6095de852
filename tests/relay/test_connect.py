"""The way to a server: from which address to which, and what is said when there is none."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import (
    ConnectBindError,
    ConnectionRefusedError,  # noqa: A004
    DNSLookupError,
    NoRouteError,
    TimeoutError,  # noqa: A004
)
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.relay.connect import connect_problem
from multisendcon_plugin.routing.hop import Hop
from multisendcon_plugin.testing import Provider
from tests.relays import CONTENT, Names, Network, Server, Way, login, send, verdicts

V4, V6 = "198.51.100.1", "2001:db8::1"
PAIR = ("192.0.2.7", "2001:db8::7")
ADDRESSES = {"mx.example": (V6, V4, "198.51.100.2", "2001:db8::2")}
REFUSED = ConnectionRefusedError(111, "Connection refused")


def way_by_name(*servers, addresses=ADDRESSES, **account):
    network = Network(*servers)
    network.nameResolver = Names(**addresses)
    return Way(network=network, server="mx.example", **account)


def connections(way):
    """Return where it was connected to, and from where."""
    return [(host, port, bind) for host, port, _, _, bind in way.network.tcpClients]


@pytest.mark.parametrize(
    ("server", "local", "bind"),
    [
        (V4, (), None),
        (V4, ("192.0.2.7",), ("192.0.2.7", 0)),
        (V4, PAIR, (PAIR[0], 0)),
        (V6, (), None),
        (V6, ("2001:db8::7",), ("2001:db8::7", 0)),
        (V6, PAIR, (PAIR[1], 0)),
    ],
)
def test_an_address_is_connected_from_the_local_address(server, local, bind):
    way = Way(Server(), server=server, port=587, local_address=local)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert connections(way) == [(server, 587, bind)]
    assert way.network.tcpClients[0][3] == 30


@pytest.mark.parametrize(
    ("local", "kind", "expected"),
    [
        ("192.0.2.7", IPv4Address, [V4, "198.51.100.2"]),
        ("2001:db8::7", IPv6Address, [V6, "2001:db8::2"]),
    ],
)
def test_a_name_is_looked_up_in_the_family_of_the_local_address(local, kind, expected):
    way = way_by_name(REFUSED, Server(), Server(), local_address=(local,))
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert way.network.nameResolver.asked == [("mx.example", [kind])]
    assert connections(way) == [(address, 25, (local, 0)) for address in expected]


def test_with_a_pair_each_address_is_reached_from_the_local_one_of_its_family():
    way = way_by_name(REFUSED, REFUSED, Server(), local_address=PAIR)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    ((_, kinds),) = way.network.nameResolver.asked
    assert set(kinds) == {IPv4Address, IPv6Address}
    assert connections(way) == [
        (V6, 25, (PAIR[1], 0)),
        (V4, 25, (PAIR[0], 0)),
        ("198.51.100.2", 25, (PAIR[0], 0)),
    ]


def test_of_a_pair_one_that_cannot_be_used_does_not_hide_the_other():
    unusable = ConnectBindError(99, "Cannot assign requested address")
    way = way_by_name(unusable, Server(), local_address=PAIR)
    assert verdicts(way.send()) == [Verdict.DELIVERED]
    assert connections(way)[1] == (V4, 25, (PAIR[0], 0))


def test_without_a_local_address_both_families_are_looked_up():
    way = way_by_name(Server())
    way.begin()
    ((name, kinds),) = way.network.nameResolver.asked
    assert (name, set(kinds)) == ("mx.example", {IPv4Address, IPv6Address})
    assert connections(way) == [(V6, 25, None)]


def test_a_name_is_looked_up_again_for_each_connection():
    way = way_by_name(Server(), Server(), local_address=("192.0.2.7",))
    way.send()
    way.network.advance(10)
    way.send()
    assert len(way.network.nameResolver.asked) == len(way.network.wires) == 2


@pytest.mark.parametrize(
    ("account", "errors", "expected"),
    [
        (
            {"server": V4},
            [REFUSED],
            f"{V4} port 25 cannot be reached: Connection refused",
        ),
        (
            {"server": V4},
            [TimeoutError()],
            f"{V4} port 25 cannot be reached: no answer for 30 s",
        ),
        (
            {"server": V4, "port": 465},
            [NoRouteError(113, "No route to host")],
            f"{V4} port 465 cannot be reached: No route to host",
        ),
        (
            {"server": V4, "local_address": ("192.0.2.7",)},
            [ConnectBindError(99, "Cannot assign requested address")],
            "local_address 192.0.2.7 cannot be used: it is not an address of this machine",
        ),
        (
            {"server": V6, "local_address": ("192.0.2.7",)},
            [Server()],
            f"local_address 192.0.2.7 cannot be used: {V6} is an IPv6 address",
        ),
        (
            {"server": V4},
            [ConnectBindError(99, "Cannot assign requested address")],
            f"{V4} port 25 cannot be reached: Cannot assign requested address",
        ),
        (
            {"local_address": ("192.0.2.7",)},
            [ConnectBindError(99, "Cannot assign requested address"), Server()],
            "local_address 192.0.2.7 cannot be used: it is not an address of this machine",
        ),
        (
            {"local_address": ("192.0.2.7",)},
            [TimeoutError(), REFUSED],
            "mx.example port 25 cannot be reached: Connection refused",
        ),
        (
            {"local_address": ("192.0.2.7",), "addresses": {"mx.example": (V6,)}},
            [],
            (
                "mx.example cannot be resolved: it has no IPv4 address, "
                "which the local address 192.0.2.7 needs"
            ),
        ),
        (
            {"addresses": {}},
            [],
            "mx.example cannot be resolved: no results for hostname lookup: mx.example",
        ),
    ],
)
def test_the_fault_says_in_words_why_there_is_no_connection(account, errors, expected):
    make = Way if "server" in account else way_by_name
    way = make(*errors, **account)
    attempt = way.send()
    assert str(attempt.fault) == f"connect: 4.4.1 {expected}"
    assert attempt.fault.phase is Phase.CONNECT
    assert attempt.fault.action is Action.REST
    assert verdicts(attempt) == [Verdict.DEFERRED]
    assert attempt.mail_ended is None
    assert way.contents == []
    assert way.network.wires == []


def test_an_unknown_problem_is_told_as_it_is():
    hop = Hop(host="mx.example")
    assert connect_problem(Failure(OSError("odd")), hop).endswith("cannot be reached: odd")
    assert connect_problem(Failure(DNSLookupError()), hop).startswith(
        "mx.example cannot be resolved: "
    )


def test_stop_ends_an_attempt_that_looks_up_a_name():
    class Slow(Names):
        def resolveHostName(self, receiver, *args, **keywords):  # noqa: N802
            self.receiver = receiver

    way = way_by_name(Server(), local_address=("192.0.2.7",))
    way.network.nameResolver = Slow()
    results = way.begin()
    way.factory.stop(10)
    assert str(results[0].fault) == "connect: 4.3.2 the relay is shutting down"
    way.network.nameResolver.receiver.resolutionComplete()
    assert way.network.tcpClients == []


class RealConnections(TestCase):
    timeout = 30

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        self.provider = Provider(reactor)
        self.port = self.provider.listen("127.0.0.1")
        self.addCleanup(self.provider.stop)

    def resolve(self, **addresses):
        """Let names have these addresses."""
        real = self.reactor.installNameResolver(Names(**addresses))
        self.addCleanup(self.reactor.installNameResolver, real)

    async def test_the_server_sees_the_local_address(self):
        attempt = await send(
            self, self.reactor, server="127.0.0.1", port=self.port, local_address=("127.0.0.5",)
        )
        assert verdicts(attempt) == [Verdict.DELIVERED]
        (mail,) = self.provider.mails
        assert mail.peer == "127.0.0.5"
        assert mail.helo == "relay.example.com"
        assert mail.content == CONTENT.replace(b"\r\n..", b"\r\n.")
        assert attempt.session == f"127.0.0.5 to 127.0.0.1 port {self.port}, no TLS"

    async def test_the_server_sees_the_local_address_also_behind_a_name(self):
        self.resolve(**{"mx.example": ("::1", "127.0.0.1")})
        attempt = await send(
            self, self.reactor, server="mx.example", port=self.port, local_address=("127.0.0.6",)
        )
        assert verdicts(attempt) == [Verdict.DELIVERED]
        assert self.provider.mails[0].peer == "127.0.0.6"

    async def test_a_name_without_a_local_address(self):
        self.resolve(**{"mx.example": ("127.0.0.1",)})
        attempt = await send(self, self.reactor, server="mx.example", port=self.port)
        assert verdicts(attempt) == [Verdict.DELIVERED]

    async def test_an_address_that_is_not_on_this_machine_is_never_replaced(self):
        self.resolve(**{"mx.example": ("127.0.0.1",)})
        for server in ("127.0.0.1", "mx.example"):
            attempt = await send(
                self, self.reactor, server=server, port=self.port, local_address=("192.0.2.1",)
            )
            assert str(attempt.fault) == (
                "connect: 4.4.1 local_address 192.0.2.1 cannot be used: "
                "it is not an address of this machine"
            )
        assert self.provider.sessions == 0

    async def test_a_local_address_of_the_other_family_is_never_replaced(self):
        attempt = await send(
            self, self.reactor, server="127.0.0.1", port=self.port, local_address=("::1",)
        )
        assert str(attempt.fault) == (
            "connect: 4.4.1 local_address ::1 cannot be used: 127.0.0.1 is an IPv4 address"
        )
        assert self.provider.sessions == 0

    async def test_a_port_where_nobody_listens(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            attempt = await send(self, self.reactor, server="127.0.0.1", port=port)
        assert str(attempt.fault) == (
            f"connect: 4.4.1 127.0.0.1 port {port} cannot be reached: Connection refused"
        )

    async def test_a_large_mail_arrives_byte_for_byte(self):
        content = CONTENT + b"x" * 998 + b"\r\n" + b"..dot\r\nline\r\n" * 300_000
        attempt = await send(self, self.reactor, content, server="127.0.0.1", port=self.port)
        assert verdicts(attempt) == [Verdict.DELIVERED]
        assert self.provider.mails[0].content == content.replace(b"\r\n..", b"\r\n.")

    async def test_a_login_by_each_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            provider = Provider(self.reactor, users={"sales": "s3cret"}, mechanisms=[mechanism])
            self.addCleanup(provider.stop)
            attempt = await send(
                self, self.reactor, server="127.0.0.1", port=provider.listen(), **login()
            )
            assert verdicts(attempt) == [Verdict.DELIVERED], mechanism
            assert provider.mails[0].username == "sales"

    async def test_a_login_that_is_refused_is_told_in_the_words_of_the_server(self):
        provider = Provider(self.reactor, users={"sales": "other"})
        self.addCleanup(provider.stop)
        attempt = await send(
            self, self.reactor, server="127.0.0.1", port=provider.listen(), **login()
        )
        assert attempt.fault.action is Action.ALARM
        assert attempt.fault.reply.code == 535
        assert provider.mails == []
