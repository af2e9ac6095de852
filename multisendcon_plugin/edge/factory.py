"""Decides who may connect, and builds the sessions of clients.

One `RelayESMTP` for each client that the allow list and the limits admit; the others get a reply
that says why, and are disconnected.  It never listens itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.mail import smtp

from ..events import Publisher
from ..mail.reply import Reply
from ..settings.names import Network
from ..settings.values import BareLf, ClientSettings, MinimumTls
from . import replies
from .delivery import MessageDeliveryFactory, TransactionPolicy
from .mechanisms import MECHANISMS
from .memory import MailMemory, Memory
from .notices import Notices
from .peers import Place, counted_as, listed, peer_address, settings_for
from .policy import SessionPolicy
from .protocol import RelayESMTP
from .refusal import Refusals
from .rights import RightsRegistry
from .tls import server_tls
from .tolerance import Tolerance
from .users import InThread, UserChecker, portal

#: Of all connections, the part that is kept for clients in the allow list, by their address.  A
#: login does not get anybody into it: who guesses or is silent, and who only has not logged in yet,
#: are the same so far.
RESERVED = 1 / 5


class RelayESMTPFactory(smtp.SMTPFactory):
    """The sessions of the master relay.

    :param policy: of all transactions, before what `clients` says.
    :param clock: for time-outs.
    :param in_thread: does what takes long.
    :param events: is told of clients.
    :param clients: what differs for some of them.
    :ivar memory: what the mails under way take.
    :raise ConfigurationError: the certificate cannot be used.
    """

    protocol: Any = RelayESMTP
    noisy = False

    def __init__(
        self,
        policy: TransactionPolicy,
        clock: IReactorTime,
        *,
        in_thread: InThread,
        events: Publisher,
        clients: Sequence[ClientSettings] = (),
    ) -> None:
        super().__init__()
        self._settings = settings = policy.settings
        self._clients = clients
        self._policy = policy
        self._rights = RightsRegistry(settings, clients, clock.seconds)
        self._clock = clock
        self._tls = server_tls(settings, policy.wall)
        self._checker = settings.users and UserChecker(settings.users, clock, in_thread)
        self._refusals = Refusals(clock)
        self.events = events
        self._notices = Notices(events, clock)
        self.memory = Memory()
        self._policy_for = cache(self._make_policy)
        self._most_of_strangers = round(settings.max_connections * (1 - RESERVED))
        self._sessions: set[RelayESMTP] = set()
        self._strangers = 0
        self._counts: Counter[Place | None] = Counter()
        self._stopping = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a session, or a protocol that says why there is none."""
        return self._session_for(addr, addr)

    def session_behind(self, proxy: IAddress | None, client: IAddress | None) -> Protocol:
        """Return the same for the client that a proxy names; ``None``: it names none."""
        return self._session_for(client or proxy, proxy, named=client is not None)

    def _session_for(
        self, client: IAddress | None, connection: IAddress | None, *, named: bool = True
    ) -> Protocol:
        allowed = named and _is_listed(client, self._settings.allow)
        if named and not (allowed or self._settings.users_from_anywhere):
            return self.not_allowed(client, "allow")
        host = _host(client)
        place = counted_as(host) if host else None
        if refusal := self._no_room(host, place, allowed=allowed):
            return self._refusals.saying(refusal)
        own = settings_for(host, self._clients) if host else None
        # Both: what a proxy on this machine passes on may have come from afar in the clear.
        in_clear = _is_local(client) and _is_local(connection)
        # Whom nobody names could guess passwords in the proxy's name, and lock its clients out by
        # that.
        checker = self._checker if named else None
        memory = MailMemory(
            self.memory, place, partial(self._notices.no_room, host or "local", place)
        )
        session: Any = self.protocol(
            self._policy_for(own, is_stranger=not allowed, named=named, login_in_clear=in_clear),
            self._clock,
            self.events,
            address=client,
            notices=self._notices,
            place=place,
            forget_mail=memory.release,
        )
        session.factory = self
        policy = self._policy
        if own:
            policy = attrs.evolve(
                policy,
                completes=own.submission_help,
                success_reports=own.success_reports,
                rights=self._rights.of_client(host, own),
            )
        deliveries = MessageDeliveryFactory(policy, session.keyword, session.client, memory.hold)
        if allowed:
            session.deliveryFactory = deliveries
        if checker:
            session.portal = portal(
                checker.at(place),
                lambda user: deliveries.for_user(self._rights.of_user(user, policy.rights)),
            )
        self._sessions.add(session)
        self._counts[place] += 1
        self._strangers += not allowed
        # Until the connection is gone, not until our last reply has been sent.
        session.ended.addCallback(self._gone, session, place, allowed)
        return cast("Protocol", session)

    def _gone(self, _: None, session: RelayESMTP, place: Place | None, allowed: bool) -> None:
        self._sessions.discard(session)
        self._strangers -= not allowed
        self._counts[place] -= 1
        if not self._counts[place]:
            del self._counts[place]

    def _make_policy(
        self, own: ClientSettings | None, *, is_stranger: bool, named: bool, login_in_clear: bool
    ) -> SessionPolicy:
        """Return what holds for the sessions of some clients.

        :param own: the settings for them.
        :param named: they are known by their address.
        """
        hostname = self._settings.hostname.encode("idna").decode()
        return SessionPolicy(
            settings=self._settings,
            hostname=hostname,
            minimum_tls=own.minimum_tls if own else MinimumTls.TLS_1_2,
            tolerance=Tolerance(hostname) if own and own.tolerant else None,
            fix_bare_lf=own is not None and own.bare_lf is BareLf.FIX,
            login_in_clear=login_in_clear,
            is_stranger=is_stranger,
            no_rights=replies.LOGIN_FIRST if named else replies.NO_CLIENT,
            mechanisms=MECHANISMS if self._checker and named else {},
            # Some devices try STARTTLS wherever it is offered, and give up when it fails.
            tls=self._tls if own is None or own.starttls else None,
        )

    def _no_room(self, host: str, place: Place | None, *, allowed: bool) -> Reply | None:
        """Say why there is no room for a client; ``None``: there is."""
        most, most_of_one = (
            self._settings.max_connections,
            self._settings.max_connections_per_address,
        )
        reply = replies.TOO_MANY_CONNECTIONS
        if self._stopping:
            return replies.SHUTTING_DOWN
        if len(self._sessions) >= most:
            limit = f"max_connections ({most}) reached"
        elif not allowed and self._strangers >= self._most_of_strangers:
            part = f"the part of max_connections ({self._most_of_strangers})"
            limit = f"{part} for clients not in allow is used up"
        elif place and self._counts[place] >= most_of_one:
            limit = f"max_connections_per_address ({most_of_one}) reached"
            reply = replies.TOO_MANY_FROM_THERE
        else:
            return None
        self._notices.no_room(host or "local", place, limit)
        return reply

    def is_proxy(self, addr: IAddress | None) -> bool:
        """Tell whether an address may speak for others."""
        return _is_listed(addr, self._settings.proxies)

    def not_allowed(self, addr: IAddress | None, key: str) -> Protocol:
        """Return a protocol that says that an address may not connect.

        :param key: the list that lacks it.
        """
        host = _host(addr)
        self._notices.not_listed(host, counted_as(host), key)
        return self._refusals.saying(replies.NOT_ALLOWED)

    def stop(self) -> Deferred[Any]:
        """End all sessions; those that are owed the reply to a message get it first.

        :return: fires when the last one has gone.
        """
        self._stopping = True
        sessions = tuple(self._sessions)
        for session in sessions:
            session.stop()
        stopped = DeferredList([session.ended for session in sessions])
        return stopped.addCallback(lambda _: self._notices.sum_up())


def _host(addr: IAddress | None) -> str:
    """Return the address of a client; ``""``: it came by a local socket."""
    return str(getattr(addr, "host", ""))


def _is_listed(addr: IAddress | None, networks: Iterable[Network]) -> bool:
    host = _host(addr)
    # Who may write to a local socket is for its file to say.
    return not host or listed(host, networks)


def _is_local(addr: IAddress | None) -> bool:
    host = _host(addr)
    return not host or peer_address(host).is_loopback
