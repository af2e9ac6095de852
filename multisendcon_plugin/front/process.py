"""Starts, watches and stops the front process, in the process that has the spool.

If it ends by itself, it is started again: the ports are open all the time, and clients wait.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..daemon.signals import kept_from_children
from ..events import FrontProcessEnded, FrontProcessStarted, Publisher
from ..interfaces import IBatchIntake
from .channel import FrameType
from .ports import hand_over
from .server import IntakeServer
from .setup import Setup, setup_octets

#: File descriptors of the front process: the channel, and where ports are handed over.
CHANNEL = 3
PORTS = 4

#: Variables that it gets, where they are set: what Python, the C library and OpenSSL need to run as
#: they do here, and to tell the time.  Others may be passwords: ``{ env = "..." }``.
ENVIRONMENT = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TZDIR",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    "PYTHONHOME",
    "PYTHONUTF8",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
)

#: Seconds after which it is started again when it has ended, at first.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
#: Seconds that it may take to end.
STOPS_WITHIN = 20.0


class FrontProcess(ProcessProtocol):
    """A front process, and the next ones when it ends.

    :param events: is told of clients, and of the process.
    :param reactor: starts it, and is the clock.
    """

    log = Logger()
    transport: Any

    def __init__(self, intake: IBatchIntake, events: Publisher, reactor: Any) -> None:
        self._intake = intake
        self._events = events
        self._reactor = reactor
        self._pause = FIRST_PAUSE
        self._again: IDelayedCall | None = None
        self._running = False
        self._has_served = False
        self._ready: Deferred[None] | None = None
        self._stopped: Deferred[None] | None = None

    def tell(self, setup: Setup, ports: Sequence[int]) -> Deferred[None]:
        """Let it serve clients like this from now on; start it if it does not run.

        :param ports: file descriptors of the ports of `setup`, which stay open.
        :return: fires when clients are served so.
        """
        self._setup, self._ports = setup, ports
        ready = self._ready = Deferred()
        if self._running:
            self._tell()
        elif self._again is not None:
            self._again.reset(0)
        else:
            self._start()
        return ready

    def _tell(self) -> None:
        # They are there before the frame is that names them.
        try:
            hand_over(self._handing_over, self._ports)
        except OSError as error:
            self.log.error("the front process takes no ports: {error}", error=str(error))
            self.transport.signalProcess("KILL")  # the next one is told the same
            return
        self._unanswered += 1
        self._server.channel.send(FrameType.SETUP, octets=setup_octets(self._setup))

    def _start(self) -> None:
        self._again = None
        try:
            self._connect()
        except OSError as error:
            self._start_again(f"cannot be started: {error}")
        else:
            self._tell()

    def _connect(self) -> None:
        here, there = socket.socketpair()
        self._handing_over, taking_over = socket.socketpair()
        with here, there, taking_over:
            here.setblocking(False)
            there.setblocking(False)
            self._server = IntakeServer(self._intake, self._events, self._serves, self._reactor)
            channel = Factory.forProtocol(lambda: self._server.channel)
            channel.noisy = False
            self._reactor.adoptStreamConnection(here.fileno(), socket.AF_UNIX, channel)
            try:
                self._spawn(there.fileno(), taking_over.fileno())
            except OSError:
                self._handing_over.close()
                raise

    def _spawn(self, channel: int, ports: int) -> None:
        descriptors: dict[int, str | int] = {0: "w", 1: "r", 2: "r", CHANNEL: channel, PORTS: ports}
        # It finds its modules where this process has found them, and nowhere else.
        paths = os.pathsep.join(map(os.path.abspath, sys.path))
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        with kept_from_children():
            self._reactor.spawnProcess(
                self,
                sys.executable,
                [sys.executable, "-P", "-m", __package__],
                env=environment | {"PYTHONPATH": paths},
                childFDs=descriptors,
            )
        self._running = True
        self._has_served = False
        self._unanswered = 0

    def _serves(self) -> None:
        self._pause = FIRST_PAUSE
        if not self._has_served:
            self._has_served = True
            self._events.publish(FrontProcessStarted())
        self._unanswered -= 1
        if not self._unanswered:
            self._tell_ready()

    def _tell_ready(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            ready.callback(None)

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: ARG002
        """What it says there, it says because it has no log yet."""
        for line in data.decode(errors="replace").splitlines():
            self.log.error("front process: {text}", text=line)

    def processEnded(self, reason: Failure) -> None:
        self._running = False
        self._handing_over.close()
        if self._stopped is not None:
            if self._last_words.active():
                self._last_words.cancel()
            self._stopped.callback(None)
            return
        self._start_again(f"ended unexpectedly: {reason.getErrorMessage()}")

    def _start_again(self, why: str) -> None:
        self._events.publish(FrontProcessEnded(why, self._pause))
        self._again = self._reactor.callLater(self._pause, self._start)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def stop(self) -> Deferred[None]:
        """Have it end its sessions, and then itself.

        :return: fires when it has ended.
        """
        stopped: Deferred[None] = Deferred()
        self._stopped = stopped
        if self._again is not None:
            self._again.cancel()
        self._tell_ready()
        if self._running:
            self._server.channel.send(FrameType.STOP)
            self._last_words = self._reactor.callLater(STOPS_WITHIN, self._kill)
        else:
            stopped.callback(None)
        return stopped

    def _kill(self) -> None:
        self.log.error("the front process did not exit in time; killing it")
        self.transport.signalProcess("KILL")
