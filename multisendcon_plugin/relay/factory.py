"""The sessions with one account's server: opened on demand, reused, and closed when idle.

What goes over them for a mail is up to `attempt`.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.error import ConnectBindError
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.mail import smtp
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import ConfigurationError
from ..interfaces import IArchive, IContent, IRelay
from ..interfaces.credentials import ICredentials
from ..mail.message import Delivery
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Attempt, Scope
from ..outcome.tls import TlsFinding, TlsResult
from ..routing.account import Account
from ..routing.hop import Hop
from .attempt import AttemptUnderWay
from .broken import SessionBrokenError, given_up
from .budget import PROMPT, Budget, Slot
from .connect import connect, connect_problem, gone_addresses, other_addresses
from .handshake import shake_hands
from .login import Login
from .places import Places
from .refusal_review import RefusalReview
from .search import first_ready
from .sender import AccountSender
from .tls import ClientTLS
from .trial import Trial, Trials

T = TypeVar("T")

#: Seconds that a session is kept for the account's next mail.
IDLE = 10.0
_STOPPING = Reply(0, "4.3.2", "the relay is shutting down")
_CHANGED = "the settings of the account have changed"
_GAVE_WAY = f"the server was not ready within {PROMPT:.0f} s, and others needed the connection"
#: The limits by which they do.
_LIMITS = {
    Scope.ACCOUNT: "max_connections of [delivery]",
    Scope.DESTINATION: "max_connections of the account, or of [delivery]",
}


@implementer(IRelay)
class AccountSenderFactory(smtp.ESMTPSenderFactory):
    """Carries deliveries to the server of one account.

    :param reactor: connects, resolves names, and is the clock.
    :param budget: shared by all accounts, as are `trials`.
    :param logins: returns the credentials of an account.
    :param archive: keeps copies of what accounts with ``archive`` send.
    :param places: of the account's connections, where others have some of them.
    :param hop: the server, where it is not the account's own.
    :param scope: whom faults of this server are about.
    :param met: is told of each session that is opened, and each address where none is.
    :param former: have carried its mail with other settings; their sessions end with their mail.
    """

    log = Logger()
    protocol: Any = AccountSender
    noisy = False

    def __init__(
        self,
        account: Account,
        reactor: Any,
        budget: Budget,
        trials: Trials,
        *,
        logins: Callable[[Account], ICredentials],
        places: Places | None = None,
        hop: Hop | None = None,
        scope: Scope = Scope.ACCOUNT,
        met: Callable[[AccountSender | SessionBrokenError], object] | None = None,
        former: Sequence[AccountSenderFactory] = (),
        archive: IArchive | None = None,
    ) -> None:
        super().__init__(account.sasl_user.encode(), b"", b"", (), None, Deferred(), retries=0)
        self.account = account
        self.archive = archive
        self._hop = hop or account.hop
        self.scope = scope
        self._gave_way = f"{_GAVE_WAY} ({_LIMITS[scope]})"
        self._met = met
        self._reactor = reactor
        self.now: Callable[[], float] = reactor.seconds
        self._budget = budget
        # Beside the lane's own count: an attempt ends before its session has quit.
        self._places = places or Places(account.connections)
        self._former = former
        self._trials = trials
        self._logins = logins
        self._server_trial = trials.of(self._hop)
        self._trial = Trial()
        self._login = Login(account, logins(account))
        self.refusals = RefusalReview()
        self.afresh: set[int] = set()
        self._tls: ClientTLS | None = None
        self.most_recipients: float = account.max_recipients or math.inf
        self._idle: list[AccountSender] = []
        self._sessions: dict[AccountSender, Slot] = {}
        self._steps: set[Deferred[Any]] = set()
        self._stopping = False
        self._draining = False

    @property
    def connections(self) -> int:
        """Sessions that are open: see `IRelay`."""
        return len(self._sessions)

    @property
    def works(self) -> bool:
        """Some session has carried mail."""
        return any(each.mails for each in self._sessions)

    @property
    def idle(self) -> int:
        """Sessions that are kept for the next mails: see `IRelay`."""
        return len(self._idle)

    def attempt(
        self, delivery: Delivery, open_content: Callable[[], IContent]
    ) -> Deferred[Attempt]:
        """Try a delivery: see `IRelay`."""
        attempt = AttemptUnderWay(self, delivery, open_content)
        attempt.begin()
        return attempt.done

    def learn(self, most: float) -> None:
        """Remember until the relay restarts that the server takes fewer recipients at once.

        A mail that was refused whole for their number is tried again at once.
        """
        self.most_recipients = min(most, self.most_recipients)
        self.log.info(
            "account {account}: its server takes {most} recipients in one mail; the others are sent"
            " it in further ones (max_recipients = {most} says so beforehand)",
            account=self.account.name,
            most=most,
        )

    def keep_or_quit(self, session: AccountSender, *, keep: bool, now: float) -> None:
        """Keep a session for the next mail, or end it.

        :param keep: there is no reason to end it.
        """
        used_up = session.mails >= self.account.max_mails_per_connection
        if keep and session.usable and not (used_up or self._stopping or self._draining):
            session.rest(now + IDLE)
            self._idle.append(session)
            self._budget.idle(self._sessions[session])
        else:
            session.quit()

    # Sessions.

    def kept_session(self) -> AccountSender | None:
        """Return a session that was kept from an earlier mail, ready for the next one."""
        while self._idle:
            session = self._idle.pop()
            self._budget.busy(self._sessions[session])
            if session.usable:
                return session
        return None

    async def fresh_session(self) -> AccountSender:
        """Open a session.

        :raise SessionBrokenError: the account cannot be used now.
        """
        try:
            if not self._hop.login:
                return await self._opened()
            return await self._in_turn(self._trial, self._ready_session)
        except CancelledError:
            raise given_up(_STOPPING if self._stopping else Reply(0, "4.3.2", _CHANGED)) from None

    async def _in_turn(
        self, trial: Trial, attempt: Callable[[], Awaitable[AccountSender]]
    ) -> AccountSender:
        while turn := trial.turn():
            await self._step(turn)
        self._go_on()
        return await trial.run(attempt)

    async def _ready_session(self) -> AccountSender:
        session = await self._login.session(self._opened, self._step)
        self.is_ready(session)
        return session

    async def _opened(self) -> AccountSender:
        return await self._in_turn(self._server_trial, self._open_session)

    def is_ready(self, session: AccountSender) -> None:
        """It is open, and need not give way to others."""
        slot = self._sessions[session]
        slot.close = session.quit
        self._budget.ready(slot)

    async def _open_session(self) -> AccountSender:
        """Return a session that is ready for the login, or for mail where there is none."""
        return await first_ready(
            self._meet if self._met else self._session_at,
            self._other_addresses,
            is_final=self._is_final,
            now=self.now,
        )

    async def _meet(self, address: str | None) -> AccountSender:
        """Open a session at an address, and tell what has come of it."""
        tell = cast("Callable[[AccountSender | SessionBrokenError], object]", self._met)
        try:
            session = await self._session_at(address)
        except SessionBrokenError as broken:
            tell(broken)
            raise
        tell(session)
        return session

    async def _session_at(self, address: str | None, *, starttls: bool = True) -> AccountSender:
        session = await self.connect(await self.take_slot(), address)
        try:
            session.opened(await shake_hands(session, starttls=starttls))
        except SessionBrokenError as broken:
            session.quit()
            self._go_on()  # else all who wait for this trial would hear of our own settings
            broken.address, broken.tls_finding = session.server, session.tls_finding
            if not (starttls and self._hop.tls_dispensable and broken.phase is Phase.TLS):
                raise
            finding = session.tls_finding or TlsFinding(
                TlsResult.VALIDATION_FAILURE, broken.reply.text
            )
            try:
                in_the_clear = await self._session_at(session.server, starttls=False)
            except SessionBrokenError as again:
                # The address has answered before, even if the second connection failed.
                again.address = session.server
                raise
            in_the_clear.lacks_tls(finding)
            return in_the_clear
        if not self._hop.login:
            # At once, before those who waited for this trial take a slot of the budget.
            self.is_ready(session)
        return session

    async def _other_addresses(self, address: str) -> Sequence[str]:
        return await self._step(other_addresses(self._reactor, self._hop, address))

    def _is_final(self, broken: SessionBrokenError) -> bool:
        """Tell whether the server's other addresses would say the same.

        So it is when the server limits the number of our sessions.
        """
        too_many = broken.reply.code == 421 and self.works
        return too_many or broken.reply.text == self._gave_way

    async def take_slot(self) -> Slot:
        """Wait until one connection more may be opened, of this account and of all together."""
        self._go_on()
        await self._step(self._places.take())
        try:
            return await self._step(self._budget.take(self._hop.host))
        except CancelledError:
            self._places.give_back()
            raise

    async def connect(self, slot: Slot, address: str | None) -> AccountSender:
        """Open a connection; its slot is given back when it is gone.

        :param address: of the server; ``None``: whichever can be connected first.
        :raise SessionBrokenError: it cannot be opened.
        """
        try:
            tls = self._tls = self._tls or ClientTLS(self._hop, account=self.account.name)
            connecting = connect(self._reactor, self._hop, tls, self, address)
            slot.close = connecting.cancel
            session = cast("AccountSender", await self._step(connecting))
        except ConfigurationError as error:
            self._give_back(slot)
            reply = Reply(0, "4.7.0", str(error))
            raise SessionBrokenError(Phase.TLS, reply, scope=Scope.ACCOUNT) from None
        except Exception:
            self._give_back(slot)
            if self._stopping or self._draining:
                raise CancelledError from None
            failure = Failure()
            problem = self._gave_way if slot.leaving else connect_problem(failure, self._hop)
            reply = Reply(0, "4.4.1", problem)
            # The other address of a pair reaches the servers of its family all the same.
            gone = failure.check(ConnectBindError) and (
                gone_addresses(self._hop) == self._hop.local_addresses
            )
            scope = Scope.ACCOUNT if gone else None
            raise SessionBrokenError(Phase.CONNECT, reply, scope=scope) from None
        slot.close = partial(session.abort, self._gave_way)
        self._sessions[session] = slot
        session.ended.addCallback(self._session_ended, session)
        return session

    def _go_on(self) -> None:
        """Begin nothing that `stop` would have cancelled: who was first has just made room."""
        if self._stopping or self._draining:
            raise CancelledError

    async def _step(self, step: Deferred[T]) -> T:
        """Wait for something that `stop` may cancel, with a `CancelledError`."""
        self._steps.add(step)
        try:
            return await step
        finally:
            self._steps.discard(step)

    def buildProtocol(self, addr: IAddress | None) -> AccountSender:  # noqa: ARG002
        """Return the protocol of a new session."""
        session = self.protocol(self.account, self._hop, self._tls, self._reactor)
        session.factory = self
        self._login.hide(session)
        return cast("AccountSender", session)

    def _session_ended(self, _: None, session: AccountSender) -> None:
        for trial in (self._trial, self._server_trial):
            trial.forget(session)
        if session in self._idle:
            self._idle.remove(session)
        self._give_back(self._sessions.pop(session))

    def _give_back(self, slot: Slot) -> None:
        self._budget.give_back(slot)
        self._places.give_back()

    # Other settings, and the end.

    def probe(self, destination: str) -> None:
        """Nothing here rests: see `IRelay`."""

    def reconfigured(self, account: Account) -> AccountSenderFactory:
        """Go on with other settings of the account: see `IRelay`."""
        self._places.resize(account.connections)
        if account.reached_as(self.account):
            if account.oauth2 != self.account.oauth2:
                # The next tokens are asked for in another way.
                self._login = Login(account, self._logins(account))
            self.account = account
            self._draining = False
            return self
        self.drain()
        return AccountSenderFactory(
            account,
            self._reactor,
            self._budget,
            self._trials,
            logins=self._logins,
            places=self._places,
            former=[each for each in (*self._former, self) if each.connections],
            archive=self.archive,
        )

    def drain(self) -> None:
        """End each session when it is not needed any more: see `IRelay`."""
        self._draining = True
        for step in tuple(self._steps):
            step.cancel()
        for session in tuple(self._sessions):
            if session in self._idle:
                session.quit()
            elif not session.mails:
                session.abort(_CHANGED)  # it is being opened, for a mail that can do without

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
        all_ended.addCallback(lambda _: timer.cancel() if timer.active() else None)
        return DeferredList([all_ended, *(each.stop(grace) for each in self._former)])
