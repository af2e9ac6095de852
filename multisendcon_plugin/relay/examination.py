"""Examines the way to an account's server, step by step, for an admin who tests the account.

What is done is what an attempt does, by the same code: connect, handshake, login, transaction.  Its
sessions are its own, within the limits of the account; what they meet changes nothing of the
account's health, and nothing of the sessions that carry mail.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOutError
from twisted.internet.error import ConnectBindError
from twisted.python.failure import Failure

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Verdict
from ..outgoing import OutgoingMail, prepare
from ..routing.account import Account, NullSender
from ..routing.hop import Tls
from ..settings.endpoints import address_of
from .broken import SessionBrokenError
from .budget import Slot
from .chain import facts, in_words
from .commands import mail_command
from .connect import bind_once, connect_problem, no_address, resolve
from .factory import AccountSenderFactory
from .findings import Examined, Finding, Wishes
from .handshake import greet, may_start_tls, say_ehlo, shake_hands, start_tls
from .login import Login
from .open_together import open_together
from .relays import Relays
from .sample import sample, send
from .sender import AccountSender
from .transcript import Transcript

T = TypeVar("T")

#: Addresses of a server that are examined.
MOST_ADDRESSES = 4
#: Seconds to wait for a connection of the account that is free.
LONGEST_WAIT = 60.0
#: Seconds of such a wait that are worth a word.
_WORTH_A_WORD = 0.5


class Examination:
    """One examination of an account.

    :param wall: tells the time that certificates are judged by, in seconds since the epoch.
    :param on_finding: is told of each step at its end.
    :ivar found: what was found so far.
    """

    def __init__(
        self,
        account: Account,
        relays: Relays,
        wall: Callable[[], float],
        on_finding: Callable[[Finding], object],
    ) -> None:
        self._account = account
        self._hop = account.hop
        self._relays = relays
        self._sessions = relays.sessions(account)
        self._login = Login(account, relays.logins(account))
        self._now: Callable[[], float] = relays.reactor.seconds
        self._wall = wall
        self._address = ""
        self._starttls = True
        #: A session was open, up to the login.
        self._has_opened = False
        self.found = Examined(account, self._now, on_finding)

    async def run(self, wishes: Wishes) -> Examined:
        """Examine the account; what fails is found, and never raised."""
        try:
            addresses = await self._find_addresses()
            await self._look_at_local_address()
        except SessionBrokenError:
            return self.found
        for self._address in addresses:
            first = not self._has_opened
            with suppress(SessionBrokenError):
                # A login that one refuses would be refused by the others, and count towards a
                # lock-out.
                await self._examine(wishes if first else None)
            if first and self.found.works and wishes.connections:
                await self._count_connections()
        return self.found

    # Steps.

    def _tell(
        self, step: str, began: float, result: str, failed: tuple[Phase, Reply] | None = None
    ) -> None:
        self.found.tell(step, began, result, self._address, failed)

    async def _step(self, step: str, doing: Awaitable[T], words: Callable[[T], str]) -> T:
        """Do something, and tell how it went.

        :raise SessionBrokenError: it failed.
        """
        began = self._now()
        try:
            result = await doing
        except SessionBrokenError as broken:
            # A handshake of TLS ends with what comes first inside it.
            name = "tls" if broken.phase is Phase.TLS else step
            self._tell(name, began, str(broken.reply), (broken.phase, broken.reply))
            raise
        self._tell(step, began, words(result))
        return result

    # Where the server is, and where we are.

    async def _find_addresses(self) -> Sequence[str]:
        if address_of(self._hop.host):
            return [self._hop.host]
        fitting = await self._step("dns", self._resolve(), ", ".join)
        return fitting[:MOST_ADDRESSES]

    async def _resolve(self) -> Sequence[str]:
        hop = self._hop
        everywhere = attrs.evolve(hop, local_addresses=())
        found = list(dict.fromkeys(await resolve(self._relays.reactor, everywhere)))
        fitting = [each for each in found if hop.admits(each)]
        if not fitting:
            raise self._no_way(no_address(hop if found else everywhere))
        return fitting

    def _no_way(self, error: Exception) -> SessionBrokenError:
        problem = connect_problem(Failure(error), self._hop)
        return SessionBrokenError(Phase.CONNECT, Reply(0, "4.4.1", problem))

    async def _look_at_local_address(self) -> None:
        for local in self._hop.local_addresses:
            await self._step("local address", self._bind(local), str)

    async def _bind(self, local: str) -> str:
        try:
            bind_once(local)
        except ConnectBindError as error:
            raise self._no_way(error) from None
        return local

    # Sessions.

    async def _examine(self, wishes: Wishes | None) -> None:
        """Open a session with an address; with wishes, do all that is to be examined in it."""
        try:
            await self._examine_session(wishes)
        except SessionBrokenError as broken:
            if broken.phase is not Phase.TLS:
                raise
            if "certificate" in broken.reply.text:
                await self._look_at_certificates()
            if not self._hop.tls_dispensable:
                raise
            self._starttls = False
            await self._examine_session(wishes)

    async def _examine_session(self, wishes: Wishes | None) -> None:
        session = await self._connect()
        transcript = Transcript(session.redaction)
        session.transcribe(transcript)
        transcript.note(session.description.rpartition(",")[0])
        self.found.redaction = session.redaction
        try:
            await self._open(session)
            if wishes:
                self._has_opened = True
                await self._log_in(session)
                self._sessions.is_ready(session)
                self.found.works = True
                await self._try_senders(session, wishes)
                if wishes.to:
                    await self._send_mail(session, wishes.sender, wishes.to)
        finally:
            session.quit()
            await session.ended
            self.found.transcript += map(self.found.hidden, transcript.lines)

    async def _connect(self) -> AccountSender:
        began = self._now()
        waiting = Deferred.fromCoroutine(self._sessions.take_slot())
        waiting.addTimeout(LONGEST_WAIT, self._relays.reactor)
        try:
            slot = await waiting
        except TimedOutError:
            text = f"all connections are in use, and none was free for {LONGEST_WAIT:.0f} s"
            reply = Reply(0, "4.3.2", text)
            self._tell("wait", began, text, (Phase.CONNECT, reply))
            raise SessionBrokenError(Phase.CONNECT, reply) from None
        if self._now() - began >= _WORTH_A_WORD:
            self._tell("wait", began, "all connections were in use")
        connecting = self._sessions.connect(slot, self._address)
        return await self._step("connect", connecting, lambda it: it.description.rpartition(",")[0])

    async def _open(self, session: AccountSender) -> None:
        began = self._now()
        await self._step("greeting", greet(session), str)
        if session.secure:
            self._tell("tls", began, _tls(session))
            self._look_at_chain(session)
        offers = await self._step("ehlo", say_ehlo(session), self._keep_offers)
        if self._starttls and may_start_tls(session):
            secured = start_tls(session, offers)
            offers = await self._step("tls", secured, lambda _: _tls(session))
            self._keep_offers(offers)
            self._look_at_chain(session)
        session.opened(offers)

    def _keep_offers(self, offers: dict[str, str]) -> str:
        """Keep what a server offers, and return it in one line."""
        said = (f"{keyword} {more}".strip() for keyword, more in offers.items())
        self.found.offers = tuple(self.found.hidden("\n".join(said)).splitlines())
        return ", ".join(self.found.offers)

    def _look_at_chain(self, session: AccountSender) -> None:
        """Tell which certificates the server has shown."""
        if not session.secure:
            return
        chain = session.transport.getHandle().get_peer_cert_chain(as_cryptography=True) or ()
        self.found.certificates = facts(chain, self._wall())
        if chain:
            self._tell("certificate", self._now(), in_words(self.found.certificates))

    async def _look_at_certificates(self) -> None:
        """See what it is that is not acceptable; nothing but EHLO is said to who has it."""
        account = attrs.evolve(
            self._account,
            username="",
            oauth2=None,
            tls=Tls.IMPLICIT if self._hop.implicit_tls else Tls.STARTTLS,
            tls_verify=False,
            tls_fingerprint=None,
        )
        sessions = self._relays.apart(account)
        with suppress(SessionBrokenError):
            session = await sessions.connect(await sessions.take_slot(), self._address)
            try:
                await shake_hands(session)
                self._look_at_chain(session)
            finally:
                session.quit()
                await session.ended

    async def _log_in(self, session: AccountSender) -> None:
        if self._hop.login:
            name = self._account.sasl_user
            await self._step(
                "login",
                self._login.perform(session),
                lambda auth: f"as {name}, by {auth.mechanism}",
            )

    # Mail.

    async def _try_senders(self, session: AccountSender, wishes: Wishes) -> None:
        """Say MAIL as for mail with a sender, and with the null one; then RSET: nothing is sent."""
        if sender := wishes.sender or self._account.fixed_sender:
            await self._try_sender(session, "sender", sender)
        if self._account.null_sender is NullSender.PASS:
            await self._try_sender(session, "null sender", "")

    async def _try_sender(self, session: AccountSender, step: str, sender: str) -> None:
        delivery, content = sample(self._account, sender, "", self._wall())
        utf8 = "SMTPUTF8" in session.offers
        # All of the content is there.
        mail = cast("OutgoingMail", prepare(self._account, delivery.message, content, utf8=utf8))
        line = mail_command(mail, delivery.message.envelope, session.offers)
        began = self._now()
        try:
            reply = await session.ask(line.removesuffix(b"\r\n"), Phase.MAIL)
        except SessionBrokenError as broken:
            self._tell(step, began, str(broken.reply), (broken.phase, broken.reply))
            raise
        self._tell(step, began, str(reply), None if reply.positive else (Phase.MAIL, reply))
        await session.ask(b"RSET", Phase.RSET)

    async def _send_mail(self, session: AccountSender, sender: str | None, to: str) -> None:
        began = self._now()
        author = sender or self._account.fixed_sender or ""
        delivery, content = sample(self._account, author, to, self._wall())
        outcome = await send(session, delivery, content)
        good = outcome.verdict is Verdict.DELIVERED
        failed = None if good else (outcome.phase, outcome.reply)
        self._tell("mail", began, str(outcome.reply), failed)

    # Connections.

    async def _count_connections(self) -> None:
        """Open as many sessions at the same time as the account may have, and one more."""
        began = self._now()
        most = self._account.connections
        ways = [*([self._sessions] * most), self._relays.apart(self._account)]
        count, refused = await open_together(ways, self._ready)
        if count > most:
            self._tell("connections", began, f"{most} at the same time, and one more")
        elif refused is None:
            self._tell("connections", began, f"{count} at the same time, beside those in use")
        elif count == most:
            text = f"{most} at the same time; one more is refused: {refused.reply}"
            self._tell("connections", began, text)
        else:
            text = f"{count} at the same time, not {most}; the next is refused: {refused.reply}"
            self._tell("connections", began, text, (Phase.CONNECT, Reply(0, "4.3.2", text)))

    async def _ready(self, sessions: AccountSenderFactory, slot: Slot) -> AccountSender:
        """Open a session in which mail could be sent."""
        session = await sessions.connect(slot, self._address)
        try:
            session.opened(await shake_hands(session, starttls=self._starttls))
            if self._hop.login:
                await self._login.perform(session)
            sessions.is_ready(session)
        except SessionBrokenError:
            session.quit()
            await session.ended
            raise
        return session


def _tls(session: AccountSender) -> str:
    if not session.secure:
        return "none, the session is in the clear"
    handle = session.transport.getHandle()
    return f"{handle.get_protocol_version_name()}, {handle.get_cipher_name()}"
