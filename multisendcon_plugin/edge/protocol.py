"""The mail transactions of the master relay: envelope, content, and the reply to it.

A `twisted.mail.smtp.ESMTP`; all that is decided about mail is the delivery hook's.  RFC 5321
section 3.3, 3030 (CHUNKING), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3461 (DSN).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.mail import smtp
from twisted.python.failure import Failure

from ..mail.reply import Reply, ReplyError
from . import replies
from .faults import reply_to
from .order import WRONG_ORDER, State
from .parameters import ReversePath, read_bdat, read_mail, read_rcpt
from .session import ESMTPSession
from .transfer import ChunkedMessage, Content

_ENVELOPE_MISSING = (replies.MAIL_FIRST, replies.RCPT_FIRST)


class RelayESMTP(ESMTPSession):
    """One session with a client, and the mail in it.

    A transaction has one `ChunkedMessage`, whatever the number of its recipients: the one that the
    delivery hook makes for the first; it knows of the others.

    :ivar fix_bare_lf: a line of content may end with a bare LF, which becomes CRLF.
    :ivar owes_reply: a message was sent whole, and its reply is still to be said.
    """

    fix_bare_lf = False

    def __init__(self, chal: Any = None, contextFactory: Any = None) -> None:
        super().__init__(chal, contextFactory)
        self._from: ReversePath | None = None
        self._path = ""
        self._to: list[tuple[str, Callable[[], ChunkedMessage]]] = []
        self._content: Content | None = None
        self._envelope_refused = False
        self._time_limit: IDelayedCall | None = None
        self._chunk_is_last = False
        self.owes_reply = False
        self._stopping = False

    @property
    def state(self) -> State:
        if self._content is not None:
            return State.CHUNKS
        if self._from is not None:
            return State.RECIPIENTS if self._to else State.SENDER
        return State.CONNECTED if self._helo is None else State.GREETED

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if self._time_limit:
            self._time_limit.cancel()
            self._time_limit = None
        self._no_more_mail()

    def hang_up(self) -> None:
        super().hang_up()
        self._no_more_mail()

    def _no_more_mail(self) -> None:
        if not self.owes_reply:  # or the mail is still on its way into the spool
            self._end_transaction()

    def mail_forgotten(self) -> None:
        """Nothing of a transaction is kept any longer; nothing need be done."""

    def stop(self) -> None:
        """End the session, but say the reply first that takes over a message."""
        self._stopping = True
        if not self.owes_reply:
            self.close_with(replies.SHUTTING_DOWN)

    def keyword(self) -> str:
        """Return how the session speaks, for trace fields (RFC 3848, RFC 6531 section 4.3)."""
        if not self.esmtp:
            return "SMTP"
        return (
            ("UTF8SMTP" if self._speaks_utf8 else "ESMTP")
            + ("S" if self.secure else "")
            + ("A" if self.authenticated else "")
        )

    @property
    def _speaks_utf8(self) -> bool:
        return self._from is not None and self._from.utf8

    # The envelope.

    def do_MAIL(self, rest: bytes) -> None:
        self.in_order(b"MAIL")
        path = read_mail(rest, auth=bool(self.challengers), smtputf8=self.settings.smtputf8)
        # RFC 1870 section 6.1: before the client sends it.
        if path.size > self.settings.max_message_size:
            raise ReplyError(replies.TOO_LARGE)
        self.when(self.validateFrom(self._helo, path), self._sender_accepted)

    def _sender_accepted(self, path: ReversePath) -> None:
        self._from = path
        self._envelope_refused = False
        # The timer of the session's last transaction, moved on: that costs less than a new one.
        if self._time_limit:
            self._time_limit.reset(self.settings.transaction_timeout)
        else:
            self._time_limit = self.callLater(self.settings.transaction_timeout, self._time_is_up)
        self.say(replies.SENDER_OK)

    def _time_is_up(self) -> None:
        self._time_limit = None
        # Not after the final dot: the time that the commit takes is ours, and to end the session
        # then would make the client send again what is on disk (RFC 1047).
        if self._from is not None and not self.owes_reply:
            why = f"transaction_timeout ({self.settings.transaction_timeout:g} s) reached"
            self.close_with(replies.MAIL_TOO_SLOW, why)

    def do_RCPT(self, rest: bytes) -> None:
        self.in_order(b"RCPT")
        path = read_rcpt(rest, utf8=self._speaks_utf8)
        # RFC 5321 section 4.5.3.1.10: 452, with which the client sends the rest separately.
        if len(self._to) >= self.settings.max_recipients:
            raise ReplyError(replies.TOO_MANY_RECIPIENTS)
        self._path = path.address
        self.when(self.validateTo(path), self._recipient_accepted)

    def _recipient_accepted(self, make_message: Callable[[], ChunkedMessage]) -> None:
        self._to.append((self._path, make_message))
        self.say(replies.RECIPIENT_OK)

    def validateFrom(self, helo: tuple[bytes, bytes] | None, origin: ReversePath) -> Any:
        """Ask the delivery hook; each transaction has a new one."""
        if self.deliveryFactory is not None:
            self.delivery = self.deliveryFactory.getMessageDelivery()
        if self.delivery is None:
            raise ReplyError(self.no_rights)
        return self.delivery.validateFrom(helo, origin)

    def unfinished(self) -> str:
        if self.owes_reply:
            return "before the reply to a mail, which is taken; it may send it again"
        return super().unfinished() if self._from is None else "in the middle of a mail"

    @property
    def sender(self) -> str | None:
        """Of the mail under way; ``None``: there is none."""
        return None if self._from is None else self._from.address

    @property
    def recipients(self) -> tuple[str, ...]:
        """Those that the mail under way has so far."""
        return tuple(address for address, _ in self._to)

    def _refuse(self, reply: Reply) -> None:
        super()._refuse(reply)
        verb = (self._line.split(maxsplit=1) or [b""])[0].upper()
        if verb in (b"MAIL", b"RCPT") and reply not in _ENVELOPE_MISSING:
            self._envelope_refused = True

    def is_error(self, reply: Reply) -> bool:
        # A client that pipelines (RFC 2920) has sent the rest of a mail when it reads of the
        # refusal.
        follows = self._envelope_refused and reply in _ENVELOPE_MISSING
        return not follows and super().is_error(reply)

    def do_RSET(self, rest: bytes) -> None:
        self._no_argument(rest)
        self.forget_transaction()
        self.say(replies.RESET)

    def forget_transaction(self) -> None:
        # Or RSET would be the way around the limit of refusals.
        if self._to and (ending := self.tarpit.refusal(len(self._to))):
            self.close_with(*ending)
        self._end_transaction()

    def _end_transaction(self) -> None:
        self._from = None
        self._to = []
        self._envelope_refused = False
        self._forget_content()
        if self.deliveryFactory is not None:
            self.delivery = None  # it has the recipients, and the header
        self.mail_forgotten()

    # The content.

    def do_DATA(self, rest: bytes) -> None:
        self._no_argument(rest)
        self.in_order(b"DATA")
        self._content = self._content_for(self._make_message())
        self._line = b""  # what is refused now is the mail
        self.mode = smtp.DATA
        self.say(replies.SEND_CONTENT)

    def do_BDAT(self, rest: bytes) -> None:
        chunk = read_bdat(rest)
        if chunk is None:
            # What follows is content, and must not be taken for commands; where it ends, nobody
            # knows.
            self.close_with(replies.CHUNK_UNKNOWN)
            return
        if self._content is None:
            self._content = self._first_chunk()
        if chunk.last is None:
            self._content.refuse(replies.BDAT_SYNTAX)
        self._content.announce(chunk.size)
        self._chunk_is_last = bool(chunk.last)
        self._line = b""  # what is refused now is the mail
        self.mode = smtp.DATA
        self.content_left = chunk.size
        if chunk.size == 0:
            self._chunk_ended(self._content)

    def _first_chunk(self) -> Content:
        """Begin the content; a refusal is said after each chunk, since all of them may be here.

        RFC 3030 section 2: a BDAT that fails makes its transaction fail.  Its octets, and those of
        all further chunks, are swallowed until LAST or RSET.
        """
        refusal = WRONG_ORDER[self.state].get(b"BDAT")
        message = None
        if refusal is None:
            try:
                message = self._make_message()
            except Exception:
                refusal = reply_to(Failure(), self.peer, self.events)
        content = self._content_for(message)
        if refusal:
            content.refuse(refusal)
        return content

    def _make_message(self) -> ChunkedMessage:
        message = self._to[0][1]()
        message.lineReceived(self.receivedHeader(self._helo, self._from, self._to))
        return message

    def _content_for(self, message: ChunkedMessage | None) -> Content:
        return Content(
            message,
            self.peer,
            self._wait_for,
            max_size=self.settings.max_message_size,
            fix_bare_lf=self.fix_bare_lf,
        )

    def _wait_for(self, room: Deferred[None]) -> None:
        self._read_or_not("content not stored", True)
        room.addBoth(lambda _: self._read_or_not("content not stored", False))

    def receive_content(self, octets: bytes) -> bytes:
        content = self._content
        assert content is not None, "the mode is DATA"  # noqa: S101 -- for the type checker
        if self.content_left is not None:
            self.content_left -= len(octets)
            content.feed_chunk(octets)
            if self.content_left == 0:
                self._chunk_ended(content)
            return b""
        rest = content.feed(octets)
        if rest is None:
            return b""
        self._content_ended(content)
        return rest

    def _chunk_ended(self, content: Content) -> None:
        self.mode = smtp.COMMAND
        self.content_left = None
        if self._chunk_is_last:
            content.end_chunks()
            self._content_ended(content)
        elif content.refusal:
            # There is no transaction that later chunks could belong to.
            if self._from is None:
                self._content = None
            self._refuse(content.refusal)
        else:
            self.say(replies.CHUNK_TAKEN)

    def _content_ended(self, content: Content) -> None:
        self.mode = smtp.COMMAND
        self._content = None
        if content.refusal:
            self._refuse(content.refusal)
            self.forget_transaction()
        else:
            self.owes_reply = True
            self.when(content.end(), self._queued)

    def _queued(self, name: str) -> None:
        # A session may carry thousands of mails; only those that bring none are under suspicion.
        self.tarpit.errors = self.tarpit.refusals = self._other_commands = 0
        self.say(Reply(250, "2.0.0", f"queued as {name}"))

    def answered(self) -> None:
        if self.owes_reply:
            self.owes_reply = False
            self._end_transaction()
        if self._stopping:
            self.close_with(replies.SHUTTING_DOWN)

    def _forget_content(self) -> None:
        if self._content:
            content, self._content = self._content, None
            content.abandon()
