"""The relay as one Twisted service: connects edge, spool, queue and relays.

What `twistd multisendcon` runs, and what another Twisted application embeds.  It imports no
reactor: it is given one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger

from .archive import Archive
from .configuration import Configuration, warnings
from .daemon.event_log import EventLog
from .edge.delivery import TransactionPolicy
from .edge.listening import master_relay
from .edge.service import EdgeService
from .edge.submission import submit
from .errors import SpoolError
from .events import Publisher
from .front import FrontService
from .interfaces import IQueueControl, ISpool
from .mail.envelope import Envelope
from .operations import Operations
from .operations.standing import Standing
from .queue import QueueService
from .relay import AccountSenderFactory, ConnectionBudget, Trials
from .routing.registry import AccountRegistry
from .spool import SqliteSpool
from .web import ControlService
from .web.root import make_root

#: Seconds by which the wall clock differs from the reactor's if somebody has set it.
_SET = 0.1


class RelayService(MultiService):
    """A whole relay.  Its start raises `SpoolError` when the spool cannot be used.

    :param configuration: see `multisendcon_plugin.load`.
    :param reactor: listens, connects, is the clock, has threads, and is called from the spool's.
    :param spool: another spool than the one in `configuration.spool.path`.
    :param wall: tells the time that people read, in seconds since the epoch; the reactor's may be
        another one (`make_steady`).
    :param front_process: clients are served by a process of its own, see `front`.
    :param control: the API is served on the control socket, see `web`.
    :ivar operations: what an admin can ask and do.
    :ivar archive: keeps copies of outgoing mail.
    :ivar events: tells each fact, see `events`.
    :raise ConfigurationError: the certificate cannot be used.
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
        control: bool = False,
    ) -> None:
        super().__init__()
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
        self.archive = Archive(configuration.archive, self.events, reactor, wall)
        budget = ConnectionBudget(configuration.delivery.max_connections, reactor)
        trials = Trials()
        settings = configuration.master_relay
        self.queue = QueueService(
            delivery=configuration.delivery,
            ndr=configuration.ndr,
            hostname=settings.hostname,
            registry=self.registry,
            spool=self.spool,
            claims=self.spool,
            events=self.events,
            make_relay=lambda account: AccountSenderFactory(
                account, reactor, budget, trials, self.archive
            ),
            clock=reactor,
            wall=wall,
        )
        self._policy = TransactionPolicy(settings, self.registry, self.queue, wall)
        self._reactor = reactor
        self._wall = wall
        self.edge = self._front_service() if front_process else self._edge_service()
        self._store = _SpoolService(self.spool, reactor, wall)
        self.operations = Operations(
            version=_version(),
            queue=cast("IQueueControl", self.queue),
            view=self.spool,
            content=self.spool.content,
            registry=lambda: self.registry,
            standing=Standing(self.events, front=front_process),
            clock=reactor,
            wall=wall,
        )
        self._control = ControlService(
            configuration.spool.path, make_root(self.operations, reactor), reactor
        )
        # The order in which they start; `_stop` has the other.
        for part in (
            self._store,
            self.archive,
            self.queue,
            *([self._control] if control else []),
            self.edge,
        ):
            part.setServiceParent(self)

    def _edge_service(self) -> EdgeService:
        clients = self.configuration.clients
        sessions = master_relay(self._policy, clients, self.events, self._reactor)
        return EdgeService(self.configuration.master_relay.listen, sessions, self._reactor)

    def _front_service(self) -> FrontService:
        return FrontService(
            self.configuration,
            self.queue,
            self.events,
            reactor=self._reactor,
            wall=self._wall,
        )

    @property
    def addresses(self) -> list[IAddress]:
        """Where the relay listens."""
        return self.edge.addresses

    def privilegedStartService(self) -> None:
        """Begin to listen; clients are served when the service has started.

        :raise ListenError: it cannot listen where the configuration says.
        """
        # While files can be read that only root may read.
        for warning in warnings(self.configuration, self._wall()):
            self.log.warn("{warning}", warning=warning)
        super().privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        """Take nothing more, let what is on its way finish, close the spool."""
        Service.stopService(self)  # not MultiService's, which stops all parts at once
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await maybeDeferred(self._control.stopService)
        # Together: a client may take ten seconds to hang up, and a mail as long to finish.  What a
        # session still commits meanwhile waits in the spool for the next start.
        await DeferredList([self.edge.stopService(), self.queue.stopService()])
        await maybeDeferred(self.archive.stopService)
        await maybeDeferred(self._store.stopService)
        self._log.finish()

    def submit(self, envelope: Envelope, content: bytes) -> Deferred[str]:
        """Take over a mail without SMTP; it goes the same way as one that came by SMTP.

        :param content: a message (RFC 5322) with CRLF or LF line ends, not dot-stuffed.
        :return: its queue id, once it would survive a power cut.  Fails with `AddressError`,
            `ContentError`, `ReplyError` (what an SMTP client would have been told) or
            `SpoolError`; then nothing was taken.
        """
        if not self.queue.running:
            return fail(SpoolError("the relay is not running"))
        return Deferred.fromCoroutine(submit(self._policy, envelope, content))


def _version() -> str:
    try:
        return version("multisendcon")
    except PackageNotFoundError:  # it runs from where it lies
        return "unknown"


class _SpoolService(Service):
    """The spool, which is open while the relay runs."""

    def __init__(self, spool: ISpool, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._spool = spool
        self._clock = clock
        self._wall = wall

    def startService(self) -> None:
        self._spool.open()
        super().startService()

    def stopService(self) -> Deferred[None] | None:
        if not self.running:
            return None
        super().stopService()
        was_set = abs(self._wall() - self._clock.seconds()) > _SET
        return self._spool.close(clean=not was_set)
