"""The relay as one Twisted service: connects edge, spool, queue and relays.

What `twistd multisendcon` runs, and what another Twisted application embeds.  It imports no
reactor: it is given one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, fail, maybeDeferred
from twisted.internet.interfaces import IAddress
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from ..archive import Archive
from ..configuration import Configuration, ReloadSummary, load, needing_restart, summary, warnings
from ..daemon.clock import since_boot
from ..daemon.event_log import EventLog
from ..dns import Names
from ..edge.delivery import Routing, TransactionPolicy
from ..edge.listening import master_relay
from ..edge.service import EdgeService
from ..edge.submission import submit
from ..errors import ConfigurationError, ListenError, SpoolError
from ..events import ConfigurationChanged, Publisher
from ..front import FrontService
from ..history import History
from ..interfaces import ISpool
from ..logins import Logins
from ..mail.envelope import Envelope
from ..monitoring import Monitoring
from ..operations import Operations
from ..operations.account_tests import AccountTests
from ..operations.explained import Explanation
from ..operations.explanation import explain
from ..operations.standing import Standing
from ..operations.values import Question
from ..operations.version import own_version
from ..queue import QueueService
from ..relay import Relays
from ..routing.registry import AccountRegistry
from ..spool import SqliteSpool
from ..spool.service import SpoolService
from ..web import ControlService
from ..web.root import make_root
from .configured import Configured
from .direct import DirectDelivery
from .kept_history import KeptHistory
from .own_file import OwnFile
from .page import web_server
from .prepared import Prepared

T = TypeVar("T")


class RelayService(MultiService):
    """A whole relay.  Its start raises `SpoolError` when the spool cannot be used.

    :param configuration: see `multisendcon_plugin.load`.
    :param reactor: listens, connects, is the clock, has threads, and is called from the spool's.
    :param spool: another spool than the one in `configuration.spool.path`.
    :param names: answers questions to the DNS for direct accounts, in the place of `[dns]`.
    :param wall: tells the time that people read, in seconds since the epoch; the reactor's may be
        another one (`make_steady`).
    :param front_process: clients are served by a process of its own, see `front`.
    :param control: the API is served on the control socket, see `web`.
    :ivar operations: what an admin can ask and do.
    :ivar logins: what accounts log in with.
    :ivar archive: keeps copies of outgoing mail.
    :ivar events: tells each fact, see `events`.
    :ivar monitoring: counters, alarms, health, metrics.
    :raise ConfigurationError: the certificate cannot be used.
    """

    log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        *,
        spool: ISpool | None = None,
        names: Names | None = None,
        wall: Callable[[], float] = time.time,
        front_process: bool = False,
        control: bool = False,
    ) -> None:
        super().__init__()
        self.setName("multisendcon")
        self._policy = Configured.of(configuration)
        self.events = Publisher()
        self._log = EventLog(self.events, reactor)
        self.spool = spool or SqliteSpool(
            configuration.spool.path,
            reactor,
            events=self.events,
            min_free=configuration.spool.min_free,
        )
        self.archive = Archive(configuration.archive, self.events, reactor, wall)
        folder = configuration.spool.path
        self.logins = Logins(reactor, folder=folder, events=self.events, wall=wall)
        self.logins.reconfigure(self._policy.may_log_in)
        most = configuration.delivery.max_connections
        kept = None if spool else folder
        self._direct = DirectDelivery(
            configuration, self.events, reactor, wall, folder=kept, names=names
        )
        servers = self._direct.servers
        self._relays = Relays(reactor, most, self.logins.of, self.archive, servers=servers)
        self.queue = QueueService(
            policy=self._policy.queue,
            spool=self.spool,
            claims=self.spool,
            events=self.events,
            make_relay=self._relays.of,
            clock=reactor,
            wall=wall,
            boot=since_boot,
        )
        self._reactor = reactor
        self._wall = wall
        self._reloads = DeferredLock()
        self.edge = self._front_service() if front_process else self._edge_service()
        self._store = SpoolService(self.spool, reactor, wall)
        self._history = (
            None
            if spool
            else KeptHistory(configuration, events=self.events, reactor=reactor, wall=wall)
        )
        standing = Standing(self.events, front=front_process)
        self.monitoring = Monitoring(
            configuration,
            events=self.events,
            queue=self.queue.control,
            spool=self.spool,
            standing=standing,
            logins=self.logins.standing,
            listening=lambda: bool(self.running and self.addresses),
            reactor=reactor,
            wall=wall,
        )
        tests = AccountTests(
            self._relays, lambda: self.configuration.master_relay.max_message_size, wall
        )
        self.operations = Operations(
            version=own_version(),
            events=self.events,
            queue=self.queue.control,
            view=self.spool,
            content=self.spool.content,
            registry=lambda: self.registry,
            standing=standing,
            counts=self.monitoring.counters.counts,
            by_minute=self.monitoring.counters.by_minute,
            logins=self.logins.standing,
            log_in_anew=self.logins.probe,
            alarms=lambda: self.monitoring.alarms.current,
            history=lambda: self.history,
            explain=self._explain,
            servers=servers,
            tests=tests,
            reload=self.reload,
            file=OwnFile(lambda: self._policy, self.reload, wall),
            in_thread=self._in_thread,
            sign_ins=self.logins,
            clock=reactor,
            wall=wall,
        )
        root = make_root(self.operations, reactor)
        self.monitoring.add_probes(root)
        self._control = ControlService(configuration.spool.path, root, reactor)
        self.web = web_server(self.operations, self._now, self.events, reactor)
        # The order in which they start; `_stop` has the other.
        parts = (
            self.monitoring.counters,
            self._store,
            self.archive,
            self._history,
            self.logins,
            self._direct,
            self.queue,
            self.monitoring.alarms,
            self.monitoring.server,
            self._control if control else None,
            self.web,
            self.edge,
        )
        for part in parts:
            if part is not None:
                part.setServiceParent(self)

    def _edge_service(self) -> EdgeService:
        clients = self.configuration.clients
        transactions = self._transactions(self._policy)
        sessions = master_relay(transactions, clients, self.events, self._reactor)
        return EdgeService(self.configuration.master_relay.listen, sessions, self._reactor)

    def _transactions(self, policy: Configured) -> TransactionPolicy:
        settings = policy.configuration.master_relay
        return TransactionPolicy(settings, Routing(policy.registry), self.queue, self._wall)

    async def _explain(self, question: Question) -> Explanation:
        settings = self.configuration.master_relay
        return await explain(settings, self.registry, question, self._wall())

    def _front_service(self) -> FrontService:
        now, events, reactor = self.configuration, self.events, self._reactor
        return FrontService(now, self.queue, events, reactor=reactor, wall=self._wall)

    def _now(self) -> Configuration:
        return self._policy.configuration

    @property
    def configuration(self) -> Configuration:
        """The configuration that holds now."""
        return self._policy.configuration

    @property
    def registry(self) -> AccountRegistry:
        """The accounts that are there now."""
        return self._policy.registry

    @property
    def history(self) -> History | None:
        """What became of each mail; ``None`` with ``keep = 0``, and with another spool.

        Its file is in the folder of the spool that the configuration has.
        """
        return self._history.current if self._history else None

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
        await self.operations.stop()
        await maybeDeferred(self._control.stopService)
        await maybeDeferred(self.web.stopService)
        await maybeDeferred(self.monitoring.server.stopService)
        self.monitoring.alarms.stopService()
        # Together: a client may take ten seconds to hang up, and a mail as long to finish.  What a
        # session still commits meanwhile waits in the spool for the next start.
        await DeferredList([self.edge.stopService(), self.queue.stopService()])
        # After the last mail that looks for its server, and the last session that logs in.
        await maybeDeferred(self._direct.stopService)
        await maybeDeferred(self.logins.stopService)
        await maybeDeferred(self.archive.stopService)
        if self._history is not None:
            await maybeDeferred(self._history.stopService)
        await maybeDeferred(self._store.stopService)
        self.monitoring.counters.stopService()
        self.operations.live.stop()
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
        transactions = self._transactions(self._policy)
        return Deferred.fromCoroutine(submit(transactions, envelope, content))

    def reload(self, configuration: Configuration | None = None) -> Deferred[ReloadSummary]:
        """Go on with another configuration.  Reloads that are asked for at a time are done in turn.

        All of it is checked before; then it holds as a whole.

        :param configuration: ``None``: the file is read anew.
        :return: what has changed, once clients are served so, also by the front process.  Fails
            with `ConfigurationError`, which has all faults; then nothing has changed.
        """
        return self._reloads.run(lambda: Deferred.fromCoroutine(self._reload(configuration)))

    async def _reload(self, configuration: Configuration | None) -> ReloadSummary:
        if not self.queue.running:
            raise ConfigurationError(["the relay is not running"])
        before = self.configuration
        if configuration is None:
            if before.path is None:
                raise ConfigurationError(
                    ["the relay was not started with a file; reload(configuration) takes another"]
                )
            # Files on a slow disk, and thousands of masks, must not hold up the mail.
            configuration = await self._in_thread(load, before.path)
        policy = await self._in_thread(Configured.of, configuration)
        told = await self._in_thread(warnings, configuration, self._wall())
        if not self.queue.running:
            raise ConfigurationError(["the relay is being stopped"])
        prepared = self._prepared(before, policy)
        # From here on nothing fails, and until the edge has it nothing else happens.
        self._policy = policy
        served = self._reconfigure(prepared)
        changes = summary(before, configuration, told)
        self.events.publish(
            ConfigurationChanged(
                added=changes.added, removed=changes.removed, changed=changes.changed
            )
        )
        for warning in told:
            self.log.warn("{warning}", warning=warning)
        await served
        return changes

    def _prepared(self, before: Configuration, policy: Configured) -> Prepared:
        """Do all that can fail.

        :raise ConfigurationError: it cannot hold.
        """
        configuration = policy.configuration
        if faults := needing_restart(before, configuration):
            raise ConfigurationError(faults)
        try:
            with ExitStack() as opened:
                metrics = self.monitoring.prepared(configuration)
                opened.callback(metrics.give_up)
                web = self.web.prepared(configuration.web)
                opened.callback(web.give_up)
                prepared = Prepared(self._prepared_edge(policy), metrics, web)
                opened.pop_all()
                return prepared
        except ListenError as error:
            raise ConfigurationError(str(error).splitlines()) from error

    def _prepared_edge(self, policy: Configured) -> Callable[[], Deferred[Any]]:
        configuration = policy.configuration
        if isinstance(self.edge, FrontService):
            return partial(self.edge.use, self.edge.prepared(configuration))
        transactions = self._transactions(policy)
        return partial(self.edge.use, self.edge.prepared(transactions, configuration.clients))

    def _reconfigure(self, prepared: Prepared) -> Deferred[Any]:
        """Have each part go on with what holds now; here is the place for further ones.

        :return: fires when clients are served so.
        """
        configuration = self.configuration
        self._relays.resize(configuration.delivery.max_connections)
        if isinstance(self.spool, SqliteSpool):
            self.spool.leave_free(configuration.spool.min_free)
        # Before the queue, which makes relays that ask for logins.
        self.logins.reconfigure(self._policy.may_log_in)
        self._direct.reconfigure(configuration)
        # Before the edge: accounts that clients are led to have to be there.
        self.queue.reconfigure(self._policy.queue)
        if self._history is not None:
            self._history.reconfigure(configuration)
        self.archive.reconfigure(configuration.archive)
        return DeferredList(
            [
                prepared.serve(),
                self.monitoring.use(configuration, prepared.metrics),
                self.web.use(prepared.web),
            ],
            fireOnOneErrback=True,
            consumeErrors=True,
        )

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function, *arguments)
