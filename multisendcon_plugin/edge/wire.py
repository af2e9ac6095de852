"""Reads and writes a session: one command at a time, replies in order, bounded memory.

Stock `twisted.mail.smtp.ESMTP` carries out each line as it comes, so a hook that answers later
mixes up replies and even recipients (twisted/twisted#8126).  Here the next line is not looked at
until the last one is answered, and the client is not read while it does not read its replies.

It knows no command; `session` and `protocol` have those.  RFC 2920, RFC 5321 section 4.5.3.

It is longer than others, since what has come, what is being answered, what is still to be said and
how the connection ends depend on each other: parts of it would be set from one another's outside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.mail import smtp
from twisted.python.failure import Failure
from zope.interface import implementer

from ..events import Publisher
from ..mail.reply import Reply
from ..outlet import Outlet
from ..settings.values import MasterRelay, MinimumTls
from . import replies
from .faults import reply_to
from .tarpit import Tarpit
from .tls import fault_of_handshake, has_said_hello
from .tolerance import Tolerance

T = TypeVar("T")

#: Octets that a client may send ahead of the command that is being carried out (RFC 2920).  Beyond,
#: it is not read any more, and TCP makes it wait.
READ_AHEAD = 65_536
#: Octets of content that are read at a time; of commands, `READ_AHEAD`.  Each piece costs a turn of
#: the reactor, and a write to the spool.
CONTENT_READ = 4 * READ_AHEAD
#: Commands of one session in one turn of the reactor; then it is the turn of others.
COMMANDS_AT_A_TIME = 50
#: Seconds that a client may take to read the last reply before it is disconnected.
LAST_WORDS = 10.0
#: How each handshake begins, of the versions that there are.
_TLS_RECORD = b"\x16\x03"


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class ESMTPWire(smtp.ESMTP):
    """The reading and writing of one session.

    :ivar callLater: the clock's, for time-outs.
    :ivar events: is told what others may want to know.
    :ivar settings: what it may bring, and how long it may take.
    :ivar minimum_tls: the oldest version that is spoken with this client; see `ClientsTLS`.
    :ivar tolerance: corrects what this client sends; ``None``: nothing does.
    :ivar client_address: whose session it is, when the transport does not know, behind a proxy.
    :ivar tarpit: counts what the session is refused.
    :ivar ended: fires when the connection is gone.
    :ivar more_is_here: octets have come after the line that is being carried out.
    :ivar content_left: octets of content that are still to come; ``None``: its end is to be found.
    """

    transport: Any
    events: Publisher
    noisy = False
    settings = MasterRelay()
    minimum_tls = MinimumTls.TLS_1_2
    tolerance: Tolerance | None = None
    client_address: IAddress | None = None

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._input = b""
        self._done = 0
        self._line = b""
        self._output: list[bytes] = []
        self._overlong = b""
        self._waiting = False
        self._advancing = False
        self._closing = False
        self._nothing_follows = False
        self._not_reading: set[str] = set()
        self._in_handshake = False
        self._said_starttls = False
        self._last_words: IDelayedCall | None = None
        self._pause: IDelayedCall | None = None
        self.tarpit = Tarpit()
        self.ended: Deferred[None] = Deferred()
        self.more_is_here = False
        self.content_left: int | None = None

    # What the commands have to offer to the wire.

    def carry_out(self, line: bytes) -> None:
        """Carry out a command line, its CRLF removed.

        :raise ReplyError: the command is refused with this reply.
        """
        raise NotImplementedError

    def refuse_overlong(self, beginning: bytes) -> None:
        """Refuse a line that is too long; all of it has come."""
        raise NotImplementedError

    def receive_content(self, octets: bytes) -> bytes:
        """Take content, no more than `content_left`; return what follows its end."""
        raise NotImplementedError

    def refused(self, reply: Reply) -> None:
        """A command or a mail is refused for good, or by a limit; nothing need be done."""

    def ended_early(self, why: str) -> None:
        """The session has failed, or we end it; nothing need be done."""

    def unfinished(self) -> str:
        """Return what a client that hangs up now leaves unfinished; ``""``: nothing."""
        return "in the TLS handshake" if self._in_handshake else ""

    def answered(self) -> None:
        """A hook that answered later has got its reply; nothing need be done."""

    # The connection.

    @property
    def secure(self) -> bool:
        """The session runs inside TLS."""
        return bool(ISSLTransport.providedBy(self.transport))

    @cached_property
    def peer(self) -> str:
        """The client's address, or a word for a local socket."""
        address = self.client_address or self.transport.getPeer()
        return str(getattr(address, "host", "local"))

    def connectionMade(self) -> None:
        # A reply that waits for the acknowledgement of the last one costs 40 ms (Nagle's
        # algorithm).
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._in_handshake = self.secure
        self._outlet = Outlet(self.transport, self)
        self.setTimeout(self.settings.idle_timeout)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self._closing:
            self._client_is_gone(reason)
        self._closing = True
        self.setTimeout(None)
        self._end_pause()
        if self._last_words and self._last_words.active():
            self._last_words.cancel()
        if self._onLogout:
            self._onLogout()
            self._onLogout = None
        self.ended.callback(None)

    def readConnectionLost(self) -> None:
        """The client sends no more, but may read its replies to what it has sent.

        So that is carried out and answered, and then the connection ends.  A client that has gone
        for good looks the same: its whole mails are taken too, and it may send them again.  Not
        inside TLS, whose close alert is the end of both directions.
        """
        self._nothing_follows = True
        self._read_or_not("nothing follows", True)
        if not self._waiting:
            self._end_half_closed()

    def writeConnectionLost(self) -> None:
        """We never close the one direction alone."""

    def _end_half_closed(self) -> None:
        if not self._closing:
            self._client_is_gone(None)
            self.hang_up()

    def _client_is_gone(self, reason: Failure | None) -> None:
        if reason is not None and reason.check(SSL.Error):
            self.ended_early(fault_of_handshake(reason.value, self.minimum_tls))
        elif self._in_handshake and not (self._said_starttls or has_said_hello(self.transport)):
            pass  # a probe of monitoring
        elif unfinished := self.unfinished():
            self.ended_early(f"the client hung up {unfinished}")

    def start_tls(self) -> None:
        """Go on inside TLS, after the reply that says so."""
        if self._closing:
            return
        self._flush()
        self._in_handshake = self._said_starttls = True
        self._outlet.start_tls(self.ctx)

    def handshakeCompleted(self) -> None:
        self._in_handshake = False

    def timeoutConnection(self) -> None:
        # RFC 5321 section 4.5.3.2.7 asks for five minutes; they are the client's.
        if self._waiting:  # for us, not for the client
            self.setTimeout(self.settings.idle_timeout)
        else:
            where = " in the TLS handshake" if self._in_handshake else ""
            why = f"idle_timeout ({self.settings.idle_timeout:g} s) reached{where}"
            self.close_with(replies.IDLE_TOO_LONG, why)

    def close_with(self, reply: Reply, why: str = "") -> None:
        """Say a last reply and hang up; a client that does not read it is cut off.

        RFC 5321 section 3.8: with a reply, 421 where we want no more, and never without a word.

        :param why: for the log, where the reply does not say it all.
        """
        if self._closing:
            return
        if not reply.positive:
            self.ended_early(why or str(reply))
        self.say(reply)
        self.hang_up()

    def hang_up(self) -> None:
        """End the session; there is nothing more to say."""
        if self._closing:
            return
        self._end_pause()
        self._flush()
        self._closing = True
        self._input = b""
        self.setTimeout(None)
        # Until all has left, a client that reads nothing would keep its connection for ever.
        self._last_words = self.callLater(LAST_WORDS, self.transport.abortConnection)
        self._outlet.let_go()
        self.transport.loseConnection()

    # Reading.

    def dataReceived(self, data: bytes) -> None:
        if self._closing:
            return
        self.resetTimeout()
        self._input += data
        self._advance()

    def _advance(self) -> None:
        self._advancing = True
        commands = 0
        while self._done < len(self._input) and not (self._waiting or self._closing):
            if self.mode == smtp.DATA:
                left = self.content_left
                octets = self._input[self._done : None if left is None else self._done + left]
                rest = self._guarded(self.receive_content, octets) or b""
                self._done += len(octets) - len(rest)
            elif commands == COMMANDS_AT_A_TIME:
                self.pause(0.0)
            elif self._receive_line():
                commands += 1
            else:
                break
        # Once a segment, not once a line: what comes in small pieces must not cost its square.
        self._input, self._done = self._input[self._done :], 0
        if not self._waiting:
            self._line = b""
        self._advancing = False
        self.transport.bufferSize = CONTENT_READ if self.mode == smtp.DATA else READ_AHEAD
        self._flush()
        self._read_or_not("ahead", self._waiting and len(self._input) > READ_AHEAD)
        if self._nothing_follows and not self._waiting:
            self._end_half_closed()

    def _receive_line(self) -> bool:
        """Carry out the next line; False when it is not here whole."""
        end = self._input.find(b"\n", self._done)
        if end < 0:
            if self._input.startswith(_TLS_RECORD, self._done):
                self._refuse_odd_line(_TLS_RECORD)
            elif len(self._input) - self._done > self.settings.max_command_line:
                self._overlong = self._overlong or self._input[self._done : self._done + 64]
                self._done = len(self._input)
            return False
        line = self._input[self._done : end]
        self._done = end + 1
        self.more_is_here = self._done < len(self._input)
        overlong, self._overlong = self._overlong, b""
        self._line = overlong or line
        if overlong or len(line) > self.settings.max_command_line:
            self.refuse_overlong(overlong or line)
        elif line[-1:] != b"\r" or b"\r" in line[:-1] or b"\0" in line:
            command = None
            if self.tolerance:
                command = self.tolerance.line(line, more_is_here=self.more_is_here)
            if command is None:
                self._refuse_odd_line(line)
            else:
                self._guarded(self.carry_out, command)
        else:
            self._guarded(self.carry_out, line[:-1])
        return True

    def _refuse_odd_line(self, line: bytes) -> None:
        why = ""
        if line.startswith(_TLS_RECORD):
            why = "the client began TLS on a port that begins in the clear, for STARTTLS"
            self._line = b""
        # RFC 5321 section 2.3.8: CR and LF come together only.  Where one stands alone, what
        # follows may be part of an address that nobody has looked at, with a command of a stranger
        # in it.
        self.close_with(replies.BARE_LINE_END, why)

    def _guarded(self, method: Callable[[bytes], T], argument: bytes) -> T | None:
        try:
            return method(argument)
        except Exception:
            self._answer_failure(Failure())
            return None

    def when(self, answer: T | Deferred[T], then: Callable[[T], None]) -> None:
        """Go on with a hook's answer; until it is here, no further command is looked at.

        A failure of the answer, or of going on with it, becomes the command's reply.
        """
        if not isinstance(answer, Deferred):
            then(answer)
            return
        self._waiting = True
        answered = answer.addCallback(self._unless_closing, then)
        answered.addErrback(self._answer_failure).addCallback(self._go_on)

    def _unless_closing(self, answer: T, then: Callable[[T], None]) -> None:
        if not self._closing:
            then(answer)

    def pause(self, seconds: float) -> None:
        """Look at no further command for so long; the replies that are not said yet wait too."""
        if self._closing:
            return
        self._waiting = True
        self._end_pause()
        self._pause = self.callLater(seconds, self._pause_is_over)

    def _pause_is_over(self) -> None:
        self._pause = None
        self._flush()
        self._go_on(None)

    def _end_pause(self) -> None:
        if self._pause:
            self._pause.cancel()
            self._pause = None

    def _go_on(self, _: None) -> None:
        if self._pause:
            return  # a refusal that waits
        self._waiting = False
        self.resetTimeout()
        self.answered()
        if not (self._closing or self._advancing):
            self._advance()

    # Writing: the replies to what came in one segment leave in one (RFC 2920 section 3.2).

    def say(self, reply: Reply) -> None:
        """Answer the command that is being carried out."""
        self._output.append(reply.wire())

    def sendCode(self, code: int, message: bytes = b"") -> None:
        self.say(Reply.parse(code, message.splitlines()))

    def _flush(self) -> None:
        if self._output and not (self._pause or self._closing):
            octets = b"".join(self._output)
            self._output.clear()
            self._outlet.write(octets)

    def _refuse(self, reply: Reply) -> None:
        self.say(reply)
        # 4.7.1 is our word for a rate that is reached: the mail comes again, but the admin should
        # know.
        if reply.permanent or reply.enhanced == "4.7.1":
            self.refused(reply)
        tarpit = self.tarpit
        if self.is_error(reply):
            ending = tarpit.error(self.settings.max_errors)
        else:
            ending = tarpit.refusal(1)
            if tarpit.wait and not ending:
                self.pause(tarpit.wait)
        if ending:
            self.close_with(*ending)

    def is_error(self, reply: Reply) -> bool:
        """Tell whether a refusal counts for `max_errors`."""
        # Not every 5xx: a mail to a thousand may well have twenty recipients that are refused, and
        # content is refused for what its author did.
        return reply.enhanced.startswith("5.5.") or reply == replies.WRONG_CREDENTIALS

    def _answer_failure(self, failure: Failure) -> None:
        self._refuse(reply_to(failure, self.peer, self.events))

    # Back-pressure: several reasons can stop the reading, all must be gone for it to go on.

    def _read_or_not(self, reason: str, stop: bool) -> None:
        if stop == (reason in self._not_reading) or self._closing:
            return
        if stop:
            self._not_reading.add(reason)
            if len(self._not_reading) == 1:
                self.transport.pauseProducing()
        else:
            self._not_reading.remove(reason)
            if not self._not_reading:
                self.transport.resumeProducing()

    def pauseProducing(self) -> None:
        # Before the handshake is complete, TLS asks for a pause because it has to read.
        if not self._in_handshake:
            self._read_or_not("replies unread", True)

    def resumeProducing(self) -> None:
        self._read_or_not("replies unread", False)

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""
