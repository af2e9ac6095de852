"""Says where the mail of direct accounts goes: mail servers, addresses, policies, or why nowhere.

Asks what an attempt asks, by the same code, within a time that an admin waits.  Nobody is
connected, but for a policy that has to be fetched (MTA-STS).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOutError
from twisted.internet.interfaces import IReactorTime

from ..relay.direct import MailServers, hop_to
from ..routing.account import Account
from ..routing.hop import Tls
from ..routing.next_hops import MailHost, NoRouteError
from ..routing.registry import AccountRegistry
from .explained import Departure, ExplainedHost, ExplainedRoute, Explanation

T = TypeVar("T")

#: Domains that are looked up for one explanation.
MOST_DOMAINS = 20
#: Seconds that the DNS has, and as many have policies after that.
ANSWERS_WITHIN = 10.0


class Directions:
    """Knows where mail goes.

    :param servers: returns what knows the mail servers; called when there is a direct account.
    :param registry: returns the accounts as they are now.
    """

    def __init__(
        self,
        servers: Callable[[], MailServers],
        registry: Callable[[], AccountRegistry],
        clock: IReactorTime,
    ) -> None:
        self._servers = servers
        self._registry = registry
        self._clock = clock

    async def added_to(self, explanation: Explanation) -> Explanation:
        """Return an explanation with the routes of the accounts that are direct."""
        accounts = [await self._with_routes(each) for each in explanation.accounts]
        return attrs.evolve(explanation, accounts=tuple(accounts))

    async def _with_routes(self, departure: Departure) -> Departure:
        account = self._registry().account(departure.name)
        if account is None or not account.direct:
            return departure
        domains = list(dict.fromkeys(map(account.destination, departure.envelope.recipients)))
        routes = await _together([self._route(each, account) for each in domains[:MOST_DOMAINS]])
        left_out = (
            ExplainedRoute(
                destination=each,
                problem=f"not looked up: only the first {MOST_DOMAINS} domains are",
                temporary=True,
            )
            for each in domains[MOST_DOMAINS:]
        )
        return attrs.evolve(departure, routes=(*routes, *left_out))

    async def _route(self, domain: str, account: Account) -> ExplainedRoute:
        try:
            hosts = await self._in_time(self._servers().routes.hosts(domain, account))
        except NoRouteError as error:
            return ExplainedRoute(
                destination=domain, problem=str(error.reply), temporary=error.temporary
            )
        except TimedOutError:
            return ExplainedRoute(
                destination=domain,
                problem=f"no answer of the DNS for {ANSWERS_WITHIN:.0f} s",
                temporary=True,
            )
        found = await _together([self._host(each, domain, account) for each in hosts])
        return ExplainedRoute(destination=domain, hosts=tuple(found))

    async def _host(self, host: MailHost, domain: str, account: Account) -> ExplainedHost:
        told = ExplainedHost(
            name=host.name,
            preference=host.preference,
            addresses=host.addresses,
            policy="opportunistic",
            testing=False,
            tls=None,
            tls_required=True,
            why=f"its policy is not known after {ANSWERS_WITHIN:.0f} s",
        )
        try:
            policy = await self._in_time(self._servers().policy(host, domain, account))
        except TimedOutError:
            return told
        told = attrs.evolve(told, policy=policy.name.value, testing=policy.testing, why=policy.why)
        if policy.tls is None:
            return told
        hop = hop_to(host, policy.tls, account)
        mode = Tls.IMPLICIT if hop.implicit_tls else policy.tls.mode
        return attrs.evolve(told, tls=mode.value, tls_required=hop.tls_required)

    def _in_time(self, asking: Awaitable[T]) -> Deferred[T]:
        asked = Deferred.fromCoroutine(_awaited(asking))
        return asked.addTimeout(ANSWERS_WITHIN, self._clock)


async def _awaited(asking: Awaitable[T]) -> T:
    return await asking


async def _together(asking: Sequence[Awaitable[T]]) -> list[T]:
    """Wait for all at the same time; none of them fails."""
    asked = [Deferred.fromCoroutine(_awaited(each)) for each in asking]
    return [await each for each in asked]
