"""One mail over a session: MAIL, RCPT, DATA, the content, and an outcome for each recipient.

RFC 5321 section 3.3, RFC 2920 (PIPELINING), RFC 6531 (SMTPUTF8).  Content beyond ASCII is sent as
it is to servers without 8BITMIME, although RFC 6152 section 3 wants it converted or returned: a
conversion would break signatures over the content, and all such servers known to us take it.

A mail may have more recipients than the server takes in one transaction: those beyond that number
are left to the next transaction.

The replies that are due stand in a queue, and a table says what follows from each.  Here are no
transport and no clock: what is said goes to the session, and replies are taken from its reader.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from twisted.logger import Logger

from ..errors import AddressError, SpoolError
from ..interfaces import IArchive, IContent, ICopy
from ..mail.message import Delivery
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Verdict
from ..outcome.failure import Action
from ..outgoing import OutgoingMail, prepare
from .commands import Paths, mail_command, rcpt_command, without_utf8
from .content import OutgoingContent
from .due import IN_VAIN, Due
from .outcomes import RecipientOutcomes
from .sender import AccountSender

_NEEDS_UTF8 = Reply(0, "5.6.7", "the account's server takes no addresses beyond ASCII (SMTPUTF8)")
_EARLY = "the server answered before the end of the content"
_UNREADABLE = "the message could not be read from the spool"


_Follows = Callable[["Transaction", Phase, Reply, Action], None]

#: What follows from each kind of reply to what is due; ``-``: the next reply, if one is due.
#: Refusals are about the mail or a recipient, or about the account; *gone*: there will be no reply,
#: as the connection is lost, or was cut off when the time for the reply was over.
_TABLE = """
due        phase    2xx     354     3xx     mail       account    421        gone
RSET       RSET     reset   reset   reset   fault      fault      fault      fault
MAIL       MAIL     sender  sender  sender  refused    fault      fault      fault
RCPT       RCPT     -       -       -       recipient  recipient  fault      fault
LAST_RCPT  RCPT     end     end     end     last       last       fault      fault
DATA       DATA     no      -       no      no         fault      fault      fault
CONTENT    CONTENT  early   early   early   early      too_early  too_early  fault
END        END      taken   no      no      no         fault      fault      uncertain
VAIN_RCPT  RCPT     -       -       -       -          -          fault      fault
VAIN_DATA  DATA     -       dot     -       -          -          fault      fault
LONE_DOT   END      -       -       -       -          -          fault      fault
"""


class Row(NamedTuple):
    """What follows from each kind of reply to one thing, in the order of the columns."""

    phase: Phase
    taken: _Follows | None
    go_ahead: _Follows | None
    other: _Follows | None
    mail: _Follows | None
    account: _Follows | None
    closing: _Follows
    gone: _Follows


def _rows(**follows: Any) -> dict[Due, Row]:
    rows = [line.split() for line in _TABLE.strip().splitlines()[1:]]
    return {
        Due[due]: Row(Phase[phase], *(follows.get(each) for each in columns))  # type: ignore[arg-type]
        for due, phase, *columns in rows
    }


class Transaction:
    """One delivery over one session.

    :param open_content: begins to read the message.
    :param most: recipients that the server takes in one transaction.
    :param archive: keeps a copy of what is sent.
    :param now: the clock, for an account with quotas.
    :ivar counted: see `Attempt`, as for `said`.
    :ivar copy: of what was sent, to be ended when all is over.
    :ivar outcomes: one for each recipient, when all is over.
    :ivar begun: MAIL FROM was sent.
    :ivar refused: MAIL FROM was refused permanently.
    :ivar taken: the server has accepted the mail for at least one recipient.
    :ivar reports_success: the server sends the reports of success (RFC 3461).
    """

    log = Logger()

    def __init__(
        self,
        session: AccountSender,
        delivery: Delivery,
        open_content: Callable[[], IContent],
        most: float = math.inf,
        *,
        archive: IArchive | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._session = session
        self._delivery = delivery
        self._content = OutgoingContent(open_content, session.go_on)
        self._archive = archive
        self._now = now
        self.counted: float | None = None
        self.said: int | None = None
        self.copy: ICopy | None = None
        self.outcomes = RecipientOutcomes(delivery.recipients, most)
        self.begun = self.refused = self.taken = self.reports_success = False
        self._prepared = self._too_late = False
        #: What was read and not sent yet.
        self._octets = b""
        self._due: deque[Due] = deque()
        #: Commands that have to wait for the reply to the one before.
        self._unsaid: deque[bytes] = deque()
        self._asked: Paths = ()
        self._too_many: Paths = ()
        self._refused: dict[int, tuple[Reply, Action]] = {}

    def go_on(self) -> bool:
        """Go on with what has come, as far as possible; True when the mail is over."""
        session, content, due = self._session, self._content, self._due
        reader = session.reader
        try:
            while due or not self._prepared:
                if content.awaited:
                    # For the spool all wait: replies, and the end of the connection.
                    session.expect_nothing()
                    return False
                if not self._prepared:
                    self._prepare()
                elif reader.replies:
                    self._hear()
                elif session.lost:
                    row = self.ROWS[due[0]]
                    # Lost before MAIL, it is lost at MAIL, whatever had been said unasked.
                    phase = Phase.MAIL if self._too_late else row.phase
                    action = session.account.classify(phase, session.lost)
                    row.gone(self, phase, session.lost, action)
                elif due[0] is Due.CONTENT and not (reader.in_a_reply or session.paused):
                    self._send_on()
                else:
                    session.expect(self.ROWS[due[0]].phase)
                    return False
        except SpoolError:
            if self.begun:
                # The server waits for the rest, and must not take what it has for the whole mail.
                session.abort(_UNREADABLE)
            reply = Reply(0, "4.3.0", _UNREADABLE)
            self.outcomes.conclude(Verdict.DEFERRED, Phase.CONTENT, reply, Action.DEFER)
        except BaseException:
            self._give_up()
            raise
        content.close()
        return True

    def _give_up(self) -> None:
        """An error of ours has ended it."""
        self._content.close()
        if self.copy is not None:
            self.copy.discard()

    def _hear(self) -> None:
        """Do what the table says for each reply, and say the command that waited for it."""
        session, due, replies = self._session, self._due, self._session.reader.replies
        while due and replies:
            row, reply = self.ROWS[due.popleft()], replies.popleft()
            code = reply.code
            action = Action.DEFER  # where it is positive, but not the one that was due
            if code < 300:
                follows = row.taken
            elif code == 354:
                follows = row.go_ahead
            elif code < 400:
                follows = row.other
            else:
                action = session.account.classify(row.phase, reply)
                if code == 421:  # the session ends, whatever it says (RFC 5321 section 3.8)
                    follows = row.closing
                else:
                    follows = row.account if action.stops_account else row.mail
            if follows:
                follows(self, row.phase, reply, action)
            if self._unsaid:
                session.write(self._unsaid.popleft())

    # What is said.

    def _prepare(self) -> None:
        """Read the header, and what the account wants beside it; then begin."""
        session, delivery = self._session, self._delivery
        piece = self._content.read()
        if piece is None:
            return
        self._octets += piece
        utf8 = "SMTPUTF8" in session.offers
        mail = prepare(session.account, delivery.message, self._octets, utf8=utf8)
        if mail is None:
            if not piece:
                raise SpoolError("the content is shorter than its header")
            return
        self._prepared = True
        self._octets = mail.start
        if mail.separated and not delivery.attempts:
            self._tell_of_separator()
        self._begin(mail, utf8=utf8)

    def _begin(self, mail: OutgoingMail, *, utf8: bool) -> None:
        session, delivery, most = self._session, self._delivery, self.outcomes.most
        offers = session.offers
        paths: Paths = [(n, each.address) for n, each in enumerate(delivery.recipients)]
        if mail.utf8 and not utf8:
            try:
                mail, paths, others = without_utf8(mail, paths)
            except AddressError:
                self._fail_all(_NEEDS_UTF8)
                return
            self.outcomes.conclude(Verdict.FAILED, Phase.RCPT, _NEEDS_UTF8, Action.FAIL, others)
        limit = offers.get("SIZE", "")
        if limit.isdecimal() and 0 < int(limit) < mail.size:
            text = f"the message has {mail.size} bytes, the server takes up to {int(limit)}"
            self._fail_all(Reply(0, "5.3.4", text))
        elif paths:
            if len(paths) > most:
                paths, self._too_many = paths[: int(most)], paths[int(most) :]
            self._asked = paths
            if self._now is not None:
                self.said = len(paths)
            if self._archive is not None:
                self.copy = self._archive.begin(delivery, mail.reverse_path)
            commands = [mail_command(mail, delivery.message.envelope, offers)]
            for position, path in paths:
                recipient = delivery.recipients[position]
                commands.append(rcpt_command(mail, recipient, path, offers))
            commands.append(b"DATA\r\n")
            self._unsaid.extend([b"".join(commands)] if "PIPELINING" in offers else commands)
            more = [Due.RCPT] * (len(paths) - 1)
            self._due.extend((Due.MAIL, *more, Due.LAST_RCPT, Due.DATA, Due.CONTENT))
            self.reports_success = mail.own_sender and "DSN" in offers
            self._too_late = session.lost is not None
            if session.unclean:
                self._due.appendleft(Due.RSET)
                self._unsaid.appendleft(b"RSET\r\n")
            else:
                self._begin_mail()
            session.write(self._unsaid.popleft())

    def _tell_of_separator(self) -> None:
        self.log.warn(
            "{id}: its header ends at a line that is no field; account {account} has a fixed"
            " sender, so an empty line goes before that line, and what follows it is body",
            id=self._delivery.message.id,
            account=self._session.account.name,
        )

    def _fail_all(self, reply: Reply) -> None:
        """The server cannot take the mail."""
        self.outcomes.conclude(Verdict.FAILED, Phase.MAIL, reply, Action.FAIL)

    def _begin_mail(self) -> None:
        """MAIL is said next, and with PIPELINING all that follows it."""
        self.begun = True
        self._session.begin_mail()

    def _send_on(self) -> None:
        """Send what was read last, or the end with the final dot, which nothing takes back."""
        following = self._content.read()
        if following is None:
            return
        octets, self._octets = self._octets, following
        if self.copy is not None:
            self.copy.write(octets)
        if following:
            self._session.write(octets)
        else:
            self._due[0] = Due.END
            self._session.write(octets + b".\r\n")

    def _end(self) -> None:
        """Nothing more is due, and nothing more is said."""
        self._due.clear()
        self._unsaid.clear()

    # What follows from a reply.

    def _reset(self, _phase: Phase, _reply: Reply, _action: Action) -> None:
        self._session.leave(unclean=False)
        self._begin_mail()

    def _take_sender(self, _phase: Phase, _reply: Reply, _action: Action) -> None:
        if self._too_many:
            # They are left to the next transaction.
            text = f"no more than {self.outcomes.most} recipients at a time"
            positions = [position for position, _ in self._too_many]
            self.outcomes.conclude(
                Verdict.DEFERRED, Phase.RCPT, Reply(0, "4.5.3", text), Action.SPLIT, positions
            )

    def _refuse_sender(self, phase: Phase, reply: Reply, action: Action) -> None:
        self.refused = reply.permanent
        self.outcomes.refuse_all(phase, reply, action)
        if self._unsaid:
            self._end()
            return
        # All was sent together, and the other replies only follow from this refusal.
        self._session.leave(unclean=True)
        in_vain = [IN_VAIN[each] for each in self._due if each in IN_VAIN]
        self._due.clear()
        self._due.extend(in_vain)

    def _refuse_recipient(self, _phase: Phase, reply: Reply, action: Action) -> None:
        position, _ = self._asked[-1 - self._due.index(Due.DATA)]
        self._refused[position] = reply, action

    def _refuse_last(self, phase: Phase, reply: Reply, action: Action) -> None:
        self._refuse_recipient(phase, reply, action)
        self._end_recipients(phase, reply, action)

    def _end_recipients(self, phase: Phase, _reply: Reply, _action: Action) -> None:
        if self._now is not None:
            # Who counts mails has counted this one with MAIL; recipients are known to all by now.
            self.counted = self._now()
        if not self._refused:
            return
        others = len(self._refused) < len(self._asked)
        self.outcomes.refuse(self._refused, phase, others=others)
        if not others:
            self._session.leave(unclean=True)
            all_said = not self._unsaid
            self._end()
            if all_said and not self.outcomes.fault:
                self._due.append(Due.VAIN_DATA)

    def _end_early(self, phase: Phase, reply: Reply, action: Action) -> None:
        """Take a reply to what was not said yet; also if it came in one segment with the 354.

        Taken for the reply to the final dot, a 250 would lose a mail that the server does not have
        yet.  More content might be read as commands, and a QUIT as content.
        """
        self._session.abort(_EARLY)
        self.outcomes.refuse_all(phase, reply, action)
        self._end()

    def _blame_early(self, phase: Phase, reply: Reply, action: Action) -> None:
        self._session.abort(_EARLY)
        self._blame(phase, reply, action)

    def _refuse_mail(self, phase: Phase, reply: Reply, action: Action) -> None:
        self._session.leave(unclean=True)
        self.outcomes.refuse_all(phase, reply, action)
        self._end()

    def _take_mail(self, phase: Phase, reply: Reply, _action: Action) -> None:
        self.taken = True
        self.outcomes.conclude(Verdict.DELIVERED, phase, reply, None)

    def _say_lone_dot(self, _phase: Phase, _reply: Reply, _action: Action) -> None:
        # The server waits for content that no recipient would get (RFC 2920 section 3.1).
        self._due.append(Due.LONE_DOT)
        self._session.write(b".\r\n")

    def _blame(self, phase: Phase, reply: Reply, action: Action) -> None:
        self.outcomes.blame(phase, reply, action)
        self._end()

    def _doubt(self, phase: Phase, reply: Reply, action: Action) -> None:
        # The server may have the mail (RFC 1047).
        self.outcomes.conclude(Verdict.UNCERTAIN, phase, reply, None)
        self._blame(phase, reply, action)

    ROWS: ClassVar = _rows(
        reset=_reset,
        sender=_take_sender,
        refused=_refuse_sender,
        recipient=_refuse_recipient,
        last=_refuse_last,
        end=_end_recipients,
        early=_end_early,
        too_early=_blame_early,
        taken=_take_mail,
        no=_refuse_mail,
        dot=_say_lone_dot,
        fault=_blame,
        uncertain=_doubt,
    )
