"""The commands of the master relay, and the way of a mail's content into it.

A `twisted.mail.smtp.ESMTP`; all that is decided about mail is the delivery hook's.  RFC 5321, 1870
(SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8), 3461 (DSN), 2034 (ENHANCEDSTATUSCODES), 3207 (STARTTLS),
4954 (AUTH).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import connectionDone
from twisted.mail import smtp
from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory
from twisted.python.failure import Failure

from ..reply import Reply, ReplyError
from . import replies
from .authentication import Authentication
from .content import ContentScanner
from .parameters import ReversePath, read_mail, read_rcpt
from .wire import ESMTPWire


class ChunkedMessage(Protocol):
    """An `IMessage` that takes the content of a transaction in pieces instead of lines."""

    def lineReceived(self, line: bytes) -> None:
        """Take the trace field that goes on top; its lines are joined by CRLF."""

    def chunkReceived(self, chunk: bytes) -> Deferred[None] | None:
        """Take content in wire form; a Deferred asks for a pause until it fires.

        :raise ReplyError: the message is refused with this reply when it has ended.
        """

    def eomReceived(self) -> Deferred[str]:
        """All content is here: answer with the name under which the message is queued."""

    def connectionLost(self) -> None:
        """There will be no more content, or it is not wanted."""


@attrs.frozen(kw_only=True)
class Limits:
    """What a transaction may bring.

    :param message_size: octets of content.
    """

    message_size: int = 50 * 1024 * 1024
    recipients: int = 1000


@attrs.define
class _Content:
    """The content that is arriving, and where it goes."""

    message: ChunkedMessage
    scanner: ContentScanner = attrs.field(factory=ContentScanner)
    size: int = 0
    refusal: Reply | None = None


_COMMANDS = {
    b"HELO": "do_HELO",
    b"EHLO": "do_EHLO",
    b"MAIL": "do_MAIL",
    b"RCPT": "do_RCPT",
    b"DATA": "do_DATA",
    b"RSET": "do_RSET",
    b"NOOP": "do_NOOP",
    b"VRFY": "do_VRFY",
    b"HELP": "do_HELP",
    b"QUIT": "do_QUIT",
    b"STARTTLS": "ext_STARTTLS",
    b"AUTH": "ext_AUTH",
}
# A web page can make a browser send its form to us, with a mail in it.
_WEB_COMMANDS = frozenset([b"CONNECT", b"GET", b"HEAD", b"OPTIONS", b"POST", b"PUT"])


class RelayESMTP(ESMTPWire):
    """One session with a client.

    A transaction has one `ChunkedMessage`, whatever the number of its recipients: the one that the
    delivery hook makes for the first; it knows of the others.

    :ivar owes_reply: a message was sent whole, and its reply is still to be said.
    """

    limits = Limits()
    portal: Any = None

    def __init__(self, chal: Any = None, contextFactory: Any = None) -> None:
        super().__init__(chal, contextFactory)
        self._helo: tuple[bytes, bytes] | None = None
        self._from: ReversePath | None = None
        self._to: list[Callable[[], ChunkedMessage]] = []
        self._content: _Content | None = None
        self._authentication: Authentication | None = None
        self.esmtp = False
        self.owes_reply = False
        self._stopping = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.greet()

    def greet(self) -> None:
        """Say the first words of the session."""
        self.say(Reply(220, "", f"{self.host.decode()} ESMTP ready"))
        self._flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self._forget_content()

    def close_with(self, reply: Reply) -> None:
        super().close_with(reply)
        self._forget_content()

    def stop(self) -> None:
        """End the session, but say the reply first that takes over a message."""
        self._stopping = True
        if not self.owes_reply:
            self.close_with(replies.SHUTTING_DOWN)

    def keyword(self) -> str:
        """Return how the session speaks, for trace fields (RFC 3848, RFC 6531 section 4.3)."""
        if not self.esmtp:
            return "SMTP"
        utf8 = self._from is not None and self._from.utf8
        return (
            ("UTF8SMTP" if utf8 else "ESMTP")
            + ("S" if self.secure else "")
            + ("A" if self.authenticated else "")
        )

    def carry_out(self, line: bytes) -> None:
        if self._authentication:
            self._challenge(self._authentication.answer, line)
            return
        verb, _, argument = line.strip(b" \t").partition(b" ")
        verb = verb.upper()
        if verb in _WEB_COMMANDS:
            self.close_with(replies.NOT_THE_WEB)
            return
        method = _COMMANDS.get(verb)
        if method is None:
            raise ReplyError(replies.UNKNOWN_COMMAND)
        getattr(self, method)(argument.strip(b" \t"))

    # Greeting and session.

    def do_HELO(self, rest: bytes) -> None:
        self._greeted(rest, esmtp=False)
        self.say(Reply(250, "", self.host.decode()))

    def do_EHLO(self, rest: bytes) -> None:
        self._greeted(rest, esmtp=True)
        self.say(Reply(250, "", "\n".join([self.host.decode(), *self.extension_lines()])))

    def _greeted(self, name: bytes, *, esmtp: bool) -> None:
        if not name:
            raise ReplyError(replies.ARGUMENT_MISSING)
        self._forget_transaction()
        self._helo = (name, self.peer.encode())
        self.esmtp = esmtp

    def extension_lines(self) -> list[str]:
        """Return what EHLO advertises, in the words of its reply."""
        lines = [
            "PIPELINING",
            f"SIZE {self.limits.message_size}",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "ENHANCEDSTATUSCODES",
        ]
        if self.ctx and not (self.secure or self.authenticated):
            lines.append("STARTTLS")
        if self.offers_authentication:
            mechanisms = b" ".join(self.challengers).decode()
            lines.append(f"AUTH {mechanisms}")
        return lines

    @property
    def offers_authentication(self) -> bool:
        """A login is possible now."""
        return bool(self.challengers and self.portal and not self.authenticated)

    def do_NOOP(self, rest: bytes) -> None:  # noqa: ARG002 -- any argument is allowed
        self.say(replies.NOTHING_DONE)

    def do_VRFY(self, rest: bytes) -> None:
        if not rest:
            raise ReplyError(replies.ARGUMENT_MISSING)
        self.say(replies.NOT_VERIFIED)

    def do_HELP(self, rest: bytes) -> None:  # noqa: ARG002 -- any argument is allowed
        self.say(replies.HELP)

    def do_QUIT(self, rest: bytes) -> None:
        self._no_argument(rest)
        self.close_with(replies.GOOD_BYE)

    def do_RSET(self, rest: bytes) -> None:
        self._no_argument(rest)
        self._forget_transaction()
        self.say(replies.RESET)

    @staticmethod
    def _no_argument(rest: bytes) -> None:
        if rest:
            raise ReplyError(replies.NO_ARGUMENT)

    # The envelope.

    def do_MAIL(self, rest: bytes) -> None:
        if self._helo is None:
            raise ReplyError(replies.HELO_FIRST)
        if self._from is not None:
            raise ReplyError(replies.MAIL_TWICE)
        path = read_mail(rest)
        if path.size > self.limits.message_size:
            raise ReplyError(replies.TOO_LARGE)
        self.when(self.validateFrom(self._helo, path), self._sender_accepted)

    def _sender_accepted(self, path: ReversePath) -> None:
        self._from = path
        self.say(replies.SENDER_OK)

    def do_RCPT(self, rest: bytes) -> None:
        if self._from is None:
            raise ReplyError(replies.MAIL_FIRST)
        path = read_rcpt(rest, utf8=self._from.utf8)
        if len(self._to) >= self.limits.recipients:
            raise ReplyError(replies.TOO_MANY_RECIPIENTS)
        self.when(self.validateTo(path), self._recipient_accepted)

    def _recipient_accepted(self, make_message: Callable[[], ChunkedMessage]) -> None:
        self._to.append(make_message)
        self.say(replies.RECIPIENT_OK)

    def validateFrom(self, helo: tuple[bytes, bytes], origin: ReversePath) -> Any:
        """Ask the delivery hook; each transaction has a new one."""
        if self.deliveryFactory is not None:
            self.delivery = self.deliveryFactory.getMessageDelivery()
        if self.delivery is None:
            raise ReplyError(Reply(530, "5.7.0", "authentication required"))
        return self.delivery.validateFrom(helo, origin)

    def _forget_transaction(self) -> None:
        self._from = None
        self._to = []

    # The content.

    def do_DATA(self, rest: bytes) -> None:
        self._no_argument(rest)
        if self._from is None:
            raise ReplyError(replies.MAIL_FIRST)
        if not self._to:
            raise ReplyError(replies.RCPT_FIRST)
        message = self._to[0]()
        message.lineReceived(self.receivedHeader(self._helo, self._from, self._to))
        self._forget_transaction()
        self._content = _Content(message)
        self.mode = smtp.DATA
        self.say(replies.SEND_CONTENT)

    def receive_content(self, octets: bytes) -> bytes:
        content = self._content
        assert content is not None, "the mode is DATA"  # noqa: S101 -- for the type checker
        piece, rest = content.scanner.feed(octets)
        content.size += len(piece)
        if content.refusal is None:
            try:
                self._take_piece(content, piece)
            except ReplyError as error:
                self._refuse_content(content, error.reply)
            except Exception:
                self.log.failure("content could not be taken from {peer}", peer=self.peer)
                self._refuse_content(content, replies.LOCAL_ERROR)
        if rest is not None:
            self._content_ended(content)
        return rest or b""

    def _take_piece(self, content: _Content, piece: bytes) -> None:
        if not content.scanner.clean:
            raise ReplyError(replies.BAD_LINE_ENDS)
        if content.size > self.limits.message_size:
            raise ReplyError(replies.TOO_LARGE)
        pause = piece and content.message.chunkReceived(piece)
        if pause:
            self._read_or_not("content not stored", True)
            pause.addBoth(lambda _: self._read_or_not("content not stored", False))

    def _refuse_content(self, content: _Content, reply: Reply) -> None:
        """The client goes on sending until its final dot; then it gets the reply."""
        content.refusal = reply
        content.message.connectionLost()

    def _content_ended(self, content: _Content) -> None:
        self.mode = smtp.COMMAND
        self._content = None
        if content.refusal:
            self._refuse(content.refusal)
        else:
            self.owes_reply = True
            self.when(maybeDeferred(content.message.eomReceived), self._queued)

    def _queued(self, name: str) -> None:
        self._errors = 0
        self.say(Reply(250, "2.0.0", f"queued as {name}"))

    def answered(self) -> None:
        self.owes_reply = False
        if self._stopping:
            self.close_with(replies.SHUTTING_DOWN)

    def _forget_content(self) -> None:
        if self._content:
            content, self._content = self._content, None
            if content.refusal is None:
                content.message.connectionLost()

    def _refuse(self, reply: Reply) -> None:
        # Also a response that is no line at all ends the exchange of AUTH.
        self._authentication = None
        super()._refuse(reply)

    # TLS and login.

    def ext_STARTTLS(self, rest: bytes) -> None:
        self._no_argument(rest)
        if self.secure:
            raise ReplyError(replies.TLS_ALREADY)
        if self.ctx is None:
            raise ReplyError(replies.NOT_OFFERED)
        if self.authenticated:
            raise ReplyError(replies.AUTHENTICATED_ALREADY)
        if self.more_is_here:
            # Sent before the handshake, it would be carried out as though it came after it
            # (CVE-2011-0411).
            self.close_with(replies.TLS_NOT_ALONE)
            return
        self.say(replies.BEGIN_TLS)
        # Nothing that was said in the clear holds any longer (RFC 3207 section 4.2).
        self._forget_transaction()
        self._helo = None
        self.start_tls()

    def ext_AUTH(self, rest: bytes) -> None:
        if self.authenticated:
            raise ReplyError(replies.AUTHENTICATED_ALREADY)
        if not self.offers_authentication:
            raise ReplyError(replies.NOT_OFFERED)
        if self._helo is None:
            raise ReplyError(replies.HELO_FIRST)
        if self._from is not None:
            raise ReplyError(replies.NOT_DURING_MAIL)
        if not rest:
            raise ReplyError(replies.ARGUMENT_MISSING)
        mechanism, _, initial_response = rest.partition(b" ")
        make_challenger = self.challengers.get(mechanism.upper())
        if make_challenger is None:
            raise ReplyError(replies.MECHANISM_UNKNOWN)
        self._authentication = Authentication(make_challenger())
        self._challenge(self._authentication.begin, initial_response.strip())

    def _challenge(self, step: Callable[[bytes], bytes | None], response: bytes) -> None:
        authentication, self._authentication = self._authentication, None
        challenge = step(response)
        if challenge is not None:
            self._authentication = authentication
            self.say(Reply(334, "", challenge.decode()))
            return
        assert authentication is not None, "an exchange is under way"  # noqa: S101 -- for the type checker
        login = self.portal.login(
            authentication.challenger, None, IMessageDeliveryFactory, IMessageDelivery
        )
        self.when(login.addCallbacks(self._cbAuthenticated, self._login_refused), self._logged_in)

    def _logged_in(self, _: None) -> None:
        self.say(replies.AUTHENTICATED)

    @staticmethod
    def _login_refused(failure: Failure) -> None:
        failure.trap(UnauthorizedLogin)
        raise ReplyError(replies.WRONG_CREDENTIALS)
