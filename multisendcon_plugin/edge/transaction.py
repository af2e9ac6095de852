"""The mail transactions of a session: envelope, content, and the reply to it.

All that is decided about mail is the delivery hook's.  RFC 5321 section 3.3, 3030 (CHUNKING), 1870
(SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3461 (DSN).  Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from ..mail.reply import ReplyError
from . import replies
from .content import ChunkEncoder, ContentScanner
from .order import ORDER, State
from .parameters import ReversePath, read_bdat, read_mail, read_rcpt
from .talk import Talk
from .transfer import ChunkedMessage, Content


class Transaction:
    """The mail that a session has under way, one after the other.

    A transaction has one `ChunkedMessage`, whatever the number of its recipients: the one that the
    delivery hook makes for the first; it knows of the others.

    :ivar state: a state of the session, which has a transaction beyond `State.GREETED`.
    :ivar origin: the sender; ``None``: there is no transaction.
    :ivar takes_content: what comes is content, not commands.
    :ivar owes_reply: a message was sent whole, and its reply is still to be said.
    """

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._connection = talk.connection
        self._reader = talk.reader
        self.state = State.CONNECTED
        self.origin: ReversePath | None = None
        self._path = ""
        self._to: list[tuple[str, Callable[[], ChunkedMessage]]] = []
        self._content: Content | None = None
        self._chunk_left: int | None = None
        self._chunk_is_last = False
        self._message: ChunkedMessage | None = None
        self.takes_content = False
        self.owes_reply = False

    @property
    def recipients(self) -> tuple[str, ...]:
        """Those that the mail under way has so far."""
        return tuple(address for address, _ in self._to)

    # The envelope.

    def mail(self, rest: bytes) -> None:
        if refusal := ORDER[b"MAIL"][self.state]:
            raise ReplyError(refusal)
        settings = self._talk.policy.settings
        path = read_mail(rest, auth=bool(self._connection.challengers), smtputf8=settings.smtputf8)
        # RFC 1870 section 6.1: before the client sends it.
        if path.size > settings.max_message_size:
            raise ReplyError(replies.TOO_LARGE)
        answer = self._connection.validateFrom(self._talk.helo, path)
        if isinstance(answer, ReversePath):
            self._sender_accepted(answer)
        else:
            self._connection.when(answer, self._sender_accepted)

    def _sender_accepted(self, path: ReversePath) -> None:
        self.origin = path
        self.state = State.SENDER
        self._talk.tarpit.envelope_refused = False
        self._connection.mail_begins()
        self._talk.said.append(replies.SENDER_OK.wire)

    def rcpt(self, rest: bytes) -> None:
        if refusal := ORDER[b"RCPT"][self.state]:
            raise ReplyError(refusal)
        path = read_rcpt(rest, utf8=self.origin is not None and self.origin.utf8)
        # RFC 5321 section 4.5.3.1.10: 452, with which the client sends the rest separately.
        if len(self._to) >= self._talk.policy.settings.max_recipients:
            raise ReplyError(replies.TOO_MANY_RECIPIENTS)
        self._path = path.address
        answer = self._connection.validateTo(path)
        if callable(answer):
            self._recipient_accepted(answer)
        else:
            self._connection.when(answer, self._recipient_accepted)

    def _recipient_accepted(self, make_message: Callable[[], ChunkedMessage]) -> None:
        self._to.append((self._path, make_message))
        self.state = State.RECIPIENTS
        self._talk.said.append(replies.RECIPIENT_OK.wire)

    def rset(self, rest: bytes) -> None:
        if rest:
            raise ReplyError(replies.NO_ARGUMENT)
        self.give_up()
        self._talk.say(replies.RESET)

    def give_up(self) -> None:
        """End the transaction without a mail, if there is one."""
        # Or RSET would be the way around the limit of refusals.
        if self._to and (ending := self._talk.tarpit.refusal(len(self._to))):
            self._talk.close_with(*ending)
        self.end()

    def end(self) -> None:
        """Keep nothing of the transaction any longer."""
        self.owes_reply = False
        self.origin = self._message = None
        self._to = []
        self._talk.tarpit.envelope_refused = False
        self.state = min(self.state, State.GREETED)
        if self._content:
            content, self._content = self._content, None
            content.abandon()
        self._connection.mail_ends()

    # The content.

    def data(self, rest: bytes) -> None:
        if rest:
            raise ReplyError(replies.NO_ARGUMENT)
        if refusal := ORDER[b"DATA"][self.state]:
            raise ReplyError(refusal)
        scanner = ContentScanner(fix_bare_lf=self._talk.policy.fix_bare_lf)
        self._content = Content(self._make_message(), self._connection, scanner)
        self._reader.shown = b""  # what is refused now is the mail
        self.takes_content = True
        self._talk.said.append(replies.SEND_CONTENT.wire)

    def bdat(self, rest: bytes) -> None:
        chunk = read_bdat(rest)
        if chunk is None:
            # What follows is content, and must not be taken for commands; where it ends, nobody
            # knows.
            self._talk.close_with(replies.CHUNK_UNKNOWN)
            return
        if self._content is None:
            self._content = self._first_chunk()
        if chunk.last is None:
            self._content.refuse(replies.BDAT_SYNTAX)
        self._content.announce(chunk.size)
        self._chunk_is_last = bool(chunk.last)
        self._reader.shown = b""  # what is refused now is the mail
        self.takes_content = True
        self._chunk_left = chunk.size
        if chunk.size == 0:
            self._chunk_ended(self._content)

    def _first_chunk(self) -> Content:
        """Begin the content; a refusal is said after each chunk, since all of them may be here.

        RFC 3030 section 2: a BDAT that fails makes its transaction fail.  Its octets, and those of
        all further chunks, are swallowed until LAST or RSET.
        """
        refusal = ORDER[b"BDAT"][self.state]
        message = None
        if refusal is None:
            try:
                message = self._make_message()
            except Exception:
                refusal = self._connection.reply_to_failure()
        encoder = ChunkEncoder(fix_bare_lf=self._talk.policy.fix_bare_lf)
        content = Content(message, self._connection, encoder)
        if refusal:
            content.refuse(refusal)
        if self.origin:
            self.state = State.CHUNKS
        return content

    def _make_message(self) -> ChunkedMessage:
        message = self._to[0][1]()
        assert self.origin is not None, "there are recipients"  # noqa: S101 -- for the type checker
        message.lineReceived(
            self._connection.receivedHeader(self._talk.helo, self.origin, self._to)
        )
        return message

    def take(self) -> None:
        """Take the content that is here; what follows its end stays."""
        content = self._content
        assert content is not None, "it is awaited"  # noqa: S101 -- for the type checker
        octets = self._reader.content(self._chunk_left)
        if self._chunk_left is not None:
            self._chunk_left -= len(octets)
            content.feed_chunk(octets)
            if self._chunk_left == 0:
                self._chunk_ended(content)
            return
        rest = content.feed(octets)
        if rest is not None:
            self._reader.octets[:0] = rest
            self._content_ended(content)

    def _chunk_ended(self, content: Content) -> None:
        self.takes_content = False
        self._chunk_left = None
        if self._chunk_is_last:
            content.end_chunks()
            self._content_ended(content)
        elif content.refusal:
            # There is no transaction that later chunks could belong to.
            if self.origin is None:
                self._content = None
            self._talk.refuse(content.refusal)
        else:
            self._talk.say(replies.CHUNK_TAKEN)

    def _content_ended(self, content: Content) -> None:
        self.takes_content = False
        self._content = None
        if content.refusal:
            self._talk.refuse(content.refusal)
            self.give_up()
            return
        message = content.message
        assert message is not None, "it is not refused"  # noqa: S101 -- for the type checker
        self._message = message
        self.owes_reply = True
        self._connection.when(message.eomReceived(), self._queued)

    def _queued(self, _: object) -> None:
        assert self._message is not None, "its reply is owed"  # noqa: S101 -- for the type checker
        self._talk.tarpit.taken()
        self._talk.said.append(b"250 2.0.0 queued as %s\r\n" % self._message.name.encode())
        self.end()
