"""What runs in the front process: listens on the ports that it is given, and serves clients.

It ends when it is told to, or when the process that owns the spool is gone.  Its log is that
process's: each event goes there.
"""

from __future__ import annotations

import os
import socket
import time
from random import randrange
from typing import Any

from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger, globalLogBeginner

from ..daemon.clock import make_steady
from ..daemon.descriptors import allow, needed_for_clients
from ..daemon.dispatch import dispatch_directly
from ..edge import RelayESMTPFactory
from ..edge.delivery import Routing, TransactionPolicy
from ..edge.listening import endpoint, listener, master_relay
from ..errors import MultisendconError
from ..events import Publisher
from ..settings.endpoints import parse_endpoint
from ..spool.numbering import WRITERS, Numbers
from .channel import Channel, FrameType
from .events import Events
from .intake import FrontIntake
from .ports import OpenPort, take_over
from .process import CHANNEL, PORTS
from .setup import Port, Setup, read_setup


def run(reactor: Any) -> None:
    """Be the front process, until it ends."""
    make_steady(reactor)
    dispatch_directly(reactor)
    front = Front(reactor, socket.socket(fileno=PORTS))
    channel = Factory.forProtocol(lambda: front.channel)
    channel.noisy = False
    reactor.adoptStreamConnection(CHANNEL, socket.AF_UNIX, channel)
    os.close(CHANNEL)
    # With what was said before.
    globalLogBeginner.beginLoggingTo([front.told], redirectStandardIO=False)
    reactor.run(installSignalHandlers=False)


class Front:
    """The listening server, apart from the rest of the relay.

    :param ports: where ports are handed over.
    :ivar channel: this process's end, to be connected.
    :ivar told: hands over what is logged.
    """

    log = Logger()

    def __init__(self, reactor: Any, ports: socket.socket) -> None:
        self.channel = Channel(self._lost, reactor)
        self.channel.take(FrameType.SETUP, lambda _number, octets: self._set_up(octets))
        self.channel.take(FrameType.STOP, lambda _number, _octets: self._stop())
        numbers = Numbers(time.time, randrange(WRITERS))
        self._intake = FrontIntake(self.channel, numbers, reactor.seconds)
        self.told = Events(self.channel, reactor)
        self._events = Publisher()
        self.told.subscribe_to(self._events)
        self._reactor = reactor
        self._handed_over = ports
        self._sessions: RelayESMTPFactory | None = None
        self._ports: list[IListeningPort] = []

    def _set_up(self, octets: bytes) -> None:
        try:
            self._serve(read_setup(octets))
        except MultisendconError as error:
            self.log.critical("clients cannot be served: {error}", error=str(error))
            self.channel.close()
        except Exception:
            self.log.failure("internal error at the start of the front process (a bug)")
            self.channel.close()

    def _serve(self, setup: Setup) -> None:
        """Serve clients as a setup says, at first or from now on; sessions go on as they began."""
        # What it has inherited was for the connections of its start.
        allow(needed_for_clients(setup.master_relay))
        policy = TransactionPolicy(
            setup.master_relay, Routing(setup.registry), self._intake, time.time
        )
        if self._sessions is None:
            self._sessions = master_relay(policy, setup.clients, self._events, self._reactor)
        else:
            self._sessions.use(self._sessions.prepared(policy, setup.clients))
        before, self._ports = self._ports, []
        handed_over = take_over(self._handed_over, len(setup.ports))
        for port, descriptor in zip(setup.ports, handed_over, strict=True):
            self._listen(port, descriptor, self._sessions)
        # Now others take the clients of those that are there still: not one is refused.
        for each in before:
            each.stopListening()
        self.channel.send(FrameType.READY)

    def _listen(self, port: Port, descriptor: int, sessions: RelayESMTPFactory) -> None:
        opened = OpenPort(self._reactor, descriptor, port.family)
        take = listener(port.description, sessions, self._reactor)
        if parse_endpoint(port.description).secure:
            # Twisted knows how to read the rest of the string.
            listening = endpoint(port.description, opened).listen(take)
            listening.addCallback(self._ports.append)
        else:
            self._ports.append(opened.listen(take))
        os.close(descriptor)

    def _stop(self) -> None:
        stopped = DeferredList([maybeDeferred(port.stopListening) for port in self._ports])
        stopped.addCallback(lambda _: self._sessions and self._sessions.stop())
        stopped.addCallback(lambda _: self.channel.close())

    def _lost(self) -> None:
        self._intake.lost()
        self._reactor.stop()
