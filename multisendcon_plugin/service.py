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
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import classImplements

from .configuration import Configuration, doubts
from .configuration.endpoints import PROXY, with_backlog
from .edge import ProxyFactory, RelayESMTPFactory
from .envelope import Envelope
from .errors import ListenError, SpoolError
from .interfaces import IAccountRegistry, ISpool
from .queue import QueueService
from .registry import AccountRegistry
from .relay import AccountSenderFactory, ConnectionBudget
from .spool import SqliteSpool

#: Seconds by which the wall clock differs from the reactor's if somebody has set it.
_SET = 0.1

classImplements(AccountRegistry, IAccountRegistry)


class RelayService(Service):
    """A whole relay.

    :param configuration: see `multisendcon_plugin.load`.
    :param reactor: listens, connects, is the clock, has threads, and is called from the spool's.
    :param spool: another spool than the one in `configuration.spool.path`.
    :param wall: tells the time that people read, in seconds since the epoch; the reactor's may be
        another one (`make_steady`).
    """

    log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        *,
        spool: ISpool | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.setName("multisendcon")
        self.configuration = configuration
        self.registry = AccountRegistry(configuration.accounts)
        self.spool = spool or SqliteSpool(configuration.spool.path, reactor)
        budget = ConnectionBudget(configuration.delivery.max_connections)
        self.queue = QueueService(
            configuration,
            registry=self.registry,
            spool=self.spool,
            make_relay=lambda account: AccountSenderFactory(account, reactor, budget),
            clock=reactor,
            wall=wall,
        )
        self.factory = RelayESMTPFactory(
            configuration.master_relay,
            self.registry,
            self.queue,
            reactor,
            wall,
            clients=configuration.clients,
            in_thread=self._in_thread,
        )
        self._reactor = reactor
        self._wall = wall
        self._ports: list[IListeningPort] = []

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
        for doubt in doubts(self.configuration, self._wall()):
            self.log.warn("{doubt}", doubt=doubt)
        for description in self.configuration.master_relay.listen:
            self._listen(description)

    def _listen(self, description: str) -> None:
        problems: list[Failure] = []
        bare = with_backlog(description).removeprefix(PROXY)
        factory: Any = self.factory
        if description.startswith(PROXY):
            factory = ProxyFactory(self.factory, self._reactor)
        listening = maybeDeferred(lambda: serverFromString(self._reactor, bare).listen(factory))
        listening.addCallbacks(self._ports.append, problems.append)
        if problems:
            reason = problems[0].getErrorMessage()
            if problems[0].check(LookupError):  # what Twisted says then is an index, or a name
                reason = "systemd has handed over no such socket (see systemd.socket(5))"
            raise ListenError(f"cannot listen on {description}: {reason}") from problems[0].value

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, function, *arguments)

    def startService(self) -> None:
        """Open the spool and go on with what waits in it.

        :raise SpoolError: the spool cannot be used.
        """
        self.spool.open()
        super().startService()
        self.queue.startService()

    def stopService(self) -> Deferred[Any]:
        """Take nothing more, let what is on its way finish, close the spool."""
        was_running = bool(self.running)
        super().stopService()
        return Deferred.fromCoroutine(self._stop(was_running=was_running))

    async def _stop(self, *, was_running: bool) -> None:
        ports, self._ports = self._ports, []
        await DeferredList([maybeDeferred(port.stopListening) for port in ports])
        await DeferredList([self.factory.stop(), self.queue.stopService()])
        if was_running:
            was_set = abs(self._wall() - self._reactor.seconds()) > _SET
            await self.spool.close(clean=not was_set)

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
