"""The relay as one Twisted service: introduces edge, spool, queue and relay to each other.

What `twistd multisendcon` runs, and what another Twisted application embeds.  It imports no
reactor: it is given one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger

from .configuration import Configuration, warnings
from .daemon.event_log import EventLog
from .edge.listening import listen, master_relay
from .errors import SpoolError
from .events import Publisher
from .front import FrontProcess, Port, Setup, setup_of
from .interfaces import ISpool
from .mail.envelope import Envelope
from .queue import QueueService
from .relay import AccountSenderFactory, ConnectionBudget, Trials
from .routing.registry import AccountRegistry
from .spool import SqliteSpool

#: Seconds by which the wall clock differs from the reactor's if somebody has set it.
_SET = 0.1


class RelayService(Service):
    """A whole relay.

    :param configuration: see `multisendcon_plugin.load`.
    :param reactor: listens, connects, is the clock, has threads, and is called from the spool's.
    :param spool: another spool than the one in `configuration.spool.path`.
    :param wall: tells the time that people read, in seconds since the epoch; the reactor's may be
        another one (`make_steady`).
    :param front_process: clients are served by a process of its own, see `front`.
    :ivar events: tells each fact, see `events`.
    """

    log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        *,
        spool: ISpool | None = None,
        wall: Callable[[], float] = time.time,
        front_process: bool = False,
    ) -> None:
        self.setName("multisendcon")
        self.configuration = configuration
        self.registry = AccountRegistry(configuration.accounts, configuration.reports_account)
        self.events = Publisher()
        self._log = EventLog(self.events, reactor)
        self.spool = spool or SqliteSpool(
            configuration.spool.path,
            reactor,
            events=self.events,
            min_free=configuration.spool.min_free,
        )
        budget = ConnectionBudget(configuration.delivery.max_connections, reactor)
        trials = Trials()
        self.queue = QueueService(
            delivery=configuration.delivery,
            ndr=configuration.ndr,
            hostname=configuration.master_relay.hostname,
            registry=self.registry,
            spool=self.spool,
            events=self.events,
            make_relay=lambda account: AccountSenderFactory(account, reactor, budget, trials),
            clock=reactor,
            wall=wall,
        )
        self.factory = master_relay(
            configuration.master_relay,
            configuration.clients,
            self.registry,
            self.queue,
            events=self.events,
            reactor=reactor,
            wall=wall,
        )
        self._reactor = reactor
        self._wall = wall
        self._ports: list[Any] = []
        self._front: FrontProcess | None = None
        if front_process:
            self._front = FrontProcess(self.queue, self.events, self._setup, reactor)

    @property
    def addresses(self) -> list[IAddress]:
        """Where the relay listens."""
        return [port.getHost() for port in self._ports]

    def privilegedStartService(self) -> None:
        """Begin to listen; clients are served when the service has started.

        :raise ListenError: it cannot listen where the configuration says.
        """
        super().privilegedStartService()
        # While files can be read that only root may read.
        for warning in warnings(self.configuration, self._wall()):
            self.log.warn("{warning}", warning=warning)
        for description in self.configuration.master_relay.listen:
            port: Any = listen(description, self.factory, self._reactor)
            if self._front:
                # Clients wait until the front process accepts them.
                port.stopReading()
            self._ports.append(port)

    def startService(self) -> None:
        """Open the spool and go on with what waits in it.

        :raise SpoolError: the spool cannot be used.
        """
        self.spool.open()
        super().startService()
        self.queue.startService()
        if self._front:
            self._front.start([port.fileno() for port in self._ports])

    def _setup(self) -> Setup:
        descriptions = self.configuration.master_relay.listen
        ports = (
            Port(description, port.addressFamily)
            for description, port in zip(descriptions, self._ports, strict=True)
        )
        return setup_of(self.configuration, tuple(ports), self.spool.last)

    def stopService(self) -> Deferred[Any]:
        """Take nothing more, let what is on its way finish, close the spool."""
        was_running = bool(self.running)
        super().stopService()
        return Deferred.fromCoroutine(self._stop(was_running=was_running))

    async def _stop(self, *, was_running: bool) -> None:
        ports, self._ports = self._ports, []
        await DeferredList([maybeDeferred(port.stopListening) for port in ports])
        front = [self._front.stop()] if self._front else []
        await DeferredList([*front, self.factory.stop(), self.queue.stopService()])
        if was_running:
            was_set = abs(self._wall() - self._reactor.seconds()) > _SET
            await self.spool.close(clean=not was_set)
        self._log.finish()

    def submit(self, envelope: Envelope, content: bytes) -> Deferred[str]:
        """Take over a mail without SMTP; it goes the same way as one that came by SMTP.

        :param content: a message (RFC 5322) with CRLF or LF line ends, not dot-stuffed.
        :return: its queue id, once it would survive a power cut.  Fails with `AddressError`,
            `ContentError`, `ReplyError` (what an SMTP client would have been told) or
            `SpoolError`; then nothing was taken.
        """
        if not self.running:
            return fail(SpoolError("the relay is not running"))
        return self.factory.submit(envelope, content)
