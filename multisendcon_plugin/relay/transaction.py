"""One mail over a session: MAIL, RCPT, DATA, the content, and an outcome for each recipient.

RFC 5321 section 3.3, RFC 2920 (PIPELINING), RFC 6531 (SMTPUTF8).  Content beyond ASCII is sent as
it is to servers without 8BITMIME, although RFC 6152 section 3 wants it converted or returned: a
conversion would break signatures over the content, and all such servers known to us take it.

A mail may have more recipients than the server takes in one transaction: those beyond that number
are left to the next transaction.
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
    :ivar refused: MAIL FROM was refused permanently.
    :ivar taken: the server has accepted the mail for at least one recipient.
    :ivar most: lower than given when the server has refused the whole mail because of the number
        of its recipients; the mail has to be tried again with as many.
    :ivar reports_success: the server sends the reports of success (RFC 3461).
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
        """Send the mail.

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
                # The server waits for the rest, and must not take what it has for the whole mail.
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
        """Prepare the mail for a server without SMTPUTF8; recipients that need it fail (5.6.7).

        RFC 6531 section 3.2: no address or header beyond ASCII may be sent to it.  A domain in
        A-labels is the same domain (RFC 5890), so where no more is needed, the mail leaves; and so
        does a mail in ASCII whose client only said SMTPUTF8.
        """
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
                self._set_outcome(position, Verdict.FAILED, Phase.RCPT, _NEEDS_UTF8, Action.FAIL)
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

        With PIPELINING all of it is sent at once, and every reply has to be read.

        :param too_many: recipients that are left to the next transaction.
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
                await self._skip_replies(paths)
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
        """Say RCPT for each recipient; True when the server accepts at least one."""
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
        """Set the outcomes of recipients that were refused.

        Where the server takes other recipients, a refusal that speaks of the account is about the
        recipient ("relay access denied").  Where it takes none, one that speaks of too many (452,
        552, x.5.3) cannot be about their number.

        :param others: the server has accepted some recipients.
        :raise SessionBrokenError: the account is at fault.
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
            self._set_outcome(position, verdict, Phase.RCPT, reply, action)

    async def _skip_replies(self, paths: _Paths) -> None:
        """Read the replies to RCPT and DATA that were sent together with a refused MAIL.

        They only follow from that refusal.
        """
        for _ in paths:
            await self._session.reply(Phase.RCPT)
        await self._leave_data(await self._session.reply(Phase.DATA))
        self._session.reset_first = True

    async def _leave_data(self, reply: Reply) -> None:
        """Send a lone dot if the server waits for content that no recipient would get."""
        if reply.code == 354:
            self._session.say(b".")  # RFC 2920 section 3.1
            await self._session.reply(Phase.END)

    async def _send_content(self, mail: OutgoingMail) -> bool:
        """Send header, body and final dot; False when the server has replied before the end."""
        session = self._session
        session.phase = Phase.CONTENT
        octets = mail.start
        while True:
            following = await next_piece(mail.rest)
            if session.answered_early:
                # Also what came in one segment with the 354: taken for the reply to the final dot,
                # a 250 would lose a mail that the server does not have yet.
                reply, action = await self._reply(Phase.CONTENT)
                self._conclude_by(reply, Phase.CONTENT, action)
                # More content might be read as commands, and a QUIT as content.
                session.abort("the server answered before the end of the content")
                return False
            if not following:
                session.finish(octets + b".\r\n")
                return True
            await session.write(octets)
            octets = following

    async def _reply(self, phase: Phase) -> tuple[Reply, Action | None]:
        """Wait for a reply; return it, with the action that follows unless it is positive.

        :raise SessionBrokenError: the account is at fault.
        """
        reply = await self._session.reply(phase)
        if reply.positive:
            return reply, None
        action = self._session.account.classify(phase, reply)
        if action.stops_account:
            raise SessionBrokenError(phase, reply, action=action)
        return reply, action

    # The outcomes.

    def _set_outcome(
        self,
        position: int,
        verdict: Verdict,
        phase: Phase,
        reply: Reply,
        action: Action | None = None,
    ) -> None:
        """Set the outcome of a recipient that has none yet."""
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
        """Set the same outcome for all recipients that have none yet."""
        for position in range(len(self._delivery.recipients)):
            self._set_outcome(position, verdict, phase, reply, action)

    def _conclude_by(self, reply: Reply, phase: Phase, action: Action | None) -> None:
        """Set the outcome that follows from a reply for all recipients that have none yet.

        :param action: ``None``: the reply is positive, but not the one that was due.
        """
        action = action or Action.DEFER
        if action is Action.SPLIT:
            action = self._ask_fewer(reply)
        self._conclude(_verdict(action), phase, reply, action)

    def _fail_all(self, reply: Reply) -> None:
        """Fail all recipients that have no outcome yet: this server cannot take the mail."""
        self._conclude(Verdict.FAILED, Phase.MAIL, reply, Action.FAIL)

    # More recipients than the server takes at once.

    def _put_off(self, too_many: _Paths) -> None:
        """Leave the recipients that are not named in this transaction to the next one."""
        reply = Reply(0, "4.5.3", f"no more than {self.most} recipients at a time")
        for position, _ in too_many:
            self._set_outcome(position, Verdict.DEFERRED, Phase.RCPT, reply, Action.SPLIT)

    def _ask_fewer(self, reply: Reply) -> Action:
        """Lower `most`: the server has refused the whole mail for the number of its recipients.

        To as many as its reply names, or else to half; a refusal of a single recipient cannot be
        about their number.
        """
        taken = len(self._delivery.recipients) - len(self._outcomes)
        if taken < 2:
            return _without_split(reply)
        found = _NUMBER.search(reply.text)
        told = int(found[1]) if found else 0
        self.most = told if 0 < told < taken else taken // 2
        return Action.SPLIT

    def _fail_nobody(self) -> None:
        """Defer the recipients that were refused before the account turned out to be at fault."""
        for position, outcome in self._outcomes.items():
            if outcome.verdict is Verdict.FAILED:
                self._outcomes[position] = attrs.evolve(
                    outcome, verdict=Verdict.DEFERRED, action=None
                )


def _verdict(action: Action) -> Verdict:
    """Return what a refusal means for the recipients that it is about."""
    return Verdict.FAILED if action is Action.FAIL else Verdict.DEFERRED


def _nothing(line: bytes) -> None:
    """Do nothing: the line was sent before, by pipelining."""


def _without_split(reply: Reply) -> Action:
    return Action.FAIL if reply.permanent else Action.DEFER
