"""One session with an account's server: its transport, its timer and TLS.

An `ESMTPSender` whose dialogue is our own: what is said, and what follows from the replies, is
decided by whoever talks over it: `handshake`, `login`, or a `Transaction`.  Once the session is
open, time limits are those of RFC 5321 section 4.5.3.2, or longer.

It keeps no log of the dialogue, so no secret can get out of it; only the test of an account has one
kept, without secrets (`transcript`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
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
from ..mail.reply import Reply
from ..network.outlet import Outlet
from ..outcome.tls import TlsFinding
from ..routing.account import Account
from ..routing.hop import Hop
from .broken import SessionBrokenError, ending, lost
from .redaction import Redaction
from .replies import ReplyReader
from .tls import ClientTLS, finding_of
from .transcript import Transcript

_Failed = Callable[[Failure], object]

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
#: Seconds that it may take to close the connection after its reply to QUIT.
CLOSES_WITHIN = 1.0


@implementer(IHandshakeListener, IPushProducer)
class AccountSender(smtp.ESMTPSender):
    """One session.

    Its state is its own: others read it.

    :ivar redaction: hides the secrets of the login in replies.
    :ivar reader: reads the replies.
    :ivar offers: what EHLO advertised, keyword in capitals to its parameters.
    :ivar mails: how many it has carried, or has begun to.
    :ivar unclean: the last transaction left something behind that RSET has to clear.
    :ivar local, server: the IP addresses of both ends, also when the connection is gone.
    :ivar description: the two ends of the connection and its TLS version, for logs and reports.
    :ivar tls_finding: what was wrong with TLS, also where the session goes on all the same;
        ``None``: nothing.
    :ivar write: sends octets.
    :ivar lost: why there will be no further reply; ``None``: there may be.
    :ivar paused: the server does not take what was written last.
    :ivar ended: fires when the connection is gone.
    """

    transport: Any
    # The stock one is a function in Python that looks for a name deprecated since 2013.
    __setattr__ = object.__setattr__
    debug = False

    def __init__(self, account: Account, hop: Hop, tls: ClientTLS, clock: IReactorTime) -> None:
        super().__init__(
            account.sasl_user.encode(),
            b"",  # the login has it when it is needed
            tls,
            hop.helo_name.encode("ascii"),
            0,
        )
        self._clock: Any = clock
        self._tls = tls
        self.account = account
        self.hop = hop
        self.redaction = Redaction()
        self.reader = ReplyReader(self.redaction)
        self.offers: dict[str, str] = {}
        self.mails = 0
        self.unclean = False
        self.lost: Reply | None = None
        self.paused = False
        self.description = ""
        self.tls_finding: TlsFinding | None = None
        self.ended: Deferred[None] = Deferred()
        self._phase = Phase.GREETING
        self._talk: tuple[Callable[[], bool], Callable[[], object], _Failed] | None = None
        self._talking = False
        self._resting = False
        self._until = math.inf
        self._timer: IDelayedCall | None = None
        self._rings_at = math.inf
        self._tls_version = ""
        self._transcript: Transcript | None = None

    # The connection.

    @property
    def secure(self) -> bool:
        """The session runs inside TLS."""
        return bool(ISSLTransport.providedBy(self.transport))

    @property
    def usable(self) -> bool:
        """The connection is there, and nothing was said that nobody asked for."""
        return self.lost is None and not self.reader.replies and self._phase is not Phase.QUIT

    def connectionMade(self) -> None:
        # The command after a body would wait for the acknowledgement of the body.
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._outlet = Outlet(self.transport, self)
        self.write = self._outlet.write
        server = self.transport.getPeer()
        self.local, self.server = self.transport.getHost().host, server.host
        self._ends = f"{self.local} to {self.server} port {server.port}"
        self.description = f"{self._ends}, no TLS"
        self._set_timer(self._clock.seconds() + OPENING_PATIENCE)

    def handshakeCompleted(self) -> None:
        handle = self.transport.getHandle()
        self.tls_finding = self._tls.finding(handle)
        self._tls_version = handle.get_protocol_version_name()
        self.description = f"{self._ends}, {self._tls_version}"

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stop_timer()
        if self.lost is None:
            why = ending(reason)
            if self.secure and not self._tls_version:
                self.tls_finding = finding_of(reason, why)
            self.lost = lost(why)
            self.go_on()
        self.ended.callback(None)

    def lacks_tls(self, finding: TlsFinding) -> None:
        """The session goes on in the clear, if it does."""
        self.tls_finding = finding

    def start_tls(self) -> None:
        """Begin the handshake after the server's 220 to STARTTLS.

        :raise SessionBrokenError: something came with that reply.  It was sent in the clear, by
            anybody, and would be read as though it came after the handshake.
        """
        if self.reader.replies or self.reader.in_a_reply:
            text = "data arrived between the reply to STARTTLS and the TLS handshake"
            raise SessionBrokenError(Phase.TLS, Reply(0, "4.7.0", text))
        self._outlet.start_tls(self.context)

    def abort(self, why: str) -> None:
        """Drop the connection at once."""
        if self.lost is None:
            self.lost = lost(why)
            self._stop_timer()
            self.transport.abortConnection()
            self.go_on()

    def quit(self) -> None:
        """Send QUIT; the server answers and closes the connection, or we do when its time is up."""
        if self.lost is None and self._phase is not Phase.QUIT:
            self.write(b"QUIT\r\n")
            self._outlet.let_go()
            self._resting = False
            self.expect(Phase.QUIT)

    def transcribe(self, transcript: Transcript) -> None:
        """Have noted what is said and heard from now on."""
        write = self.write

        def noted(octets: bytes) -> None:
            transcript.said(octets)
            write(octets)

        self.write = noted
        self._transcript = transcript

    # Who talks.

    def talk(self, go_on: Callable[[], bool], over: Callable[[], object], failed: _Failed) -> None:
        """Let somebody talk over the session.

        :param go_on: goes on with what has come, as far as possible; True when all is said.
        :param over: is called then.
        :param failed: is called instead after an error of ours.
        """
        self._resting = False
        self._talk = go_on, over, failed
        self.go_on()

    def ask(self, line: bytes | None, phase: Phase) -> Deferred[Reply]:
        """Say a line, before any mail.

        :param line: without its CRLF; ``None``: nothing, the server speaks first.
        :return: fires with its reply; fails with `SessionBrokenError` when there is none, or when
            it is a 421 (RFC 5321 section 3.8).
        """
        asked: Deferred[Reply] = Deferred()
        replies = self.reader.replies

        def answer() -> None:
            if replies and replies[0].code != 421:
                asked.callback(replies.popleft())
            elif replies:
                asked.errback(SessionBrokenError(phase, replies.popleft()))
            elif self.lost:
                # Nobody waits for the handshake of TLS: it ends with the reply inside it.
                at = Phase.TLS if self.secure and not self._tls_version else phase
                asked.errback(SessionBrokenError(at, self.lost))

        if line is not None:
            self.write(line + b"\r\n")
        self.expect(phase)
        self.talk(lambda: bool(replies or self.lost), answer, asked.errback)
        return asked

    def opened(self, offers: dict[str, str]) -> None:
        """The server was ready in time, and offers this."""
        self.offers = offers
        self.expect_nothing()

    def begin_mail(self) -> None:
        """The server is asked to take one mail more."""
        self.mails += 1

    def leave(self, *, unclean: bool) -> None:
        """A transaction leaves something behind, or RSET has cleared what one had left."""
        self.unclean = unclean

    def go_on(self) -> None:
        """Let whoever talks go on with what has come: replies, room for more, the end."""
        if self._talk is None or self._talking:
            return
        go_on, over, failed = self._talk
        self._talking = True
        try:
            ended = go_on()
            self._talking = False
            if ended:
                self._talk = None
                over()
        except Exception:
            self._talking, self._talk = False, None
            failure = Failure()
            self.abort("an internal error")
            failed(failure)

    def rest(self, until: float) -> None:
        """Wait for the next mail, until this time."""
        self._resting = True
        self._until = until
        if until < self._rings_at:
            self._set_timer(until)

    # Reading and writing.

    def dataReceived(self, data: bytes) -> None:
        if self._transcript is not None:
            self._transcript.heard(data)
        reader = self.reader
        problem = reader.feed(data, self._phase)
        if reader.replies:
            # What came before a fault in the same segment holds.
            if self._phase is Phase.QUIT:
                self._let_the_server_close()
            elif self._resting:
                self.quit()
            else:
                self.go_on()
        if problem:
            self.abort(problem)

    def _let_the_server_close(self) -> None:
        # It counts the session until it has closed it (RFC 5321 section 3.8): a new one that began
        # between its 221 and that would be one too many for it.
        until = self._clock.seconds() + CLOSES_WITHIN
        if until < self._rings_at:
            self._set_timer(until)

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False
        if self.secure:
            # A TLS session that the server has closed in good order swallows what is written, and
            # lets go of its connection when it is rid of its producer.
            self.transport.unregisterProducer()
            self.transport.registerProducer(self, True)
        if not self.paused:
            self.go_on()

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows, and says so to whoever talks."""
        self.paused = True

    # Time.  There is one timer, which rings for the limit that was noted when it was set, and is
    # set again if that has moved on meanwhile: as it does several times for each mail.

    def expect(self, phase: Phase) -> None:
        """The server has its time for this from now on; then the session is `lost`."""
        self._phase = phase
        if phase not in _OPENING:
            self._until = until = self._clock.seconds() + PATIENCE[phase]
            if until < self._rings_at:
                self._set_timer(until)

    def expect_nothing(self) -> None:
        """It is we who take our time."""
        self._until = math.inf

    def _set_timer(self, until: float) -> None:
        self._stop_timer()
        self._until = self._rings_at = until
        self._timer = self._clock.callLater(max(0.0, until - self._clock.seconds()), self._ring)

    def _stop_timer(self) -> None:
        self._until = self._rings_at = math.inf
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _ring(self) -> None:
        rang_at, self._rings_at, self._timer = self._rings_at, math.inf, None
        if self._until > rang_at:
            if self._until < math.inf:
                self._set_timer(self._until)
        elif self._resting:
            self.quit()
        elif self._talk is not None or self._phase is Phase.QUIT:
            self._time_is_up()

    def _time_is_up(self) -> None:
        if self._phase not in _OPENING:
            text = f"the server did not answer for {PATIENCE[self._phase]:.0f} s"
        else:
            text = f"the server was not ready within {OPENING_PATIENCE:.0f} s"
            if self._phase is Phase.GREETING and not self.secure:
                text += " (does it expect TLS from the start?)"
        self.abort(text)
