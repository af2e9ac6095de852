"""Decides who may connect, and builds the sessions of clients.

One `RelayESMTP` for each client that the allow list and the limits admit; the others get a reply
that says why, and are disconnected.  It never listens itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.mail import smtp

from ..events import Publisher
from ..mail.reply import Reply
from ..settings.users import user_key
from ..settings.values import ClientSettings
from . import replies
from .admission import Admission, host_of, is_local
from .delivery import MessageDeliveryFactory, TransactionPolicy
from .memory import MailMemory, Memory
from .notices import Notices
from .peers import Place, counted_as
from .protocol import RelayESMTP
from .refusal import Refusals
from .users import InThread, UserChecker, portal


class RelayESMTPFactory(smtp.SMTPFactory):
    """The sessions of the master relay.

    :param policy: of all transactions, before what `clients` says.
    :param clock: for time-outs.
    :param in_thread: does what takes long.
    :param events: is told of clients.
    :param clients: what differs for some of them.
    :ivar memory: what the mails under way take.
    :ivar admission: what holds for clients that connect now.
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
        self._clock = clock
        self.admission = Admission(policy, clients, clock.seconds)
        self._checker = UserChecker(policy.settings.users, clock, in_thread)
        self._refusals = Refusals(clock)
        self.events = events
        self._notices = Notices(events, clock)
        self.memory = Memory()
        #: With the address of their client, if anybody names it.
        self._sessions: dict[RelayESMTP, IAddress | None] = {}
        self._strangers = 0
        self._counts: Counter[Place | None] = Counter()
        self._stopping = False

    def prepared(self, policy: TransactionPolicy, clients: Sequence[ClientSettings]) -> Admission:
        """Return what could hold from now on; as yet it does not.

        :raise ConfigurationError: the certificate cannot be used.
        """
        return Admission(policy, clients, self._clock.seconds, self.admission)

    def use(self, admission: Admission) -> None:
        """Let something else hold for clients that connect from now on.

        Sessions go on with what held when they began, but for the accounts: some last for days, and
        a client's next mail takes the account that it would take over a new one.  Sessions whose
        clients may not be here any more, by their address or by their login, are ended; a mail that
        is on its way gets its reply first.
        """
        before, self.admission = self.admission, admission
        admission.begin()
        self._checker.use(admission.settings.users)
        withdrawn = admission.withdrawn_users(before)
        for session, client in tuple(self._sessions.items()):
            user = session.dialogue.session.user
            if not admission.admits(client) or (user and user_key(user) in withdrawn):
                session.stop()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a session, or a protocol that says why there is none."""
        return self._session_for(addr, addr)

    def session_behind(self, proxy: IAddress | None, client: IAddress | None) -> Protocol:
        """Return the same for the client that a proxy names; ``None``: it names none."""
        return self._session_for(client or proxy, proxy, named=client is not None)

    def _session_for(
        self, client: IAddress | None, connection: IAddress | None, *, named: bool = True
    ) -> Protocol:
        admission = self.admission
        allowed = named and admission.is_allowed(client)
        if named and not (allowed or admission.settings.users_from_anywhere):
            return self.not_allowed(client, "allow")
        host = host_of(client)
        place = counted_as(host) if host else None
        if refusal := self._no_room(host, place, allowed=allowed):
            return self._refusals.saying(refusal)
        own = admission.client_settings(host)
        # Both: what a proxy on this machine passes on may have come from afar in the clear.
        in_clear = is_local(client) and is_local(connection)
        memory = MailMemory(
            self.memory, place, partial(self._notices.no_room, host or "local", place)
        )
        session: Any = self.protocol(
            admission.session_policy(
                own, is_stranger=not allowed, named=named, login_in_clear=in_clear
            ),
            self._clock,
            self.events,
            address=client,
            notices=self._notices,
            place=place,
            forget_mail=memory.release,
        )
        session.factory = self
        policy = admission.transactions(host, own)
        deliveries = MessageDeliveryFactory(policy, session.keyword, session.client, memory.hold)
        if allowed:
            session.deliveryFactory = deliveries
        # Whom nobody names could guess passwords in the proxy's name, and lock its clients out by
        # that.
        if named and admission.settings.users:
            session.portal = portal(
                self._checker.at(place),
                lambda user: deliveries.for_user(admission.rights.of_user(user, policy.rights)),
            )
        self._sessions[session] = client if named else None
        self._counts[place] += 1
        self._strangers += not allowed
        # Until the connection is gone, not until our last reply has been sent.
        session.ended.addCallback(self._gone, session, place, allowed)
        return cast("Protocol", session)

    def _gone(self, _: None, session: RelayESMTP, place: Place | None, allowed: bool) -> None:
        del self._sessions[session]
        self._strangers -= not allowed
        self._counts[place] -= 1
        if not self._counts[place]:
            del self._counts[place]

    def _no_room(self, host: str, place: Place | None, *, allowed: bool) -> Reply | None:
        """Say why there is no room for a client; ``None``: there is."""
        settings, most_of_strangers = self.admission.settings, self.admission.most_of_strangers
        most, most_of_one = settings.max_connections, settings.max_connections_per_address
        reply = replies.TOO_MANY_CONNECTIONS
        if self._stopping:
            return replies.SHUTTING_DOWN
        if len(self._sessions) >= most:
            limit = f"max_connections ({most}) reached"
        elif not allowed and self._strangers >= most_of_strangers:
            part = f"the part of max_connections ({most_of_strangers})"
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
        return self.admission.is_proxy(addr)

    def not_allowed(self, addr: IAddress | None, key: str) -> Protocol:
        """Return a protocol that says that an address may not connect.

        :param key: the list that lacks it.
        """
        host = host_of(addr)
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
