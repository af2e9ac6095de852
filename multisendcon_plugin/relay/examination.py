"""Examines the way to an account's server, step by step, for an admin who tests the account.

What is done is what an attempt does, by the same code: connect, handshake, login, transaction.  Its
sessions are its own, within the limits of the account; what they meet changes nothing of the
account's health, and nothing of the sessions that carry mail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

import attrs
from twisted.internet.error import ConnectBindError
from twisted.python.failure import Failure

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outgoing import OutgoingMail, prepare
from ..routing.account import Account, NullSender
from ..settings.endpoints import address_of
from .address_examination import AddressExamination
from .broken import SessionBrokenError
from .budget import Slot
from .commands import mail_command
from .connect import bind_once, connect_problem, no_address, resolve
from .factory import AccountSenderFactory
from .findings import Examined, Finding, Wishes
from .handshake import shake_hands
from .login import Login
from .open_together import open_together
from .relays import Relays
from .sample import sample
from .sender import AccountSender

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
        #: A session was open, up to the login.
        self._has_opened = False
        self.found = Examined(account, self._now, on_finding)
        self._way = AddressExamination(
            account, self._hop, self._sessions, relays=relays, found=self.found, wall=wall
        )

    async def run(self, wishes: Wishes) -> Examined:
        """Examine the account; what fails is found, and never raised."""
        try:
            addresses = await self._find_addresses()
            await self._look_at_local_address()
        except SessionBrokenError:
            return self.found
        for address in addresses:
            first = not self._has_opened
            with suppress(SessionBrokenError):
                # A login that one refuses would be refused by the others, and count towards a
                # lock-out.
                talk = partial(self._talk, wishes=wishes) if first else None
                await self._way.examine(address, talk)
            if first and self.found.works and wishes.connections:
                await self._count_connections()
        return self.found

    # Where the server is, and where we are.

    async def _find_addresses(self) -> Sequence[str]:
        if address_of(self._hop.host):
            return [self._hop.host]
        fitting = await self._way.step("dns", self._resolve(), ", ".join)
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
            await self._way.step("local address", self._bind(local), str)

    async def _bind(self, local: str) -> str:
        try:
            bind_once(local)
        except ConnectBindError as error:
            raise self._no_way(error) from None
        return local

    # In a session.

    async def _talk(self, session: AccountSender, wishes: Wishes) -> None:
        self._has_opened = True
        await self._log_in(session)
        self._sessions.is_ready(session)
        self.found.works = True
        await self._try_senders(session, wishes)
        if wishes.to:
            await self._way.send_mail(session, wishes.sender, wishes.to)

    async def _log_in(self, session: AccountSender) -> None:
        if self._hop.login:
            name = self._account.sasl_user
            await self._way.step(
                "login",
                self._login.perform(session),
                lambda auth: f"as {name}, by {auth.mechanism}",
            )

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
            self._way.tell(step, began, str(broken.reply), (broken.phase, broken.reply))
            raise
        self._way.tell(step, began, str(reply), None if reply.positive else (Phase.MAIL, reply))
        await session.ask(b"RSET", Phase.RSET)

    # Connections.

    async def _count_connections(self) -> None:
        """Open as many sessions at the same time as the account may have, and one more."""
        began = self._now()
        most = self._account.connections
        ways = [*([self._sessions] * most), self._relays.apart(self._account)]
        count, refused = await open_together(ways, self._ready)
        if count > most:
            self._way.tell("connections", began, f"{most} at the same time, and one more")
        elif refused is None:
            self._way.tell("connections", began, f"{count} at the same time, beside those in use")
        elif count == most:
            text = f"{most} at the same time; one more is refused: {refused.reply}"
            self._way.tell("connections", began, text)
        else:
            text = f"{count} at the same time, not {most}; the next is refused: {refused.reply}"
            self._way.tell("connections", began, text, (Phase.CONNECT, Reply(0, "4.3.2", text)))

    async def _ready(self, sessions: AccountSenderFactory, slot: Slot) -> AccountSender:
        """Open a session in which mail could be sent."""
        session = await sessions.connect(slot, self._way.address)
        try:
            session.opened(await shake_hands(session, starttls=self._way.starttls))
            if self._hop.login:
                await self._login.perform(session)
            sessions.is_ready(session)
        except SessionBrokenError:
            session.quit()
            await session.ended
            raise
        return session
