"""One mail over a session: MAIL, RCPT, DATA, the content, and an outcome for each recipient.

RFC 5321 section 3.3, RFC 2920 (PIPELINING), RFC 6531 (SMTPUTF8).  Octets beyond ASCII are sent to
servers without 8BITMIME as they are: turning them into something else would break signatures, and
all such servers known to us take them.

A mail may have more recipients than the server takes in one transaction: those who are too many are
split off, and another transaction takes them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import attrs
from twisted.logger import Logger

from ..errors import AddressError, SpoolError
from ..interfaces import IContent
from ..mail.address import ascii_domain
from ..mail.message import Delivery
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Outcome, Verdict
from ..outcome.failure import Action
from ..outgoing import OutgoingMail, next_piece, prepare
from .broken import SessionBrokenError
from .commands import mail_command, rcpt_command
from .sender import AccountSender

_NEEDS_UTF8 = Reply(0, "5.6.7", "the account's server takes no addresses beyond ASCII (SMTPUTF8)")
#: The number of recipients that a server takes, as it says when there are more.
_NUMBER = re.compile(r"(?:exceed|max|limit|than|most|up to)\D{0,20}(\d{1,6})\b", re.IGNORECASE)
_SPOOL_UNREADABLE = Reply(0, "4.3.0", "the message could not be read from the spool")

#: Positions of recipients in their delivery, and the paths to say for them.
_Paths = Sequence[tuple[int, str]]


class Transaction:
    """One delivery over one session.

    :param open_content: begins to read the message.
    :param most: recipients that the server takes in one transaction.
    :ivar begun: MAIL FROM was sent.
    :ivar refused: the server has refused it for good.
    :ivar taken: the server has taken it for some recipient.
    :ivar most: fewer than before when the server has refused the mail for its many recipients; then
        it has to be tried again.
    :ivar reports_success: the server tells the sender of success, if the sender wants it told.
    """

    log = Logger()

    def __init__(
        self,
        session: AccountSender,
        delivery: Delivery,
        open_content: Callable[[], IContent],
        most: float = math.inf,
    ) -> None:
        self._session = session
        self._delivery = delivery
        self._open_content = open_content
        self._outcomes: dict[int, Outcome] = {}
        self.most = most
        self.begun = False
        self.refused = False
        self.taken = False
        self.reports_success = False

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One outcome for each recipient of the delivery, in their order."""
        return tuple(self._outcomes[position] for position in sorted(self._outcomes))

    async def run(self) -> None:
        """Carry the mail over.

        :raise SessionBrokenError: the session has ended; `outcomes` says what that means for each
            recipient.
        """
        session, delivery = self._session, self._delivery
        utf8 = "SMTPUTF8" in session.offers
        mail = None
        try:
            mail = await prepare(session.account, delivery.message, self._open_content, utf8=utf8)
            if mail.separated and not delivery.attempts:
                self._tell_of_separator()
            paths: _Paths = [(n, each.address) for n, each in enumerate(delivery.recipients)]
            if mail.utf8 and not utf8:
                mail, paths = self._without_utf8(mail, paths)
            await self._carry(mail, paths)
        except SpoolError:
            if self.begun:
                # The server waits for the rest, and must not take what it has for the whole.
                session.abort("the message could not be read from the spool")
            self._conclude(Verdict.DEFERRED, Phase.CONTENT, _SPOOL_UNREADABLE, Action.DEFER)
        except SessionBrokenError as broken:
            uncertain = broken.lost and broken.phase is Phase.END
            verdict = Verdict.UNCERTAIN if uncertain else Verdict.DEFERRED
            self._conclude(verdict, broken.phase, broken.reply, broken.action)
            self._fail_nobody()
            raise
        finally:
            if mail is not None:
                mail.rest.close()

    def _without_utf8(self, mail: OutgoingMail, paths: _Paths) -> tuple[OutgoingMail, _Paths]:
        """Fit the mail to a server without SMTPUTF8, as far as that can be done unchanged."""
        fitting = []
        try:
            if not mail.start[: mail.header_size].isascii():
                raise AddressError("the header goes beyond ASCII")
            reverse_path = ascii_domain(mail.reverse_path)
        except AddressError:
            self._fail_all(_NEEDS_UTF8)
            return mail, ()
        for position, address in paths:
            try:
                fitting.append((position, ascii_domain(address)))
            except AddressError:
                self._settle(position, Verdict.FAILED, Phase.RCPT, _NEEDS_UTF8, Action.FAIL)
        return attrs.evolve(mail, reverse_path=reverse_path), fitting

    def _tell_of_separator(self) -> None:
        self.log.warn(
            "{id}: its header ends at a line that is no field; account {account} has a fixed"
            " sender, so an empty line goes before that line, and what follows it is body",
            id=self._delivery.message.id,
            account=self._session.account.name,
        )

    # The dialogue.

    async def _carry(self, mail: OutgoingMail, paths: _Paths) -> None:
        session = self._session
        limit = session.offers.get("SIZE", "")
        if limit.isdecimal() and 0 < int(limit) < mail.size:
            text = f"the message has {mail.size} bytes, the server takes up to {int(limit)}"
            self._fail_all(Reply(0, "5.3.4", text))
        if not paths or len(self._outcomes) == len(self._delivery.recipients):
            return
        too_many: _Paths = ()
        if len(paths) > self.most:
            paths, too_many = paths[: int(self.most)], paths[int(self.most) :]
        if session.reset_first:
            reply = await session.ask(b"RSET", Phase.RSET)
            if not reply.positive:
                raise SessionBrokenError(Phase.RSET, reply)
            session.reset_first = False
        accepted = await self._say_envelope(mail, paths, too_many)
        if accepted and await self._send_content(mail):
            reply, action = await self._reply(Phase.END)
            self.taken = 200 <= reply.code < 300
            session.reset_first = not self.taken
            if self.taken:
                self._conclude(Verdict.DELIVERED, Phase.END, reply)
            else:
                self._conclude_by(reply, Phase.END, action)

    async def _say_envelope(self, mail: OutgoingMail, paths: _Paths, too_many: _Paths) -> bool:
        """Say MAIL, RCPT and DATA; True when the server waits for the content.

        With PIPELINING all of it leaves at once, and all replies have to be heard to the end.

        :param too_many: are left to another transaction.
        """
        session = self._session
        offers = session.offers
        sender = mail_command(mail, self._delivery.message.envelope, offers)
        recipients = [
            rcpt_command(mail, self._delivery.recipients[position], path, offers)
            for position, path in paths
        ]
        pipelining = "PIPELINING" in offers
        self.begun = True
        self.reports_success = "DSN" in offers and mail.own_sender
        session.mails += 1
        if pipelining:
            session.say(sender, *recipients, b"DATA")
        say = _nothing if pipelining else session.say

        say(sender)
        reply, action = await self._reply(Phase.MAIL)
        if action:
            self.refused = reply.permanent
            self._conclude_by(reply, Phase.MAIL, action)
            if pipelining:
                await self._hear_out(paths)
            return False
        if too_many:
            self._put_off(too_many)
        if await self._ask_recipients(paths, recipients, say):
            say(b"DATA")
            reply, action = await self._reply(Phase.DATA)
            if reply.code == 354:
                return True
            self._conclude_by(reply, Phase.DATA, action)
        elif pipelining:
            await self._leave_data(await session.reply(Phase.DATA))
        session.reset_first = True
        return False

    async def _ask_recipients(
        self, paths: _Paths, commands: list[bytes], say: Callable[[bytes], None]
    ) -> bool:
        """Say RCPT for each recipient; True when the server takes somebody."""
        refused = {}
        for (position, _), command in zip(paths, commands, strict=True):
            say(command)
            reply = await self._session.reply(Phase.RCPT)
            if not reply.positive:
                refused[position] = reply
        if refused:
            self._refuse(refused, others=len(refused) < len(paths))
        return len(refused) < len(paths)

    def _refuse(self, refused: dict[int, Reply], *, others: bool) -> None:
        """Settle recipients that were refused.

        What speaks of the account is about the recipient where the server takes others; what speaks
        of too many is not where it takes none.

        :param others: the server takes some.
        :raise SessionBrokenError: it is about the account.
        """
        for position, reply in refused.items():
            action = self._session.account.classify(Phase.RCPT, reply)
            verdict = _verdict(action)
            if action.stops_account:
                if not others:
                    raise SessionBrokenError(Phase.RCPT, reply, action=action)
                firm = reply.permanent and action in (Action.REST, Action.ALARM)
                action = Action.MOVE if firm else Action.DEFER
                verdict = Verdict.FAILED if firm else Verdict.DEFERRED
            elif action is Action.SPLIT and not others:
                action = _without_split(reply)
                verdict = _verdict(action)
            self._settle(position, verdict, Phase.RCPT, reply, action)

    async def _hear_out(self, paths: _Paths) -> None:
        """Hear the replies to RCPT and DATA that left with a MAIL that was refused.

        They follow from that, and say nothing about the account.
        """
        for _ in paths:
            await self._session.reply(Phase.RCPT)
        await self._leave_data(await self._session.reply(Phase.DATA))
        self._session.reset_first = True

    async def _leave_data(self, reply: Reply) -> None:
        """DATA was refused, or went out before it was known that nobody would get the content."""
        if reply.code == 354:
            self._session.say(b".")  # RFC 2920 section 3.1
            await self._session.reply(Phase.END)

    async def _send_content(self, mail: OutgoingMail) -> bool:
        """Send header, body and final dot; False when the server did not wait for the end."""
        session = self._session
        session.phase = Phase.CONTENT
        octets = mail.start
        while True:
            following = await next_piece(mail.rest)
            if session.answered_early:
                reply, action = await self._reply(Phase.CONTENT)
                self._conclude_by(reply, Phase.CONTENT, action)
                # Whatever followed would be read as commands, or as the rest of the content.
                session.abort("the server answered before the end of the content")
                return False
            if not following:
                session.finish(octets + b".\r\n")
                return True
            await session.write(octets)
            octets = following

    async def _reply(self, phase: Phase) -> tuple[Reply, Action | None]:
        """Wait for a reply; return it, and what follows from it unless it is positive.

        :raise SessionBrokenError: it is about the account.
        """
        reply = await self._session.reply(phase)
        if reply.positive:
            return reply, None
        action = self._session.account.classify(phase, reply)
        if action.stops_account:
            raise SessionBrokenError(phase, reply, action=action)
        return reply, action

    # The outcomes.

    def _settle(
        self,
        position: int,
        verdict: Verdict,
        phase: Phase,
        reply: Reply,
        action: Action | None = None,
    ) -> None:
        """A recipient that is not settled yet is this."""
        if position not in self._outcomes:
            self._outcomes[position] = Outcome(
                recipient=self._delivery.recipients[position],
                verdict=verdict,
                phase=phase,
                reply=reply,
                action=action,
            )

    def _conclude(
        self, verdict: Verdict, phase: Phase, reply: Reply, action: Action | None = None
    ) -> None:
        """All recipients that are not settled yet are this."""
        for position in range(len(self._delivery.recipients)):
            self._settle(position, verdict, phase, reply, action)

    def _conclude_by(self, reply: Reply, phase: Phase, action: Action | None) -> None:
        """All recipients that are not settled yet are what the reply says.

        :param action: ``None``: a positive reply, where none was due.
        """
        action = action or Action.DEFER
        if action is Action.SPLIT:
            action = self._ask_fewer(reply)
        self._conclude(_verdict(action), phase, reply, action)

    def _fail_all(self, reply: Reply) -> None:
        """The mail cannot go over this session, for a reason of our own."""
        self._conclude(Verdict.FAILED, Phase.MAIL, reply, Action.FAIL)

    # Recipients that are too many.

    def _put_off(self, too_many: _Paths) -> None:
        """Those who are not asked in this transaction are for the next one."""
        reply = Reply(0, "4.5.3", f"no more than {self.most} recipients at a time")
        for position, _ in too_many:
            self._settle(position, Verdict.DEFERRED, Phase.RCPT, reply, Action.SPLIT)

    def _ask_fewer(self, reply: Reply) -> Action:
        """The server has refused the whole mail, for the number of those whom it had taken."""
        taken = len(self._delivery.recipients) - len(self._outcomes)
        if taken < 2:
            return _without_split(reply)
        found = _NUMBER.search(reply.text)
        told = int(found[1]) if found else 0
        self.most = told if 0 < told < taken else taken // 2
        return Action.SPLIT

    def _fail_nobody(self) -> None:
        """The account is at fault: what was refused before is asked again."""
        for position, outcome in self._outcomes.items():
            if outcome.verdict is Verdict.FAILED:
                self._outcomes[position] = attrs.evolve(
                    outcome, verdict=Verdict.DEFERRED, action=None
                )


def _verdict(action: Action) -> Verdict:
    """Return what a refusal means for the recipients that it is about."""
    return Verdict.FAILED if action is Action.FAIL else Verdict.DEFERRED


def _nothing(line: bytes) -> None:
    """It has been said."""


def _without_split(reply: Reply) -> Action:
    return Action.FAIL if reply.permanent else Action.DEFER
