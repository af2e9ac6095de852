"""Carries deliveries to the mail servers of their recipients.

The hosts of a destination are tried in order (RFC 5321 section 5.1): one that cannot be used, up to
EHLO and TLS, is left for the next one; what is said of the mail or a recipient is the end, whoever
says it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from zope.interface import implementer

from ...events import Publisher
from ...interfaces import IContent, IRelay
from ...interfaces.policies import HostPolicy, MailServer, Policies, PolicyName
from ...mail.message import Delivery
from ...mail.phase import Phase
from ...mail.reply import Reply
from ...outcome.attempt import AccountFault, Attempt, Scope, Verdict, all_deferred
from ...outcome.blocked import BlockedShare, answering, blocked
from ...outcome.failure import Action, is_one_too_many
from ...routing.account import Account
from ...routing.hop import Hop, Tls, TlsPolicy
from ...routing.next_hops import MailHost, NoRouteError
from ...settings.destinations import Destinations, Pace
from ..broken import SessionBrokenError
from ..budget import Budget
from ..factory import AccountSenderFactory
from ..part import PartOfBudget
from ..places import Places
from ..sender import AccountSender
from .hosts import LONGEST_REST, Host, Hosts
from .policy_news import Told, policy_applied, session_told
from .routes import Routes
from .verdict import UnusableHost, no_route, none_usable

T = TypeVar("T")

#: Seconds after which an attempt begins with no further host; two are tried in any case.
LONGEST = 180.0
_FEWEST = 2
_STOPPING = Reply(0, "4.3.2", "the relay is shutting down, or the account has changed")


#: Is told of each session that is opened, and each address where none is.
Met = Callable[[AccountSender | SessionBrokenError], object]


class MakeSessions(Protocol):
    """Makes the sessions with one host."""

    def __call__(
        self,
        account: Account,
        *,
        places: Places,
        budget: Budget,
        hop: Hop,
        scope: Scope,
        met: Met,
    ) -> AccountSenderFactory:
        """Return them: see `AccountSenderFactory`."""


@attrs.frozen(kw_only=True)
class MailServers:
    """Knows the mail servers of all destinations.

    :param routes: finds the hosts of destinations.
    :param policies: knows what TLS they have to have.
    :param destinations: returns what holds for each domain now.
    :param events: is told of sessions.
    :param jitter: a number of chance from 0 to 1.
    """

    routes: Routes
    policies: Policies
    destinations: Callable[[], Destinations]
    events: Publisher
    jitter: Callable[[], float]

    def policy(self, found: MailHost, destination: str, account: Account) -> Deferred[HostPolicy]:
        """Return what sessions of an account with a host have to be like.

        :param destination: which the host is tried for.
        """
        server = MailServer(
            name=found.name,
            canonical=found.canonical or found.name,
            expanded=found.expanded,
            secure=found.secure,
        )
        tls = account.stranger_tls
        if account.tls in (Tls.OPPORTUNISTIC, Tls.NONE):
            why = f'the account looks at no policy (tls = "{account.tls.value}")'
            return succeed(
                HostPolicy(name=PolicyName.OPPORTUNISTIC, tls=tls, why=why, domain=destination)
            )
        return self.policies.of(destination, server, tls)


@implementer(IRelay)
class DirectRelay:
    """Carries the deliveries of one account.

    :param budget: of its connections.
    :param make_sessions: makes those with one host.
    :param reactor: is the clock.
    :param former: have carried its mail with other settings; their sessions end with their mail.
    """

    def __init__(
        self,
        account: Account,
        servers: MailServers,
        *,
        budget: PartOfBudget,
        make_sessions: MakeSessions,
        reactor: Any,
        former: tuple[DirectRelay, ...] = (),
    ) -> None:
        self.account = account
        self._servers = servers
        self._budget = budget
        self._make_sessions = make_sessions
        self._reactor = reactor
        self._former = former
        self._now: Callable[[], float] = reactor.seconds
        self._hosts = Hosts(self._sessions, reactor)
        #: Of the hosts that are in use, by name, whatever their addresses and policies.
        self._places: WeakValueDictionary[str, Places] = WeakValueDictionary()
        self._blocked = BlockedShare()
        #: When an admin has asked for a destination to be tried, the last one at the end.
        self._asked_for: dict[str, float] = {}
        self._steps: set[Deferred[Any]] = set()
        self._ending = False

    @property
    def connections(self) -> int:
        """Sessions that are open: see `IRelay`."""
        return sum(host.sessions.connections for host in self._hosts)

    @property
    def idle(self) -> int:
        """None that any mail could have: those that are kept are each for the mail of one host."""
        return 0

    # Attempts.

    def attempt(
        self, delivery: Delivery, open_content: Callable[[], IContent]
    ) -> Deferred[Attempt]:
        """Try a delivery once: see `IRelay`."""
        return Deferred.fromCoroutine(self._attempt(delivery, open_content))

    async def _attempt(self, delivery: Delivery, open_content: Callable[[], IContent]) -> Attempt:
        try:
            return await self._search(delivery, open_content)
        except NoRouteError as error:
            return no_route(delivery.recipients, error)
        except CancelledError:
            outcomes = all_deferred(delivery.recipients, Phase.DNS, _STOPPING, Action.REST)
            fault = AccountFault.of(Phase.DNS, _STOPPING, Action.REST)
            # The lane may not know yet that there are other settings, for which this says nothing.
            return Attempt(outcomes=outcomes, fault=fault, inconclusive=True)

    async def _search(self, delivery: Delivery, open_content: Callable[[], IContent]) -> Attempt:
        """Try one host after the other."""
        destination, account = delivery.destination, self.account
        finding = Deferred.fromCoroutine(self._servers.routes.hosts(destination, account))
        hosts = await self._step(finding)
        until = self._now() + LONGEST
        faults: list[UnusableHost] = []
        for each in hosts:
            if len(faults) >= _FEWEST and self._now() >= until:
                break
            attempt = await self._try(each, delivery, open_content)
            fault = attempt.fault
            if fault is None or fault.scope is Scope.ACCOUNT or attempt.mail_ended is not None:
                return self._reviewed(attempt, each.name)
            faults.append(UnusableHost(each.name, attempt.policy, fault))
        attempt = none_usable(delivery.recipients, faults, all_tried=len(faults) == len(hosts))
        return self._reviewed(attempt, hosts[len(faults) - 1].name)

    async def _try(
        self, found: MailHost, delivery: Delivery, open_content: Callable[[], IContent]
    ) -> Attempt:
        """Try a delivery at one host."""
        destination = delivery.destination
        policy = await self._step(self._servers.policy(found, destination, self.account))
        if policy.tls is None:
            self._publish(found.name, policy, delivery.destination, Told(policy.finding))
            refused = AccountFault.of(Phase.TLS, Reply(0, "4.7.0", policy.why), Action.REST)
            return _unusable(delivery, policy, refused)
        hop = hop_to(found, policy.tls, self.account)
        if fault := self._hosts.resting(hop, self._asked_for.get(destination, -inf)):
            return _unusable(delivery, policy, fault)
        pace = self._pace(hop.host, destination)
        host, began = self._hosts.use(hop, pace.mails_per_connection), self._now()
        self._places[host.name].resize(pace.connections)
        if not host.has_room(pace.connections):
            return _no_room(delivery, host.name, host.room_at(began))
        host.users += 1
        try:
            attempt = _naming(policy, await host.sessions.attempt(delivery, open_content))
            self._take_down(host, hop, attempt)
            self._tell(host, policy, destination)
            session = attempt.session
            if session:
                session = f"{session}, {found.name}, {policy.told(host.tls_finding)}"
            return attrs.evolve(attempt, session=session, server=found.name, policy=policy.applied)
        finally:
            host.left(self._now() - began)

    def _take_down(self, host: Host, hop: Hop, attempt: Attempt) -> None:
        """Note whether a host could be used."""
        fault = attempt.fault
        if fault is None or attempt.mail_ended is not None:
            self._hosts.works(hop)
        elif fault.scope is Scope.ACCOUNT:
            return
        elif not (host.sessions.works and is_one_too_many(fault.phase, fault.reply)):
            self._hosts.failed(hop, fault, self._servers.jitter())

    def _tell(self, host: Host, policy: HostPolicy, destination: str) -> None:
        """Tell of the sessions that were met, for reports of TLS (RFC 8460)."""
        for each in host.news():
            if (told := session_told(each, policy)) is not None:
                self._publish(host.name, policy, destination, told)

    def _publish(self, server: str, policy: HostPolicy, destination: str, told: Told) -> None:
        event = policy_applied(self.account.name, server, policy, destination, told)
        self._servers.events.publish(event)

    def _reviewed(self, attempt: Attempt, host: str) -> Attempt:
        """Return an attempt, as the account's failure if most servers refuse its address."""
        fault = attempt.fault
        said = [each for each in attempt.outcomes if each.said_by_server]
        if not said or (fault is not None and fault.scope is Scope.ACCOUNT):
            return attempt
        share, ours = self._blocked, self.account.local_address
        refused = next(
            ((each, found) for each in said if (found := blocked(each.reply, ours))), None
        )
        taken = any(each.verdict is Verdict.DELIVERED for each in said)
        share.heard(answering(host), refused=refused is not None and not taken, now=self._now())
        if refused is None or taken or attempt.uncertain or not share.most_refuse:
            return attempt
        outcome, why = refused
        reply = outcome.reply
        text = f"{reply.text} ({why}: {share})"
        alarm = AccountFault(
            phase=outcome.phase, reply=attrs.evolve(reply, text=text), action=Action.ALARM
        )
        return attempt.blamed_on(alarm)

    async def _step(self, step: Deferred[T]) -> T:
        """Wait for something that `stop` may cancel, with a `CancelledError`."""
        self._steps.add(step)
        if self._ending:
            step.cancel()
        try:
            result = await step
        finally:
            self._steps.discard(step)
        if self._ending:
            raise CancelledError
        return result

    # Hosts.

    def probe(self, destination: str) -> None:
        """Try hosts of a destination that rest, too: see `IRelay`."""
        asked, now = self._asked_for, self._now()
        asked.pop(destination, None)
        asked[destination] = now
        while asked[first := next(iter(asked))] < now - LONGEST_REST:
            del asked[first]  # no host rests for so long

    def _sessions(self, hop: Hop, mails: int, met: Met) -> AccountSenderFactory:
        """Make the sessions with a host.

        :param mails: the most over one.
        """
        places = self._places.get(hop.host)
        if places is None:
            places = self._places[hop.host] = Places(1)  # each attempt says how many there are
        return self._make_sessions(
            attrs.evolve(self.account, max_mails_per_connection=mails),
            places=places,
            budget=self._budget,
            hop=hop,
            scope=Scope.DESTINATION,
            met=met,
        )

    def _pace(self, host: str, destination: str) -> Pace:
        """Return the pace of mail to a destination at one of its hosts.

        A host has as many connections as are meant for it, or for one of its domains, and as few
        mails over one.
        """
        one, other = map(self._pace_of, (host, destination))
        return attrs.evolve(
            other,
            connections=max(one.connections, other.connections),
            mails_per_connection=min(one.mails_per_connection, other.mails_per_connection),
        )

    def _pace_of(self, domain: str) -> Pace:
        account = self.account
        return self._servers.destinations().pace(
            domain,
            connections=account.connections,
            mails_per_connection=account.max_mails_per_connection,
        )

    # Other settings, and the end.

    def reconfigured(self, account: Account) -> DirectRelay:
        """Go on with other settings of the account: see `IRelay`."""
        self._budget.resize(account.connections)
        if not account.reached_as(self.account):
            self.drain()
            former = tuple(each for each in (*self._former, self) if each.connections)
            return DirectRelay(
                account,
                self._servers,
                budget=self._budget,
                make_sessions=self._make_sessions,
                reactor=self._reactor,
                former=former,
            )
        self.account, self._ending = account, False
        for host in self._hosts:
            host.sessions.reconfigured(attrs.evolve(account, max_mails_per_connection=host.mails))
        return self

    def drain(self) -> None:
        """End each session when it is not needed any more: see `IRelay`."""
        self._end()
        for host in self._hosts:
            host.sessions.drain()

    def stop(self, grace: float) -> Deferred[Any]:
        """Close all connections: see `IRelay`."""
        self._end()
        ended = [host.sessions.stop(grace) for host in self._hosts]
        return DeferredList([*ended, *(each.stop(grace) for each in self._former)])

    def _end(self) -> None:
        self._ending = True
        self._hosts.stop()
        for step in tuple(self._steps):
            step.cancel()


