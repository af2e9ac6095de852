"""One session with an account's server: lines out, replies in, a time limit for each phase.

An `ESMTPSender` whose dialogue is our own: what to say is said by the coroutines of `handshake`
and `transaction`, which wait here for the replies.  Replies may come for several commands that
left together (RFC 2920).  Once the session is open, time limits are those of RFC 5321 section
4.5.3.2, or longer.

It keeps no log of the dialogue, so no secret can get out of it.
"""

from __future__ import annotations

import re
from collections import deque
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.mail import smtp
from twisted.python.failure import Failure
from zope.interface import implementer

from ..mail.phase import Phase
from ..mail.reply import LONGEST_TEXT, Reply
from ..outlet import Outlet
from ..routing.account import Account
from ..routing.hop import Hop
from .broken import SessionBrokenError, ending, lost
from .redaction import Redaction
from .tls import ClientTLS

#: Seconds that the server may take for its greeting, EHLO and TLS together.  RFC 5321 section
#: 4.5.3.2.1 recommends five minutes for the greeting alone, since some servers take connections
#: that they have no process for yet.  Here that is a fault of the account, whose mail waits or
#: takes another one: what waits for long is the mail, not a connection that others need.
OPENING_PATIENCE = 60.0
_OPENING = frozenset({Phase.GREETING, Phase.EHLO, Phase.TLS})
#: Seconds that the server may take for each phase after that.
PATIENCE = {
    Phase.LOGIN: 120.0,
    Phase.MAIL: 300.0,
    Phase.RCPT: 300.0,
    Phase.DATA: 120.0,
    Phase.CONTENT: 180.0,
    Phase.END: 600.0,
    Phase.RSET: 60.0,
    Phase.QUIT: 5.0,
}
#: Lines of one reply; a server that says more never ends.
MOST_LINES = 100
#: Octets of one line of a reply (RFC 5321 section 4.5.3.1.5 has 512).
LONGEST_LINE = 4096
#: Characters of a reply to EHLO.
LONGEST_OFFERS = MOST_LINES * LONGEST_LINE

# A CR at its end is one of a server that ends lines with LF, mostly.
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\r?", re.DOTALL)


