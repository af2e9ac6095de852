"""Examines one address of a server, from the connection to EHLO and TLS, for an admin.

What is done is what an attempt does, by the same code: connect, handshake.  What is said in the
session after that is up to who examines.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOutError

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Verdict
from ..routing.account import Account
from ..routing.hop import Demand, Hop, Tls
from .broken import SessionBrokenError
from .chain import facts, in_words
from .factory import AccountSenderFactory
from .findings import Examined
from .handshake import greet, may_start_tls, say_ehlo, shake_hands, start_tls
from .relays import Relays
from .sample import sample, send
from .sender import AccountSender
from .transcript import Transcript

T = TypeVar("T")

#: Seconds to wait for a connection of the account that is free.
LONGEST_WAIT = 60.0
#: Seconds of such a wait that are worth a word.
_WORTH_A_WORD = 0.5


class AddressExamination:
    """The examination of one server, an address at a time.

    :param sessions: makes those with the server.
    :param wall: tells the time that certificates are judged by, in seconds since the epoch.
    :ivar address: that is examined.
    :ivar starttls: it is used; not where it has failed, and the hop can do without.
    """

    def __init__(
        self,
        account: Account,
        hop: Hop,
        sessions: AccountSenderFactory,
        *,
        relays: Relays,
        found: Examined,
        wall: Callable[[], float],
    ) -> None:
        self._account = account
        self._hop = hop
        self._sessions = sessions
        self._relays = relays
        self._found = found
        self._now: Callable[[], float] = relays.reactor.seconds
        self._wall = wall
        self.address = ""
        self.starttls = True

    async def examine(
        self, address: str, talk: Callable[[AccountSender], Awaitable[None]] | None = None
    ) -> None:
        """Open a session with an address.

        :param talk: goes on in the session when it is open, up to the login.
        :raise SessionBrokenError: it cannot be used; why is found.
        """
        self.address = address
        try:
            await self._examine_session(talk)
        except SessionBrokenError as broken:
            if broken.phase is not Phase.TLS:
                raise
            if "certificate" in broken.reply.text:
                await self._look_at_certificates()
            if not self._hop.tls_dispensable:
                raise
            self.starttls = False
            await self._examine_session(talk)

    def tell(
        self, step: str, began: float, result: str, failed: tuple[Phase, Reply] | None = None
    ) -> None:
        """Add a step to what is found: see `Examined.tell`."""
        self._found.tell(step, began, result, self.address, failed)

    async def step(self, step: str, doing: Awaitable[T], words: Callable[[T], str]) -> T:
        """Do something, and tell how it went.

        :raise SessionBrokenError: it failed.
        """
        return await self._found.step(step, doing, words, self.address)

    async def send_mail(self, session: AccountSender, sender: str | None, to: str) -> None:
        """Send a mail in a session that is open, up to the login.

        :param sender: ``None``: the fixed sender of the account.
        """
        began = self._now()
        author = sender or self._account.fixed_sender or ""
        delivery, content = sample(self._account, author, to, self._wall())
        outcome = await send(session, delivery, content)
        good = outcome.verdict is Verdict.DELIVERED
        failed = None if good else (outcome.phase, outcome.reply)
        self.tell("mail", began, str(outcome.reply), failed)

    async def _examine_session(
        self, talk: Callable[[AccountSender], Awaitable[None]] | None
    ) -> None:
        session = await self._connect()
        transcript = Transcript(session.redaction)
        session.transcribe(transcript)
        transcript.note(session.description.rpartition(",")[0])
        self._found.redaction = session.redaction
        try:
            await self._open(session)
            if talk:
                await talk(session)
        finally:
            session.quit()
            await session.ended
            self._found.transcript += map(self._found.hidden, transcript.lines)

    async def _connect(self) -> AccountSender:
        began = self._now()
        waiting = Deferred.fromCoroutine(self._sessions.take_slot())
        waiting.addTimeout(LONGEST_WAIT, self._relays.reactor)
        try:
            slot = await waiting
        except TimedOutError:
            text = f"all connections are in use, and none was free for {LONGEST_WAIT:.0f} s"
            reply = Reply(0, "4.3.2", text)
            self.tell("wait", began, text, (Phase.CONNECT, reply))
            raise SessionBrokenError(Phase.CONNECT, reply) from None
        if self._now() - began >= _WORTH_A_WORD:
            self.tell("wait", began, "all connections were in use")
        connecting = self._sessions.connect(slot, self.address)
        return await self.step("connect", connecting, lambda it: it.description.rpartition(",")[0])

    async def _open(self, session: AccountSender) -> None:
        began = self._now()
        await self.step("greeting", greet(session), str)
        if session.secure:
            self.tell("tls", began, _tls(session))
            self._look_at_chain(session)
        offers = await self.step("ehlo", say_ehlo(session), self._keep_offers)
        if self.starttls and may_start_tls(session):
            secured = start_tls(session, offers)
            offers = await self.step("tls", secured, lambda _: _tls(session))
            self._keep_offers(offers)
            self._look_at_chain(session)
        session.opened(offers)

    def _keep_offers(self, offers: dict[str, str]) -> str:
        """Keep what a server offers, and return it in one line."""
        said = (f"{keyword} {more}".strip() for keyword, more in offers.items())
        self._found.offers = tuple(self._found.hidden("\n".join(said)).splitlines())
        return ", ".join(self._found.offers)

    def _look_at_chain(self, session: AccountSender) -> None:
        """Tell which certificates the server has shown."""
        if not session.secure:
            return
        chain = session.transport.getHandle().get_peer_cert_chain(as_cryptography=True) or ()
        self._found.certificates = facts(chain, self._wall())
        if chain:
            self.tell("certificate", self._now(), in_words(self._found.certificates))

    async def _look_at_certificates(self) -> None:
        """See what it is that is not acceptable; nothing but EHLO is said to who has it."""
        tls = attrs.evolve(
            self._hop.tls,
            mode=Tls.IMPLICIT if self._hop.implicit_tls else Tls.STARTTLS,
            verify=False,
            fingerprint=None,
            dane=None,
            demand=Demand.ADMIN,
        )
        hop = attrs.evolve(self._hop, login=False, tls=tls)
        sessions = self._relays.apart(self._account, hop)
        with suppress(SessionBrokenError):
            session = await sessions.connect(await sessions.take_slot(), self.address)
            try:
                await shake_hands(session)
                self._look_at_chain(session)
            finally:
                session.quit()
                await session.ended


def _tls(session: AccountSender) -> str:
    if not session.secure:
        return "none, the session is in the clear"
    handle = session.transport.getHandle()
    return f"{handle.get_protocol_version_name()}, {handle.get_cipher_name()}"
