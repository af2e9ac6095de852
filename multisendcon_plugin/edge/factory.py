"""Who may connect, and what a client's session is made of.

Builds one `RelayESMTP` for each client that the allow list and the limits admit; the others are
told why and hung up on.  It listens on nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Network
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.mail import smtp

from ..configuration import BareLf, ClientSettings, MasterRelay
from ..envelope import Envelope
from ..interfaces import IAccountRegistry, IIntake
from ..reply import Reply
from . import replies
from .authentication import MECHANISMS
from .delivery import Desk, MessageDeliveryFactory
from .limits import Limits
from .peers import counted_as, listed, peer_address, settings_for
from .protocol import RelayESMTP
from .refusal import Refusals
from .submission import submit
from .tls import ServerTLS
from .tolerance import Tolerance
from .users import InThread, UserChecker, portal

#: Of all connections, the part that is kept for clients in the allow list.
RESERVED = 1 / 5


class RelayESMTPFactory(smtp.SMTPFactory):
    """The sessions of the master relay.

    :param clock: for time-outs.
    :param wall: tells the time for trace fields, in seconds since the epoch.
    :param in_thread: does what takes long.
    :param clients: what differs for some of them.
    :raise ConfigurationError: the certificate cannot be used.
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
        *,
        in_thread: InThread,
        clients: Sequence[ClientSettings] = (),
    ) -> None:
        super().__init__()
        self._settings = settings
        self._clients = clients
        self._limits = Limits.of(settings)
        self._desk = Desk(
            registry, intake, settings.hostname, wall, self._limits, settings.submission_help
        )
        self._clock = clock
        self._tls: ServerTLS | None = None
        if settings.tls_certificate:
            self._tls = ServerTLS(settings.tls_certificate, settings.tls_key, wall)
        self._checker: UserChecker | None = None
        if settings.users:
            self._checker = UserChecker(settings.users, clock, in_thread)
        self._refusals = Refusals(clock)
        self._most_of_strangers = round(settings.max_connections * (1 - RESERVED))
        self._sessions: set[RelayESMTP] = set()
        self._strangers = 0
        self._counts: Counter[IPv4Address | IPv6Network] = Counter()
        self._stopping = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a session, or a protocol that says why there is none."""
        return self.session_for(addr, addr)

    def session_for(self, client: IAddress | None, connection: IAddress | None) -> Protocol:
        """Return the same for a client whose connection may come from another address."""
        allowed = self.allows(client)
        if not (allowed or self._settings.users_from_anywhere):
            return self.not_allowed(client)
        host = _host(client)
        place = counted_as(host) if host else None
        if self._stopping:
            return self._refusals.saying(replies.SHUTTING_DOWN)
        if len(self._sessions) >= self._settings.max_connections:
            self.log.warn("{host} is sent away: too many connections", host=host)
            return self._refusals.saying(replies.TOO_MANY_CONNECTIONS)
        if not allowed and self._strangers >= self._most_of_strangers:
            why = "too many connections of clients that are not in master_relay.allow"
            self.log.warn("{host} is sent away: {why}", host=host, why=why)
            return self._refusals.saying(replies.TOO_MANY_CONNECTIONS)
        most = self._settings.max_connections_per_address
        if place and self._counts[place] >= most:
            self.log.warn("{host} is sent away: too many connections from there", host=host)
            return self._refusals.saying(replies.TOO_MANY_FROM_THERE)
        own = settings_for(host, self._clients) if host else None
        tls = self._tls if own is None or own.starttls else None
        session: Any = self.protocol(MECHANISMS if self._checker else {}, tls)
        session.client_address = client
        session.login_in_clear = _is_local(client) and _is_local(connection)
        session.is_stranger = not allowed
        session.factory = self
        session.host = self._settings.hostname.encode("idna")
        session.callLater = self._clock.callLater
        session.refused = partial(self._refused, session)
        session.ended_early = partial(self._ended_early, session)
        desk = self._desk
        session.limits = self._limits
        if own:
            session.minimum_tls = own.minimum_tls
            session.tolerance = Tolerance(session.host.decode()) if own.tolerant else None
            desk = attrs.evolve(desk, completes=own.submission_help)
            session.limits = attrs.evolve(self._limits, fix_bare_lf=own.bare_lf is BareLf.FIX)
        deliveries = MessageDeliveryFactory(desk, session.keyword)
        if allowed:
            session.deliveryFactory = deliveries
        if self._checker:
            session.portal = portal(self._checker.at(place), deliveries)
        if not allowed:
            self._strangers += 1
            session.ended.addCallback(self._stranger_gone)
        self._begun(session, place)
        return cast("Protocol", session)

    def _begun(self, session: RelayESMTP, place: IPv4Address | IPv6Network | None) -> None:
        self._sessions.add(session)
        session.ended.addCallback(lambda _: self._sessions.discard(session))
        if place:
            self._counts[place] += 1
            session.ended.addCallback(lambda _: self._gone_from(place))

    def _stranger_gone(self, _: None) -> None:
        self._strangers -= 1

    def _gone_from(self, place: IPv4Address | IPv6Network) -> None:
        self._counts[place] -= 1
        if not self._counts[place]:
            del self._counts[place]

    def _refused(self, session: RelayESMTP, reply: Reply) -> None:
        text = str(reply)
        self.log.info(
            "{peer} is refused: {reply}{context}",
            peer=session.peer,
            reply=text,
            context=session.context(text),
        )

    def _ended_early(self, session: RelayESMTP, why: str) -> None:
        self.log.info(
            "{peer}: session closed: {why}{context}",
            peer=session.peer,
            why=why,
            context=session.context(why),
        )

    def allows(self, addr: IAddress | None) -> bool:
        """Tell whether the allow list has an address; a local socket is guarded by its file."""
        host = _host(addr)
        return not host or listed(host, self._settings.allow)

    def not_allowed(self, addr: IAddress | None) -> Protocol:
        """Return a protocol that says that the allow list has not the address."""
        host = _host(addr)
        self.log.info("{host} may not connect: it is not in master_relay.allow", host=host)
        return self._refusals.saying(replies.NOT_ALLOWED)

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


def _host(addr: IAddress | None) -> str:
    """Return the address of a client; ``""``: it came by a local socket."""
    return str(getattr(addr, "host", ""))


def _is_local(addr: IAddress | None) -> bool:
    host = _host(addr)
    return not host or peer_address(host).is_loopback
