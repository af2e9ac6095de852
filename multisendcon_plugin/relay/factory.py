"""All sessions of one account: opened when a mail needs one, kept for the next, closed when idle.

An `ESMTPSenderFactory` without the stock one's retries: what comes of an attempt is told once, as
an `Attempt`; what follows from it is not decided here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IAddress
from twisted.internet.task import deferLater
from twisted.mail import smtp
from twisted.python.failure import Failure
from zope.interface import implementer

from ..account import Account
from ..attempt import AccountFault, Attempt, all_deferred
from ..errors import ConfigurationError
from ..failure import Action
from ..interfaces import IContent, IRelay
from ..message import Delivery
from ..phase import Phase
from ..reply import Reply
from .broken import SessionBrokenError
from .budget import ConnectionBudget
from .connect import connect_problem, endpoint
from .handshake import shake_hands
from .login import Login
from .sender import AccountSender
from .tls import ClientTLS
from .transaction import Transaction
from .trial import Trial

T = TypeVar("T")

#: Seconds that a session is kept for the account's next mail.
IDLE = 10.0
_BEFORE_RCPT = frozenset({Phase.RSET, Phase.MAIL})
_STOPPING = Reply(0, "4.3.2", "the relay is shutting down")


@implementer(IRelay)
class AccountSenderFactory(smtp.ESMTPSenderFactory):
    """Carries deliveries to the server of one account.

    :param reactor: connects, resolves names, and is the clock.
    :param budget: shared by all accounts.
    """

    protocol: Any = AccountSender
    noisy = False

    def __init__(self, account: Account, reactor: Any, budget: ConnectionBudget) -> None:
        super().__init__(account.username.encode(), b"", b"", (), None, Deferred(), retries=0)
        self.account = account
        self._reactor = reactor
        self._budget = budget
        # An attempt may end before its session does, which says good-bye then.
        self._places = ConnectionBudget(account.connections)
        self._trial = Trial()
        self._login = Login(account)
        self._tls: ClientTLS | None = None
        self._idle: list[AccountSender] = []
        self._sessions: set[AccountSender] = set()
        self._steps: set[Deferred[Any]] = set()
        self._stopping = False

    # Attempts.

    def attempt(
        self, delivery: Delivery, open_content: Callable[[], IContent]
    ) -> Deferred[Attempt]:
        """Try a delivery once: see `IRelay`."""
        return Deferred.fromCoroutine(self._attempt(delivery, open_content))

    async def _attempt(self, delivery: Delivery, open_content: Callable[[], IContent]) -> Attempt:
        ended: float | None = None
        fresh = False
        while True:
            try:
                session, kept = await self._session(fresh=fresh)
            except SessionBrokenError as broken:
                return self._not_begun(delivery, broken, ended)
            fault = None
            try:
                transaction = Transaction(session, delivery, open_content())
                await transaction.run()
            except SessionBrokenError as broken:
                fault = self._fault(broken)
            except BaseException:
                session.abort("an internal error")
                raise
            if transaction.begun:
                ended = self._reactor.seconds()
            if kept and (transaction.refused or (fault and fault.phase in _BEFORE_RCPT)):
                # It may be about the session: closed meanwhile, or full of mails for the server.
                session.quit()
                if transaction.begun:
                    await self._keep_distance()
                fresh = True
                continue
            description = session.description
            self._keep_or_quit(session, keep=fault is None)
            return Attempt(
                outcomes=transaction.outcomes,
                fault=fault,
                mail_ended=ended,
                session=description,
                reports_success=transaction.reports_success,
            )

    def _not_begun(
        self, delivery: Delivery, broken: SessionBrokenError, mail_ended: float | None
    ) -> Attempt:
        """Return the attempt that has no session for its mail."""
        outcomes = all_deferred(delivery.recipients, broken.phase, broken.reply)
        return Attempt(outcomes=outcomes, fault=self._fault(broken), mail_ended=mail_ended)

    def _fault(self, broken: SessionBrokenError) -> AccountFault:
        """Return what the end of a session means for the account."""
        action = self.account.classify(broken.phase, broken.reply)
        if not action.stops_account:
            action = Action.REST
        return AccountFault(phase=broken.phase, reply=broken.reply, action=action)

    async def _keep_distance(self) -> None:
        """Wait as the account demands: the server may have seen the MAIL FROM that was in vain.

        That is never long: with a long wait, no session is kept until the next mail.
        """
        if self.account.minimum_wait and not self._stopping:
            with contextlib.suppress(CancelledError):  # no new session is opened then
                await self._step(deferLater(self._reactor, self.account.minimum_wait))

    def _keep_or_quit(self, session: AccountSender, *, keep: bool) -> None:
        used_up = session.mails >= self.account.max_mails_per_connection
        if keep and session.usable and not (used_up or self._stopping):
            session.rest(IDLE)
            self._idle.append(session)
            self._budget.idle(session, session.quit)
            if self._budget.contended:
                # Not at once: if another mail follows, the session is not idle.
                self._reactor.callLater(0, self._budget.make_room)
        else:
            session.quit()

    # Sessions.

    async def _session(self, *, fresh: bool) -> tuple[AccountSender, bool]:
        """Return a session that can carry mail, and whether it has waited idle for it.

        :param fresh: it may not have waited.
        :raise SessionBrokenError: the account cannot be used now.
        """
        while self._idle and not fresh:
            session = self._idle.pop()
            self._budget.busy(session)
            if session.usable:
                session.wake()
                return session, True
        while turn := self._trial.turn():
            await self._unless_stopped(turn)
        return await self._trial.run(self._new_session), False

    async def _new_session(self) -> AccountSender:
        try:
            return await self._ready_session()
        except SessionBrokenError as broken:
            if not (self.account.tls_dispensable and broken.phase is Phase.TLS):
                raise
            return await self._ready_session(starttls=False)

    async def _ready_session(self, *, starttls: bool = True) -> AccountSender:
        session = await self._connect()
        try:
            await shake_hands(session, self._login, starttls=starttls)
        except SessionBrokenError:
            session.quit()
            raise
        return session

    async def _connect(self) -> AccountSender:
        if self._stopping:
            raise SessionBrokenError(Phase.CONNECT, _STOPPING)
        try:
            self._tls = self._tls or ClientTLS.of(self.account)
        except ConfigurationError as error:
            raise SessionBrokenError(Phase.TLS, Reply(0, "4.7.0", str(error))) from None
        await self._unless_stopped(self._places.take())
        try:
            await self._unless_stopped(self._budget.take())
        except SessionBrokenError:
            self._places.give_back()
            raise
        try:
            way = endpoint(self._reactor, self.account, self._tls)
            session = cast("AccountSender", await self._step(way.connect(self)))
        except Exception:
            self._give_back()
            if self._stopping:
                raise SessionBrokenError(Phase.CONNECT, _STOPPING) from None
            reply = Reply(0, "4.4.1", connect_problem(Failure(), self.account))
            raise SessionBrokenError(Phase.CONNECT, reply) from None
        self._sessions.add(session)
        session.ended.addCallback(self._session_ended, session)
        return session

    async def _unless_stopped(self, step: Deferred[None]) -> None:
        try:
            await self._step(step)
        except CancelledError:
            raise SessionBrokenError(Phase.CONNECT, _STOPPING) from None

    async def _step(self, step: Deferred[T]) -> T:
        """Wait for something that `stop` may cancel."""
        self._steps.add(step)
        try:
            return await step
        finally:
            self._steps.discard(step)

    def buildProtocol(self, addr: IAddress | None) -> AccountSender:  # noqa: ARG002
        """Return the protocol of a new session."""
        tls = self._tls = self._tls or ClientTLS.of(self.account)
        session = self.protocol(self.account, tls, self._reactor)
        session.factory = self
        return cast("AccountSender", session)

    def _session_ended(self, _: None, session: AccountSender) -> None:
        self._sessions.discard(session)
        if not self._sessions:
            self._trial.forget()
        if session in self._idle:
            self._idle.remove(session)
        self._budget.busy(session)
        self._give_back()

    def _give_back(self) -> None:
        self._budget.give_back()
        self._places.give_back()

    def stop(self, grace: float) -> Deferred[Any]:
        """Close all connections: see `IRelay`."""
        self._stopping = True
        for step in tuple(self._steps):
            step.cancel()
        for session in tuple(self._idle):
            session.quit()
        sessions = tuple(self._sessions)

        def cut_off() -> None:
            for session in sessions:
                session.abort("the relay is shutting down")

        timer = self._reactor.callLater(grace, cut_off)
        all_ended = DeferredList([session.ended for session in sessions])

        def no_cut_off(result: T) -> T:
            if timer.active():
                timer.cancel()
            return result

        return all_ended.addCallback(no_cut_off)