def hop_to(found: MailHost, tls: TlsPolicy, account: Account) -> Hop:
    """Return how an account reaches a host."""
    return Hop(
        host=found.name,
        port=account.port,
        addresses=found.addresses,
        local_addresses=account.local_address,
        helo_name=account.helo_domain,
        tls=tls,
    )


def _unusable(delivery: Delivery, policy: HostPolicy, fault: AccountFault) -> Attempt:
    """Return the attempt of a host that is not to be used now."""
    fault = attrs.evolve(fault, scope=Scope.DESTINATION)
    outcomes = all_deferred(delivery.recipients, fault.phase, fault.reply, fault.action)
    return Attempt(outcomes=outcomes, fault=fault, policy=policy.applied)


def _no_room(delivery: Delivery, host: str, until: float) -> Attempt:
    """Return the attempt of a host that has as many of them in hand as it may."""
    reply = Reply(0, "4.3.2", f"{host} has as many connections as it may")
    outcomes = all_deferred(delivery.recipients, Phase.CONNECT, reply)
    return Attempt(outcomes=outcomes, inconclusive=True, not_before=until)


def _naming(policy: HostPolicy, attempt: Attempt) -> Attempt:
    """Say beside what has failed of TLS who demands it: an admin may not know the policy."""
    fault = attempt.fault
    if fault is None or fault.phase is not Phase.TLS or policy.name is PolicyName.OPPORTUNISTIC:
        return attempt
    reply = attrs.evolve(fault.reply, text=f"{fault.reply.text}; {policy.why}")
    return attrs.evolve(attempt, fault=attrs.evolve(fault, reply=reply))
