"""The way of each account to its server, relay and gates, also beyond a change of its settings.

A lane asks for the way of its account when it begins, and is given another one by a reload.  Those
of accounts that are gone are kept for a while: their servers go on to count what came by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime

from ..events import AccountRecovered, Publisher
from ..interfaces import IRelay
from ..outcome.settlement import AccountState
from ..routing.account import Account
from .gates import Gates
from .minimum_wait import MinimumWait
from .quotas import Quotas
from .succession import predecessors

#: Accounts that are gone and not forgotten.
MOST_FORMER = 1000


class Way(NamedTuple):
    """The way of one account to its server."""

    account: Account
    relay: IRelay
    gates: Gates


class Ways:
    """The ways of all accounts.

    :param make_relay: returns the relay of an account.
    :param quotas: knows the accounts that will be in use before they are.
    :param events: is told of accounts.
    :param clock: is never set.
    """

    def __init__(
        self,
        make_relay: Callable[[Account], IRelay],
        quotas: Quotas,
        events: Publisher,
        clock: IReactorTime,
    ) -> None:
        self._make_relay = make_relay
        self._quotas = quotas
        self._events = events
        self._clock = clock
        self._states: dict[str, AccountState] = {}
        self._started = clock.seconds()
        self._crashed = True
        self._ways: dict[str, Way] = {}
        self._former: list[Way] = []

    def start(self, states: dict[str, AccountState] | None, started: float) -> None:
        """Take what the gates have to know of the time before the start.

        :param states: by name of the account; ``None``: nobody knows, after a crash.
        """
        self._states = states or {}
        self._started = started
        self._crashed = states is None

    def of(self, account: Account) -> Way:
        """Return the way of an account."""
        way = self._ways.get(account.name)
        if way is None:
            gates = Gates(
                account,
                self._states.get(account.name, {}),
                started=self._started,
                crashed=self._crashed,
                quota=self._quotas.gate(account),
            )
            way = self._ways[account.name] = Way(account, self._make_relay(account), gates)
        return way

    def known(self, name: str) -> Way | None:
        """Return the way of an account that has had mail."""
        return self._ways.get(name)

    def reconfigure(self, before: Iterable[Account], accounts: Iterable[Account]) -> set[str]:
        """Let each account take the place that it or another one had, if there is one.

        :param before: accounts that were in use.
        :param accounts: those in use from now on.
        :return: the names of those whose fault is not known to be one any more.
        """
        for account in before:
            if account.name in self._states:
                self.of(account)  # it may have another name now
        accounts = list(accounts)
        anew: set[str] = set()
        known = [*self._former, *self._ways.values()]
        places = predecessors(accounts, [way.account for way in known])
        self._ways = {
            account.name: self._other(known[places[account.name]], account, anew)
            for account in accounts
            if account.name in places
        }
        self._ways |= {
            way.account.name: self._another_login(way, account, anew)
            for account in accounts
            if account.name not in places
            for way in known
            if way.account.name == account.name
        }
        taken = frozenset(places.values())
        left = [way for position, way in enumerate(known) if position not in taken]
        for way in left:
            way.relay.drain()
        self._former = left[-MOST_FORMER:]
        self._states = {}
        return anew

    def _another_login(self, way: Way, account: Account, anew: set[str]) -> Way:
        """Return the way of an account whose server knew it by another login until now.

        That login keeps what it has, for it may come back; but who has asked for a wait has it.
        """
        now = self._clock.seconds()
        state: AccountState = {MinimumWait.name: now}
        if way.account.minimum_wait and not way.gates.connections.under_way:
            state = way.gates.state()
        if way.gates.condition.fault is not None:
            self._recovered(account, anew)
        quota = self._quotas.gate(account)
        gates = Gates(account, state, started=now, crashed=False, quota=quota)
        return Way(account, self._make_relay(account), gates)

    def _recovered(self, account: Account, anew: set[str]) -> None:
        anew.add(account.name)
        self._events.publish(AccountRecovered(account.name, unproven=True))

    def _other(self, way: Way, account: Account, anew: set[str]) -> Way:
        gates = way.gates
        if account != way.account:
            had_fault = gates.condition.fault is not None
            gates.reconfigure(account, self._clock.seconds())
            if had_fault and gates.condition.fault is None:
                self._recovered(account, anew)
        gates.renew_quota(self._quotas.gate(account))
        return Way(account, way.relay.reconfigured(account), gates)

    def stop(self, grace: float) -> Deferred[Any]:
        """Close all connections: see `IRelay`."""
        ways = (*self._ways.values(), *self._former)
        return DeferredList([way.relay.stop(grace) for way in ways])
