"""Who may connect, and what a client's session is made of.

Builds one `RelayESMTP` for each client that the allow list and the limits admit; the others are
told why and hung up on.  It listens on nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.mail import smtp
from twisted.python.failure import Failure

from ..configuration import MasterRelay
from ..envelope import Envelope
from ..interfaces import IAccountRegistry, IIntake
from ..reply import Reply
from . import replies
from .delivery import Desk, MessageDeliveryFactory
from .limits import Limits
from .protocol import RelayESMTP
from .submission import submit
from .wire import LAST_WORDS


class RelayESMTPFactory(smtp.SMTPFactory):
    """The sessions of the master relay.

    :param clock: for time-outs.
    :param wall: tells the time for trace fields, in seconds since the epoch.
    """

    protocol = RelayESMTP
    noisy = False
    log = Logger()

    def __init__(
        self,
        settings: MasterRelay,
        registry: IAccountRegistry,
        intake: IIntake,
        clock: IReactorTime,
        wall: Callable[[], float],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._limits = Limits(
            message_size=settings.max_message_size, recipients=settings.max_recipients
        )
        self._desk = Desk(registry, intake, settings.hostname, wall)
        self._clock = clock
        self._sessions: set[RelayESMTP] = set()
        self._stopping = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a session, or a protocol that says why there is none."""
        host = str(getattr(addr, "host", ""))
        if host and not self._allows(host):
            self.log.info("{host} may not connect: it is not in master_relay.allow", host=host)
            return Refusal(replies.NOT_ALLOWED, self._clock)
        if self._stopping:
            return Refusal(replies.SHUTTING_DOWN, self._clock)
        if len(self._sessions) >= self._settings.max_connections:
            self.log.warn("{host} is sent away: too many connections", host=host)
            return Refusal(replies.TOO_MANY_CONNECTIONS, self._clock)
        session: Any = self.protocol()
        session.factory = self
        session.host = self._settings.hostname.encode("idna")
        session.limits = self._limits
        session.callLater = self._clock.callLater
        session.refused = partial(self._refused, host)
        session.deliveryFactory = MessageDeliveryFactory(self._desk, session.keyword)
        self._sessions.add(session)
        session.ended.addCallback(lambda _: self._sessions.discard(session))
        return cast("Protocol", session)

    def _refused(self, host: str, reply: Reply) -> None:
        self.log.info("{host} is refused: {reply}", host=host, reply=str(reply))

    def _allows(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._settings.allow)

    def submit(self, envelope: Envelope, content: bytes) -> Deferred[str]:
        """Take over a mail without SMTP: see `submission.submit`."""
        return Deferred.fromCoroutine(submit(self._desk, self._limits, envelope, content))

    def stop(self) -> Deferred[Any]:
        """End all sessions; those that are owed the reply to a message get it first.

        :return: fires when the last one has gone.
        """
        self._stopping = True
        sessions = tuple(self._sessions)
        for session in sessions:
            session.stop()
        return DeferredList([session.ended for session in sessions])


class Refusal(Protocol):
    """A connection that gets one reply and is closed.

    :param clock: for a client that does not take the reply, nor shakes hands for TLS.
    """

    transport: Any

    def __init__(self, reply: Reply, clock: IReactorTime) -> None:
        self._reply = reply
        self._clock = clock

    def connectionMade(self) -> None:
        self._last_words = self._clock.callLater(LAST_WORDS, self.transport.abortConnection)
        self.transport.write(self._reply.wire())
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        if self._last_words.active():
            self._last_words.cancel()
