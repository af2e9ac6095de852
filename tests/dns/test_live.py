"""The resolver with the real reactor, in real time, and servers of Twisted."""

from __future__ import annotations

import dns.message
import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.logger import eventAsText, globalLogPublisher
from twisted.protocols.basic import Int16StringReceiver
from twisted.trial.unittest import TestCase

from multisendcon_plugin.dns import DnsError, Kind, Mx
from multisendcon_plugin.dns.resolver import Resolver
from multisendcon_plugin.settings.dns import DnsSettings, NameServer
from tests.dns.network import Zones
from tests.dns.test_exchange import truncated
from tests.interop.programs import free_port

ZONES = Zones(
    {
        "mail.example": {"A": ["192.0.2.1"]},
        "large.example": {"MX": [Mx(n, f"a-long-name-{n}.example") for n in range(400)]},
    }
)


class ByUdp(DatagramProtocol):
    noisy = False

    def datagramReceived(self, datagram, addr):
        query = dns.message.from_wire(datagram)
        reply = ZONES(query).to_wire(max_size=65535)
        if len(reply) > 1232:
            reply = truncated(query).to_wire()
        self.transport.write(reply, addr)


class ByTcp(Int16StringReceiver):
    def stringReceived(self, string):
        self.sendString(ZONES(dns.message.from_wire(string)).to_wire(max_size=65535))


class Live(TestCase):
    timeout = 60

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor

    def serve(self, host):
        factory = Factory.forProtocol(ByTcp)
        factory.noisy = False
        streams = self.reactor.listenTCP(0, factory, interface=host)
        self.addCleanup(streams.stopListening)
        port = streams.getHost().port
        datagrams = self.reactor.listenUDP(port, ByUdp(), interface=host)
        self.addCleanup(datagrams.stopListening)
        return NameServer(host, port)

    def resolver(self, *servers):
        names = Resolver(self.reactor, DnsSettings(servers=servers))
        self.addCleanup(names.stop)
        return names

    async def answers(self, host):
        names = self.resolver(self.serve(host))
        lines = []

        def listen(event):
            lines.append(eventAsText(event))

        globalLogPublisher.addObserver(listen)
        self.addCleanup(globalLogPublisher.removeObserver, listen)
        asked = [names.query(f"n{n}.mail.example", "A") for n in range(500)]
        small, large = names.query("mail.example", "A"), names.query("large.example", "MX")
        assert (await small).records == ("192.0.2.1",)
        assert len((await large).records) == 100
        assert {each.kind for each in await gatherResults(asked)} == {Kind.NO_NAME}
        assert lines == []

    async def test_answers(self):
        await self.answers("127.0.0.1")

    async def test_answers_over_ipv6(self):
        await self.answers("::1")

    async def test_the_next_server_where_nobody_listens(self):
        nobody = NameServer("127.0.0.1", free_port("127.0.0.1"))
        names = self.resolver(nobody, self.serve("127.0.0.1"))
        begun = self.reactor.seconds()
        assert (await names.query("mail.example", "A")).records == ("192.0.2.1",)
        # Without a wait: what the system has been told is heard at once.
        assert names._servers.in_order(begun)[0] != nobody

    async def test_nobody_listens_anywhere(self):
        names = self.resolver(NameServer("127.0.0.1", free_port("127.0.0.1")))
        with pytest.raises(DnsError, match="refuses: no DNS server listens there"):
            await names.query("mail.example", "A")

    async def test_the_end(self):
        silent = self.reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1")
        self.addCleanup(silent.stopListening)
        names = self.resolver(NameServer("127.0.0.1", silent.getHost().port))
        asked = names.query("mail.example", "A")
        names.stop()
        with pytest.raises(DnsError, match="the relay is stopping"):
            await asked
