"""Two ends of a channel in memory, and both sides of the intake joined by one."""

from __future__ import annotations

from functools import partial

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from multisendcon_plugin.events import Publisher
from multisendcon_plugin.front.channel import Channel, FrameType
from multisendcon_plugin.front.frames import read_committed
from multisendcon_plugin.front.intake import FrontIntake
from multisendcon_plugin.front.server import IntakeServer
from multisendcon_plugin.spool.numbering import Numbers

#: Octets that the system holds for the other process, until the test lets it read.
HIGH_WATER = 64 * 1024


class NoClock:
    """A clock for those who only want to wait until the reactor's turn is over: it is."""

    def callLater(self, delay, function):  # noqa: N802
        assert delay == 0
        function()


class Transport:
    """One end of a pair of sockets.

    :ivar written: what the other end has not read yet.
    :ivar reading: the protocol takes what comes.
    :ivar error: with what the protocol has ended the connection.
    """

    def __init__(self, protocol):
        self.protocol = protocol
        self.peer = None
        self.written = bytearray()
        self.reading = True
        self.connected = True
        self.closing = False
        self.producer = None
        self.error = None
        protocol.makeConnection(self)

    def registerProducer(self, producer, streaming):  # noqa: N802
        assert streaming
        self.producer = producer

    def unregisterProducer(self):  # noqa: N802
        self.producer = None

    def write(self, octets):
        if not self.connected:
            return  # as a reactor's transport does
        before = len(self.written)
        self.written += octets
        if before <= HIGH_WATER < len(self.written):
            self.producer.pauseProducing()

    def pauseProducing(self):
        self.reading = False

    def resumeProducing(self):
        self.reading = True

    def loseConnection(self):
        self.closing = True

    def receive(self, octets):
        """Hand octets to the protocol; an exception ends the connection."""
        try:
            self.protocol.dataReceived(octets)
        except Exception as error:
            self.error = error
            self.cut(ConnectionLost())

    def cut(self, why=None):
        """End the connection, and let both ends know."""
        for each in (self, self.peer):
            if each is not None and each.connected:
                each.connected = False
                each.protocol.connectionLost(Failure(why or ConnectionDone()))

    def pump(self, most=None):
        """Let the other end read; tell whether there was anything."""
        if not (self.connected and self.peer.reading and self.written):
            return False
        full = len(self.written) > HIGH_WATER
        octets = bytes(self.written[:most])
        del self.written[:most]
        self.peer.receive(octets)
        if full and self.connected and len(self.written) <= HIGH_WATER:
            self.producer.resumeProducing()
        return True


class Pair:
    """Two protocols with a connection between them."""

    def __init__(self, first, second):
        self.ends = first, second = Transport(first), Transport(second)
        first.peer, second.peer = second, first

    def flush(self, most=None):
        """Let both ends read until nothing is on its way that anybody reads.

        :param most: octets that are read at once.
        """
        moved = [True]
        while any(moved):
            moved = [end.pump(most) for end in self.ends]
        for end in self.ends:
            if end.closing and end.connected and not end.written:
                end.cut()

    def cut(self):
        self.ends[0].cut(ConnectionLost())


def frames():
    """Return a channel, and the list of the frames that it gets."""
    got = []
    lost = []
    channel = Channel(lambda: lost.append(True), NoClock())
    for kind in FrameType:
        channel.take(kind, partial(_note, got, kind))
    return channel, got, lost


def _note(got, kind, number, octets):
    got.append((kind, number, octets))


class FrontWorld:
    """A front process' intake in front of another intake, in one process.

    :param intake: where messages are handed over.
    :param clock: of both.
    :ivar answers: kind and number of what came back.
    """

    def __init__(self, intake, clock):
        self.ready = []
        self.server = IntakeServer(intake, Publisher(), lambda: self.ready.append(True), NoClock())
        self.channel = Channel(self._lost, NoClock())
        self.numbers = Numbers(clock.seconds, 1)
        self.intake = FrontIntake(self.channel, self.numbers, clock.seconds)
        self.answers = []
        for kind in (FrameType.COMMITTED, FrameType.FAILED):
            self.channel.take(kind, partial(self._answered, kind, self.channel.takers[kind]))
        self.pair = Pair(self.channel, self.server.channel)

    @property
    def here(self):
        """The end in the front process."""
        return self.pair.ends[0]

    @property
    def there(self):
        """The end at the server."""
        return self.pair.ends[1]

    def flush(self, most=None):
        self.pair.flush(most)

    def cut(self):
        self.pair.cut()

    def _answered(self, kind, take, number, octets):
        numbers = [number] if kind is FrameType.FAILED else read_committed(octets)
        self.answers += [(kind, each) for each in numbers]
        take(number, octets)

    # As `Front` does.

    def _lost(self):
        self.intake.lost()
