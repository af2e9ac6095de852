"""The connection of a session: transport, timers, back-pressure, TLS, answers that come later.

A `twisted.mail.smtp.ESMTP`, whose hooks decide all that is decided about mail.  What is said, and
when, is for `dialogue` to know.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from OpenSSL import SSL
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.mail import smtp
from twisted.mail.interfaces import IMessageDelivery, IMessageDeliveryFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from ..events import LoginAccepted, LoginRefused, Publisher
from ..mail.envelope import Client
from ..mail.reply import Reply, ReplyError
from ..network.outlet import Outlet
from . import replies
from .deadlines import Deadlines
from .dialogue import Dialogue
from .faults import reply_to
from .notices import Notices
from .parameters import ReversePath
from .peers import Place
from .policy import SessionPolicy
from .shown import name_shown
from .talk import Helo
from .tls import fault_of_handshake, has_said_hello, spoken

#: Octets that a client may send ahead of the command that is being carried out (RFC 2920).  Beyond,
#: it is not read any more, and TCP makes it wait.
READ_AHEAD = 65_536
#: Octets of content that are read at a time; of commands, `READ_AHEAD`.  Each piece costs a turn of
#: the reactor, and a write to the spool.
CONTENT_READ = 4 * READ_AHEAD
#: Seconds that a client may take to read the last reply before it is disconnected.
LAST_WORDS = 10.0


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class RelayESMTP(smtp.ESMTP):
    """The connection of one session with a client.

    :param policy: what holds for the client.
    :param clock: for time limits.
    :param events: is told of logins, and of mails that could not be stored.
    :param address: whose session it is, when the transport does not know, behind a proxy.
    :param notices: is told what else concerns the client.
    :param place: what it is counted by.
    :param forget_mail: called when nothing of a mail is kept any longer.
    :ivar dialogue: what is said.
    :ivar ended: fires when the connection is gone.
    """

    log = Logger()
    transport: Any
    portal: Any = None
    noisy = False

    def __init__(
        self,
        policy: SessionPolicy,
        clock: IReactorTime,
        events: Publisher,
        *,
        address: IAddress | None = None,
        notices: Notices | None = None,
        place: Place | None = None,
        forget_mail: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(policy.mechanisms, policy.tls)
        self.host = policy.hostname.encode()
        self.policy = policy
        self.callLater: Any = clock.callLater  # the hook of Twisted's for a clock
        self._seconds = clock.seconds
        self._events = events
        self._address = address
        self._notices = notices
        self._place = place
        self._forget_mail = forget_mail
        self.dialogue = Dialogue(self)
        self._deadlines = Deadlines(self.dialogue, clock, self._where)
        self.mail_begins = self._deadlines.mail_begins
        self.ended: Deferred[None] = Deferred()
        self._client: Client | None = None
        self._client_helo: Helo | None = None
        self._not_reading: set[str] = set()
        self._in_handshake = False
        self._said_starttls = False
        self._last_words: IDelayedCall | None = None
        self._pause: IDelayedCall | None = None

    # Who it is.

    @property
    def secure(self) -> bool:
        """The session runs inside TLS."""
        return bool(ISSLTransport.providedBy(self.transport))

    @cached_property
    def peer(self) -> str:
        """The client's address, or a word for a local socket."""
        address = self._address or self.transport.getPeer()
        return str(getattr(address, "host", "local"))

    def keyword(self) -> str:
        """Return how the session speaks, for trace fields (RFC 3848, RFC 6531 section 4.3)."""
        if not self.dialogue.session.esmtp:
            return "SMTP"
        origin = self.dialogue.mail.origin
        return (
            ("UTF8SMTP" if origin and origin.utf8 else "ESMTP")
            + ("S" if self.secure else "")
            + ("A" if self.authenticated else "")
        )

    def client(self) -> Client:
        """Return who the session is with now."""
        helo = self.dialogue.talk.helo
        if self._client is None or self._client_helo is not helo:
            self._client_helo = helo
            self._client = Client(
                address=self.peer,
                user=self.dialogue.session.user,
                helo=name_shown(helo[0] if helo else b"").decode(),
                tls=spoken(self.transport),
            )
        return self._client

    # The connection.

    def connectionMade(self) -> None:
        # A reply that waits for the acknowledgement of the last one costs 40 ms (Nagle's
        # algorithm).
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._in_handshake = self.secure
        self._outlet = Outlet(self.transport, self)
        self._deadlines.begin()
        self.greet()

    def greet(self) -> None:
        """Say the first words of the session."""
        self.dialogue.session.greet()
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        self._deadlines.heard_at = self._seconds()
        self.dialogue.receive(data)
        self._settle()

    def _settle(self) -> None:
        """Write what is said, and read on or not."""
        talk = self.dialogue.talk
        if talk.closed:
            return
        if talk.said and not talk.pausing:
            self._outlet.write(b"".join(talk.said))
            talk.said.clear()
        is_content = self.dialogue.mail.takes_content
        self.transport.bufferSize = CONTENT_READ if is_content else READ_AHEAD
        if talk.reader.octets or self._not_reading:
            waits = talk.waiting or talk.pausing
            self._read_or_not("ahead", waits and len(talk.reader.octets) > READ_AHEAD)

    def _flush(self) -> None:
        said = self.dialogue.talk.said
        if said:
            self._outlet.write(b"".join(said))
            said.clear()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.dialogue.talk.closed:
            self._client_is_gone(reason)
        self.dialogue.lost()
        self._end_timers()
        if self._onLogout:
            self._onLogout()
            self._onLogout = None
        self.ended.callback(None)

    def readConnectionLost(self) -> None:
        """The client sends no more; see `Dialogue.nothing_follows`.

        Not inside TLS, whose close alert is the end of both directions.
        """
        self._read_or_not("nothing follows", True)
        self.dialogue.nothing_follows()

    def writeConnectionLost(self) -> None:
        """We never close the one direction alone."""

    def _client_is_gone(self, reason: Failure) -> None:
        if reason.check(SSL.Error):
            self.ended_early(fault_of_handshake(reason.value, self.policy.minimum_tls))
        elif where := self._where():
            # Without a hello it is a probe of monitoring.
            if self._said_starttls or has_said_hello(self.transport):
                self.ended_early(f"the client hung up{where}")
        elif unfinished := self.dialogue.unfinished:
            self.ended_early(f"the client hung up {unfinished}")

    def _where(self) -> str:
        return " in the TLS handshake" if self._in_handshake else ""

    def stop(self) -> None:
        """End the session, but say the reply first that takes over a message."""
        self.dialogue.stop()

    # What the dialogue wants done: see `talk.Connection`.

    def hang_up(self) -> None:
        self._end_timers()
        self._flush()
        # Until all has left, a client that reads nothing would keep its connection for ever.
        self._last_words = self.callLater(LAST_WORDS, self.transport.abortConnection)
        self._outlet.let_go()
        self.transport.loseConnection()
        self.dialogue.lost()

    def start_tls(self) -> None:
        self._client = None
        self._flush()
        self._in_handshake = self._said_starttls = True
        self._outlet.start_tls(self.ctx)

    def handshakeCompleted(self) -> None:
        self._in_handshake = False

    def pause(self, seconds: float) -> None:
        self._pause = self.callLater(seconds, self._pause_is_over)

    def _pause_is_over(self) -> None:
        self._deadlines.heard_at = self._seconds()
        self._flush()
        self.dialogue.resume()
        self._settle()

    def _end_timers(self) -> None:
        self._deadlines.end()
        for timer in (self._pause, self._last_words):
            if timer and timer.active():
                timer.cancel()

    def refused(self, reply: Reply) -> None:
        if self._notices:
            self._notices.refused(self.dialogue, self._place, reply)

    def ended_early(self, why: str) -> None:
        if self._notices:
            self._notices.ended_early(self.dialogue, self._place, why)

    def reply_to_failure(self) -> Reply:
        return reply_to(Failure(), self.peer, self._events)

    def reply_to_lost_content(self) -> Reply:
        self.log.failure(
            "internal error while content was received from {address} (a bug); traceback follows",
            address=self.peer,
        )
        return replies.LOCAL_ERROR

    # The hooks: Twisted's `validateTo` and `receivedHeader` ask `delivery`.

    def validateFrom(self, helo: Helo | None, origin: ReversePath) -> Any:
        """Ask the delivery hook; each transaction has a new one."""
        if self.deliveryFactory is not None:
            self.delivery = self.deliveryFactory.getMessageDelivery()
        if self.delivery is None:
            raise ReplyError(self.policy.no_rights)
        return self.delivery.validateFrom(helo, origin)

    def when(self, answer: Any, then: Callable[[Any], None]) -> None:
        if not isinstance(answer, Deferred):
            then(answer)
            return
        self.dialogue.talk.waiting = True
        answer.addBoth(self._answered, then)

    def _answered(self, answer: Any, then: Callable[[Any], None]) -> None:
        self._deadlines.heard_at = self._seconds()
        if isinstance(answer, Failure):
            self.dialogue.fail(reply_to(answer, self.peer, self._events))
        else:
            self.dialogue.answer(answer, then)
        if not self.dialogue.busy:
            self._settle()

    def mail_ends(self) -> None:
        if self.deliveryFactory is not None:
            self.delivery = None  # it has the recipients, and the header
        if self._forget_mail:
            self._forget_mail()

    def login(self, credentials: Any, user: str) -> Deferred[None]:
        login: Deferred[Any] = self.portal.login(
            credentials, None, IMessageDeliveryFactory, IMessageDelivery
        )
        return login.addCallbacks(self._cbAuthenticated, self._login_refused, errbackArgs=(user,))

    def _login_refused(self, failure: Failure, user: str) -> None:
        failure.trap(UnauthorizedLogin)
        self._events.publish(LoginRefused(self.peer, user))
        raise ReplyError(replies.WRONG_CREDENTIALS)

    def logged_in(self, user: str) -> None:
        self._client = None
        self._events.publish(LoginAccepted(self.peer, user))

    def sendCode(self, code: int, message: bytes = b"") -> None:
        self.dialogue.talk.say(Reply.parse(code, message.splitlines()))

    # Back-pressure: several reasons can stop the reading, all must be gone for it to go on.

    def _read_or_not(self, reason: str, stop: bool) -> None:
        if stop == (reason in self._not_reading) or self.dialogue.talk.closed:
            return
        if stop:
            self._not_reading.add(reason)
            if len(self._not_reading) == 1:
                self.transport.pauseProducing()
        else:
            self._not_reading.remove(reason)
            if not self._not_reading:
                self.transport.resumeProducing()

    def wait_for(self, room: Deferred[None]) -> None:
        self._read_or_not("content not stored", True)
        room.addBoth(lambda _: self._read_or_not("content not stored", False))

    def pauseProducing(self) -> None:
        # Before the handshake is complete, TLS asks for a pause because it has to read.
        if not self._in_handshake:
            self._read_or_not("replies unread", True)

    def resumeProducing(self) -> None:
        self._read_or_not("replies unread", False)

    def stopProducing(self) -> None:
        """The transport is gone; `connectionLost` follows."""
