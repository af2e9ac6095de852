"""A direct account in a DNS and a network that the tests write."""

from __future__ import annotations

import random
from collections import Counter

import attrs
from twisted.internet.error import ConnectionRefusedError  # noqa: A004

from multisendcon_plugin.dns import Mx
from multisendcon_plugin.events import Publisher, TlsPolicyApplied
from multisendcon_plugin.logins import Logins
from multisendcon_plugin.relay.direct import MailServers, Ourselves, Routes
from multisendcon_plugin.relay.relays import Relays
from multisendcon_plugin.routing.account import Account, AccountType
from multisendcon_plugin.settings.destinations import Destinations
from multisendcon_plugin.testing import FakeNames, FakePolicies
from tests.relays import CONTENT, Content, Network, Server, delivery

REFUSED = ConnectionRefusedError(111, "Connection refused")


class MailWorld(Network):
    """A network in which an address has its server, each time a new one.

    :ivar at: what makes a server, or is the error of a connection, by address.
    :ivar sessions: the servers that were connected, with their addresses.
    """

    def __init__(self):
        super().__init__()
        self.at = {}
        self.sessions = []

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):  # noqa: N802, N803
        made = self.at.get(host, REFUSED)
        server = made() if callable(made) else made
        self.servers = [server]
        if isinstance(server, Server):
            self.sessions.append((host, server))
        return super().connectTCP(host, port, factory, timeout, bindAddress)


def mx(*hosts):
    """Return the MX records of hosts, each with the next preference."""
    return [Mx(10 * n, host) for n, host in enumerate(hosts, 1)]


class Mailing:
    """A direct account, the DNS and the servers of the world.

    :param zones: of the DNS; those of hosts with a server are added.
    """

    def __init__(self, *, zones=None, ours=None, allow_private=True, destinations=(), **account):
        self.network = MailWorld()
        self.names = FakeNames(zones=dict(zones or {}), clock=self.network)
        self.policies = FakePolicies()
        self.ours = ours or Ourselves(names=frozenset({"relay.example.com"}))
        self.events = Publisher()
        self.told = []
        self.events.subscribe(TlsPolicyApplied, self.told.append)
        chance = random.Random(20)
        servers = MailServers(
            routes=Routes(self.names, lambda: self.ours, lambda: allow_private, chance.shuffle),
            policies=self.policies,
            destinations=lambda: Destinations(destinations),
            events=self.events,
            jitter=lambda: 0.0,
        )
        self.relays = Relays(self.network, 50, Logins(self.network).of, servers=lambda: servers)
        settings = {"helo_domain": "relay.example.com", "max_connections": 20, **account}
        self.account = Account(name="Direct", type=AccountType.DIRECT, **settings)
        self.relay = self.relays.of(self.account)
        self.contents = []

    def host(self, name, *addresses, server=Server):
        """Let there be a host, with the same kind of server at each address."""
        types = {"A": [a for a in addresses if ":" not in a]}
        types["AAAA"] = [a for a in addresses if ":" in a]
        self.names.zones[name] = types
        for address in addresses:
            self.network.at[address] = server

    def domain(self, name, *hosts):
        """Let a domain have mail servers."""
        self.names.zones[name] = {"MX": mx(*hosts)}

    def begin(self, destination="b.example", content=CONTENT, **more):
        """Begin an attempt; return where its `Attempt` arrives."""
        more.setdefault("recipients", (f"r@{destination}",))
        number = more.pop("number", 1)
        mail = attrs.evolve(
            delivery(content, **more), account="Direct", destination=destination, number=number
        )

        def open_content():
            self.contents.append(Content([content]))
            return self.contents[-1]

        results = []
        self.relay.attempt(mail, open_content).addBoth(results.append)
        self.network.flush()
        return results

    def send(self, destination="b.example", **more):
        """Make an attempt and return it; it must not need time."""
        [attempt] = self.begin(destination, **more)
        assert hasattr(attempt, "outcomes"), attempt.getTraceback()
        assert all(content.closed for content in self.contents)
        return attempt

    @property
    def tried(self):
        """The addresses that were connected, in order."""
        return [host for host, *_ in self.network.tcpClients]

    def forget(self):
        """Forget what was connected so far."""
        self.network.tcpClients.clear()
        self.network.sessions.clear()

    def end(self):
        """Let all end; nothing may be left."""
        self.relay.stop(5)
        self.network.advance(10)
        assert not self.network.getDelayedCalls()

    def counted(self):
        """Return how often each address was connected."""
        return Counter(self.tried)


def said(attempt):
    """Return what an attempt says of its one recipient: verdict, phase, reply."""
    [outcome] = attempt.outcomes
    return outcome.verdict.value, outcome.phase.value, str(outcome.reply)