@implementer(IHandshakeListener, IPushProducer)
class AccountSender(smtp.ESMTPSender):
    """One session.

    :ivar redaction: hides the secrets of the login in replies.
    :ivar offers: what EHLO advertised, keyword in capitals to its parameters.
    :ivar reset_first: the last transaction left something behind that RSET has to clear.
    :ivar mails: how many it has carried, or has begun to.
    :ivar server: its IP address.
    :ivar ended: fires when the connection is gone.
    """

    transport: Any
    # The stock one is a function in Python that looks for a name deprecated since 2013.  A mail
    # assigns 24 times, at 0.06 us each: 0.2 % of its CPU.
    __setattr__ = object.__setattr__
    debug = False
    phase = Phase.GREETING

    def __init__(self, account: Account, hop: Hop, tls: ClientTLS, clock: IReactorTime) -> None:
        super().__init__(
            account.username.encode(),
            b"",  # the login sets it when it is needed
            tls.context,
            hop.helo_name.encode("ascii"),
            0,
        )
        self.callLater: Any = clock.callLater
        self.account = account
        self.hop = hop
        self.redaction = Redaction()
        self.offers: dict[str, str] = {}
        self.reset_first = False
        self.mails = 0
        self.ended: Deferred[None] = Deferred()
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._reader: Deferred[Reply] | None = None
        self._room: Deferred[None] | None = None
        self._lost: SessionBrokenError | None = None
        self._paused = False
        self._resting = False
        self._idle_limit: IDelayedCall | None = None
        self._ends = ""
        self._tls_version = ""

    # The connection.

    @property
    def secure(self) -> bool:
        """The session runs inside TLS."""
        return bool(ISSLTransport.providedBy(self.transport))

    @property
    def usable(self) -> bool:
        """The connection is there, and nothing was said that nobody asked for."""
        return self._lost is None and not self._replies and self.phase is not Phase.QUIT

    @property
    def description(self) -> str:
        """The two ends of the connection and its TLS version, for logs and reports."""
        return f"{self._ends}, {self._tls_version or 'no TLS'}"

    def connectionMade(self) -> None:
        # The command after a body would wait for the acknowledgement of the body.
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._outlet = Outlet(self.transport, self)
        local, server = self.transport.getHost(), self.transport.getPeer()
        self.server = server.host
        self._ends = f"{local.host} to {self.server} port {server.port}"
        self.setTimeout(OPENING_PATIENCE)

    def handshakeCompleted(self) -> None:
        self._tls_version = self.transport.getHandle().get_protocol_version_name()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.setTimeout(None)
        if self._idle_limit:
            self._idle_limit.cancel()
            self._idle_limit = None
        self._break(lost(self._going_on, ending(reason)))
        self.ended.callback(None)

    @property
    def _going_on(self) -> Phase:
        """The phase, but for the handshake of TLS, which nobody waits for."""
        return Phase.TLS if self.secure and not self._tls_version else self.phase

    def rest(self, limit: float) -> None:
        """Wait for the next mail, for so many seconds."""
        self._resting = True
        # A timer of its own, which only ever moves on: that costs next to nothing.
        if self._idle_limit:
            self._idle_limit.reset(limit)
        else:
            self._idle_limit = self.callLater(limit, self._rested_long_enough)

    def _rested_long_enough(self) -> None:
        self._idle_limit = None
        if self._resting:
            self.quit()

    def wake(self) -> None:
        """The next mail is here."""
        self._resting = False
        self.phase = Phase.MAIL  # no longer the end of the last mail

    def timeoutConnection(self) -> None:
        if self._reader is None and self._room is None and self.phase is not Phase.QUIT:
            return  # it is we who take our time
        if self.phase not in _OPENING:
            text = f"the server did not answer for {PATIENCE[self.phase]:.0f} s"
        else:
            text = f"the server was not ready within {OPENING_PATIENCE:.0f} s"
            if self.phase is Phase.GREETING and not self.secure:
                text += " (does it expect TLS from the start?)"
        self.abort(text)

    def _break(self, error: SessionBrokenError) -> None:
        if self._lost is None:
            self._lost = error
            reader, self._reader = self._reader, None
            room, self._room = self._room, None
            for waiting in (reader, room):
                if waiting is not None:
                    waiting.errback(error)

    def start_tls(self) -> None:
        """Begin the handshake after the server's 220 to STARTTLS.

        :raise SessionBrokenError: something came with that reply.  It was sent in the clear, by
            anybody, and would be read as though it came after the handshake.
        """
        if self._replies or self._lines or self._buffer:
            raise SessionBrokenError(
                Phase.TLS,
                Reply(
                    0, "4.7.0", "data arrived between the reply to STARTTLS and the TLS handshake"
                ),
            )
        self.phase = Phase.TLS
        self._outlet.start_tls(self.context)

    def abort(self, why: str) -> None:
        """Drop the connection at once."""
        if self._lost is None:
            self._break(lost(self._going_on, why))
            self.transport.abortConnection()

    def quit(self) -> None:
        """Send QUIT, and close the connection when it is answered, or after its time limit."""
        if self.phase is Phase.CONTENT:
            self.abort("the transfer of the mail was cut off")  # QUIT would be a part of it
        elif self._lost is None and self.phase is not Phase.QUIT:
            self.say(b"QUIT")
            self._outlet.let_go()
            self._resting = False
            self.phase = Phase.QUIT
            self.setTimeout(PATIENCE[Phase.QUIT])

    # Reading.

    def dataReceived(self, data: bytes) -> None:
        # Twisted's receiver of lines goes through what has come anew for each of them.
        *lines, self._buffer = (self._buffer + data).split(self.delimiter)
        for line in lines:
            self.lineReceived(line)
            if self.transport.disconnecting:
                break
        if self._buffer:
            self._line_goes_on()
        self._hand_on()

    def _line_goes_on(self) -> None:
        """A line has no end yet, or one that is none (RFC 5321 section 2.3.8).

        A server whose first line ends in a bare LF ends all of them so, and is understood.  Of any
        other, a bare LF inside a line is text: taken for its end, a part of a text that the server
        only repeats would be the reply to the next command, or to a mail.
        """
        if len(self._buffer) > LONGEST_LINE:
            self._not_smtp(self._buffer)
        elif self._buffer.endswith(b"\n"):
            if self.phase is Phase.GREETING and not (self._lines or self._replies):
                self.delimiter = b"\n"
                self.dataReceived(b"")
            else:
                self._hand_on()  # what came before it in the segment holds
                self.abort("the server ends a reply with a bare LF, but others with CRLF")

    def _hand_on(self) -> None:
        """Pass the next reply to the coroutine that waits; those behind it are kept."""
        if self._reader and self._replies:
            # The limit of this phase runs on until the next one has its own.
            reader, self._reader = self._reader, None
            reader.callback(self._replies.popleft())

    def lineReceived(self, line: bytes) -> None:
        parts = _parts(line) if len(line) <= LONGEST_LINE else None
        if parts is None:
            self._not_smtp(line)
            return
        code, goes_on, text = parts
        # A refusal may repeat a login long after it; a challenge is not told to anybody.
        if code >= 400 or (self.phase is Phase.LOGIN and code != 334):
            text = self.redaction.redacted(text)
        self._lines.append(text)
        if goes_on:
            if len(self._lines) > MOST_LINES:
                self._not_smtp(b"a reply that never ends")
            return
        lines, self._lines = self._lines, []
        # What the server offers is kept whole, as it gets into no log or report.
        whole = code == 250 and self.phase is Phase.EHLO
        reply = Reply.parse(code, lines, LONGEST_OFFERS if whole else LONGEST_TEXT)
        if self.phase is Phase.QUIT:
            self.transport.loseConnection()
        elif self._resting:
            self.quit()
        else:
            self._replies.append(reply)
            if self._reader is None:
                self._go_on_writing()

    def _not_smtp(self, line: bytes) -> None:
        seen = Reply.parse(0, [self.redaction.redacted(line)[:80]]).text
        self._hand_on()  # what came before it in the segment holds
        self.abort(f"not a reply of an SMTP server: {seen or '(an empty line)'}")

    async def reply(self, phase: Phase) -> Reply:
        """Wait for the next reply.

        :raise SessionBrokenError: there will be none, or it is a 421 (RFC 5321 section 3.8).
        """
        self.phase = phase
        if self._replies:
            reply = self._replies.popleft()
        else:
            if self._lost:
                raise self._lost
            self._reader = Deferred()
            if phase not in _OPENING:
                self.setTimeout(PATIENCE[phase])
            reply = await self._reader
        if reply.code == 421:
            raise SessionBrokenError(phase, reply)
        return reply

    async def ask(self, line: bytes, phase: Phase) -> Reply:
        """Say a line and wait for its reply; raises as `reply` does."""
        self.say(line)
        return await self.reply(phase)

    @property
    def answered_early(self) -> bool:
        """The server has said something although it is our turn, in the last segment at least."""
        return bool(self._replies or self._lines or self._buffer)

    # Writing.

    def say(self, *lines: bytes) -> None:
        """Send lines in one segment."""
        self._outlet.write(b"\r\n".join(lines) + b"\r\n")

    async def write(self, octets: bytes) -> None:
        """Send content in wire form, and wait until there is room for more.

        :raise SessionBrokenError: the connection is gone, or the server takes nothing any more.
        """
        if self._lost:
            raise self._lost
        self._outlet.write(octets)
        if self._paused:
            self._room = Deferred()
            self.setTimeout(PATIENCE[Phase.CONTENT])
            await self._room

    def finish(self, octets: bytes) -> None:
        """Send the last octets of the content and the final dot, which nothing takes back.

        :raise SessionBrokenError: the connection is gone, or about to be.
        """
        if self._lost:
            raise self._lost
        self.phase = Phase.END
        self._outlet.write(octets)

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        if self.secure:
            # A TLS session that the server has closed in good order swallows what is written, and
            # lets go of its connection when it is rid of its producer.
            self.transport.unregisterProducer()
            self.transport.registerProducer(self, True)
        if not self._paused:
            self._go_on_writing()

    def _go_on_writing(self) -> None:
        room, self._room = self._room, None
        if room:
            room.callback(None)

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows, and says so to whoever writes."""
        self._paused = True


# A server says mostly the same, mail for mail: 0.05 us instead of 0.4, four times for each mail.
@lru_cache(maxsize=64)
def _parts(line: bytes) -> tuple[int, bool, bytes] | None:
    """Return a reply line's code, whether lines follow, and its text; ``None``: it is none."""
    found = _REPLY_LINE.fullmatch(line)
    if not found:
        return None
    code, mark, text = found.groups(b"")
    return int(code), mark == b"-", text
