"""For tests of the relay: evil providers at the end of a network in memory."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost

from multisendcon_plugin.testing import EvilProvider
from tests.relays import Network, Way

ADDRESS = "192.0.2.1"


class ServerEnd:
    """The server's end of a `Wire`: what the server's protocol has for a transport."""

    def __init__(self, provider):
        self.protocol = provider.buildProtocol(None)
        self.stalled = False
        self.answers = {"HANDSHAKE": "not begun"}

    # What the wire calls.

    def connected(self, wire):
        self.wire = wire
        self.protocol.makeConnection(self)

    def received(self, octets):
        self.protocol.dataReceived(octets)

    def disconnected(self):
        self.protocol.connectionLost()

    # What the protocol calls.

    def write(self, octets):
        self.wire.to_client(octets)

    def startTLS(self, context):  # noqa: N802
        self.answers = {}

    def pauseProducing(self):
        self.stalled = True

    def loseConnection(self):
        self.wire.network.callLater(0, self.wire.end, ConnectionDone())

    def abortConnection(self):
        self.wire.network.callLater(0, self.wire.end, ConnectionLost())

    def getPeer(self):  # noqa: N802
        return IPv4Address("TCP", "192.0.2.10", 40000)

    def getHandle(self):  # noqa: N802
        return self.wire.getHandle()


class EvilNetwork(Network):
    """Connects each client with the evil provider of that address.

    :ivar providers: by address.
    """

    def __init__(self):
        super().__init__()
        self.providers = {}

    def provide(self, script=None, *, address=ADDRESS, **settings):
        """Start a provider."""
        self.providers[address] = EvilProvider(self, script, **settings)
        return self.providers[address]

    def connectTCP(self, host, *args, **more):  # noqa: N802
        self.servers = [ServerEnd(self.providers[host])]
        return super().connectTCP(host, *args, **more)


class EvilWay(Way):
    """An account, and the evil provider at its end.

    :param offers: see `EvilProvider`.
    :ivar provider: STARTTLS is on offer; in memory there is nothing behind it.
    """

    def __init__(self, script=None, *, offers=(), **account):
        network = EvilNetwork()
        self.provider = network.provide(script, tls="fake", offers=offers)
        super().__init__(network=network, **{"server": ADDRESS, **account})
