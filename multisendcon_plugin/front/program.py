"""What runs in the front process: listens on the ports that it was given, and serves clients.

It ends when it is told to, or when the process that owns the spool is gone.  Its log is that
process's: each event goes there.
"""

from __future__ import annotations

import os
import time
from random import randrange
from socket import AF_UNIX
from typing import Any

from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger, globalLogBeginner

from ..daemon.clock import make_steady
from ..daemon.dispatch import dispatch_directly
from ..edge.delivery import TransactionPolicy
from ..edge.listening import endpoint, listener, master_relay
from ..errors import MultisendconError
from ..events import Publisher
from ..settings.endpoints import parse_endpoint
from ..spool.numbering import WRITERS, Numbers
from .channel import Channel, FrameType
from .events import Events
from .intake import FrontIntake
from .ports import OpenPort
from .process import CHANNEL, FIRST_PORT
from .setup import Port, Setup, read_setup


def run(reactor: Any) -> None:
    """Be the front process, until it ends."""
    make_steady(reactor)
    dispatch_directly(reactor)
    front = Front(reactor)
    channel = Factory.forProtocol(lambda: front.channel)
    channel.noisy = False
    reactor.adoptStreamConnection(CHANNEL, AF_UNIX, channel)
    os.close(CHANNEL)
    # With what was said before.
    globalLogBeginner.beginLoggingTo([front.told], redirectStandardIO=False)
    reactor.run(installSignalHandlers=False)


class Front:
    """The listening server, apart from the rest of the relay.

    :ivar channel: this process's end, to be connected.
    :ivar told: hands over what is logged.
    """

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self.channel = Channel(self._lost, reactor)
        self.channel.take(FrameType.SETUP, lambda _number, octets: self._set_up(octets))
        self.channel.take(FrameType.STOP, lambda _number, _octets: self._stop())
        numbers = Numbers(time.time, randrange(WRITERS))
        self._intake = FrontIntake(self.channel, numbers, reactor.seconds)
        self.told = Events(self.channel, reactor)
        self._events = Publisher()
        self.told.subscribe_to(self._events)
        self._reactor = reactor
        self._ports: list[IListeningPort] = []

    def _set_up(self, octets: bytes) -> None:
        try:
            self._start(read_setup(octets))
        except MultisendconError as error:
            self.log.critical("clients cannot be served: {error}", error=str(error))
            self.channel.close()
        except Exception:
            self.log.failure("internal error at the start of the front process (a bug)")
            self.channel.close()

    def _start(self, setup: Setup) -> None:
        policy = TransactionPolicy(setup.master_relay, setup.registry, self._intake, time.time)
        self._sessions = master_relay(policy, setup.clients, self._events, self._reactor)
        for descriptor, port in enumerate(setup.ports, FIRST_PORT):
            self._listen(port, descriptor)
            os.close(descriptor)
        self.channel.send(FrameType.READY)

    def _listen(self, port: Port, descriptor: int) -> None:
        opened = OpenPort(self._reactor, descriptor, port.family)
        sessions = listener(port.description, self._sessions, self._reactor)
        if parse_endpoint(port.description).secure:
            # Twisted knows how to read the rest of the string.
            listening = endpoint(port.description, opened).listen(sessions)
            listening.addCallback(self._ports.append)
        else:
            self._ports.append(opened.listen(sessions))

    def _stop(self) -> None:
        stopped = DeferredList([maybeDeferred(port.stopListening) for port in self._ports])
        stopped.addCallback(lambda _: self._sessions.stop())
        stopped.addCallback(lambda _: self.channel.close())

    def _lost(self) -> None:
        self._intake.lost()
        self._reactor.stop()
