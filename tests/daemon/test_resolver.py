"""Names that take long to look up, and those who wait for others."""

from __future__ import annotations

import socket
from threading import Event, Lock

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IResolutionReceiver
from twisted.internet.selectreactor import SelectReactor
from zope.interface import implementer
from zope.interface.verify import verifyObject

from multisendcon_plugin import install_resolver
from multisendcon_plugin.daemon.resolver import SystemResolver
from tests.reactors import QueueReactor

V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 7))


class Dns:
    """A resolver of the system, whose servers are silent about some names until it is let go."""

    def __init__(self, answers=(V4,), silent=()):
        self.answers = answers
        self.silent = silent
        self.asked = []
        self.speak = Event()
        self.lock = Lock()

    def getaddrinfo(self, name, port, family, kind):
        with self.lock:
            self.asked.append((name, family))
        if name in self.silent:
            assert self.speak.wait(60)
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers


@implementer(IResolutionReceiver)
class Receiver:
    def __init__(self):
        self.found = []
        self.complete = Deferred()

    def resolutionBegan(self, resolution):  # noqa: N802
        self.resolution = resolution

    def addressResolved(self, address):  # noqa: N802
        self.found.append(address)

    def resolutionComplete(self):  # noqa: N802
        self.complete.callback(self.found)


class World:
    def __init__(self, *args, **more):
        self.dns = Dns(*args, **more)
        self.reactor = QueueReactor()
        self.resolver = SystemResolver(self.reactor, self.dns.getaddrinfo)

    def look_up(self, name, port=25, kinds=None):
        receiver = Receiver()
        self.resolver.resolveHostName(receiver, name, port, kinds)
        assert receiver.resolution.name == name
        return receiver.complete

    def wait(self, *look_ups):
        return [self.reactor.wait(each) for each in look_ups]


def test_names_that_take_long_keep_no_other_waiting():
    silent = [f"silent{number}.example" for number in range(60)]
    world = World(silent=silent)
    slow = [world.look_up(name) for name in silent]
    assert world.wait(world.look_up("mx.example")) == [[IPv4Address("TCP", "192.0.2.1", 25)]]
    assert not any(each.called for each in slow)
    world.dns.speak.set()
    assert all(world.wait(*slow))


def test_a_name_is_looked_up_once_at_a_time():
    world = World(silent=["mx.example"])
    waiting = [
        world.look_up(name, port) for name in ("mx.example", "MX.example") for port in (25, 587)
    ]
    world.wait(world.look_up("other.example"))
    world.dns.speak.set()
    assert [found[0].port for found in world.wait(*waiting)] == [25, 587, 25, 587]
    assert [name for name, _ in world.dns.asked] == ["mx.example", "other.example"]
    world.wait(world.look_up("mx.example"))  # the answer is for those who have waited only
    assert len(world.dns.asked) == 3


@pytest.mark.parametrize(
    ("kinds", "family"),
    [
        (None, socket.AF_UNSPEC),
        ([IPv4Address, IPv6Address], socket.AF_UNSPEC),
        ([IPv4Address], socket.AF_INET),
        ([IPv6Address], socket.AF_INET6),
    ],
)
def test_only_the_families_that_are_wanted_are_asked_for(kinds, family):
    world = World()
    world.wait(world.look_up("mx.example", 25, kinds))
    assert world.dns.asked == [("mx.example", family)]


def test_addresses_are_in_the_order_of_the_system():
    world = World(answers=[V6, V4])
    assert world.wait(world.look_up("mx.example", 465)) == [
        [IPv6Address("TCP", "2001:db8::1", 465, 0, 7), IPv4Address("TCP", "192.0.2.1", 465)]
    ]


@pytest.mark.parametrize(
    "error",
    [
        socket.gaierror(socket.EAI_NONAME, "unknown"),
        socket.gaierror(socket.EAI_AGAIN, "try again"),
        OSError("no descriptors"),
        UnicodeError("label too long"),
    ],
)
def test_a_name_that_cannot_be_found_has_no_addresses(error):
    world = World(answers=error)
    assert world.wait(world.look_up("mx.example")) == [[]]
    world.dns.answers = [V4]
    assert world.wait(world.look_up("mx.example")) != [[]]


def test_a_reactor_uses_it_where_it_is_installed():
    reactor = SelectReactor()
    install_resolver(reactor)
    assert isinstance(reactor.nameResolver, SystemResolver)
    receiver = Receiver()
    receiver.complete.addCallback(lambda _: reactor.stop())
    reactor.callWhenRunning(reactor.nameResolver.resolveHostName, receiver, "127.0.0.1", 25)
    reactor.run(installSignalHandlers=False)
    assert receiver.found == [IPv4Address("TCP", "127.0.0.1", 25)]
    verifyObject(IResolutionReceiver, receiver)
