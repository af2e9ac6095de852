"""The gates of a lane: together they say when it may begin its next mail.

Each is told of what ends, in this order, and `Connections` of what begins:

==============  ======================================  ===========================================
gate            is closed                               decides
==============  ======================================  ===========================================
`Health`        while the account rests after a fault   what an end says about the account: nothing,
                                                        a fault, or a connection too many; those
                                                        behind it go by that
`Connections`   while as many mails are under way as    how many that is: as configured, as the
                may be                                  server allows, or one, which probes an
                                                        account at fault
`MinimumWait`   after each mail                         nothing else
`QuotaGate`     while the next mail has no room         how many recipients of it go at once
==============  ======================================  ===========================================

A further gate is one class more, and its place in that order.  The last one is asked for a certain
mail, by the lane, which has each mail reserved before it begins (`reservation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..mail.message import Delivery
from ..outcome.attempt import AccountFault, Attempt
from ..outcome.failure import Action
from ..routing.account import Account
from .connections import Connections
from .gate import Ended, Gate
from .health import Health
from .minimum_wait import MinimumWait
from .quota_gate import QuotaGate


class LaneCondition(NamedTuple):
    """How an account is, by what its gates in one lane know; `conditions` makes of it what is told.

    :param fault: what is wrong with it; ``None``: nothing.
    :param rests_until: it begins no mail before.
    :param allowed: how many connections its server has allowed, if fewer than configured.
    """

    fault: AccountFault | None
    rests_until: float
    allowed: int | None


class Gates:
    """The gates of one account's lane.

    :param state: what has survived the last restart, by name of the gate: see `state`.
    :param started: when the relay was started.
    :param crashed: it had not been stopped in good order: some of `state` may be missing.
    :ivar account: whose they are, as it is set now.
    :ivar condition: how the account is now, but for its quotas.
    :ivar quota: the gate of those.
    :ivar since: when the account came into its condition; ``None``: not since the relay runs.
    :ivar opened: is called when an attempt has ended that was begun by another lane, which had them
        before a reload; or when there may be room in the quotas.
    :ivar ready: tells whether the next mail waits for nothing but room in the quotas.
    """

    def __init__(
        self,
        account: Account,
        state: Mapping[str, float],
        *,
        started: float,
        crashed: bool,
        quota: QuotaGate | None = None,
    ) -> None:
        self.account = account
        #: The gates of a destination have others beside them.
        self.of_account = self
        self.since: float | None = None
        self.opened: Callable[[], None] = lambda: None
        self.ready: Callable[[], bool] = lambda: False
        self.health = Health(account.quota)
        self.connections = Connections(account.under_way)
        self.condition = LaneCondition(None, 0.0, None)
        self._wait: MinimumWait | None = None
        if account.minimum_wait:
            mail_ended = state.get(MinimumWait.name)
            self._wait = MinimumWait(
                account.minimum_wait, mail_ended, started=started, crashed=crashed
            )
        self.quota: QuotaGate | None = None
        self.renew_quota(quota)
        self._gates = self._in_order()

    def renew_quota(self, quota: QuotaGate | None) -> None:
        """Go by other windows of quotas; by those from before, if they are the same."""
        if quota is None or self.quota is None or not quota.is_same(self.quota):
            self.quota = quota
        if self.quota is not None:
            self.quota.opened = self._has_room
            self.quota.waits = self._waits_for_room

    def _has_room(self) -> None:
        self.opened()

    def _waits_for_room(self) -> bool:
        return self.ready()

    def _in_order(self) -> list[Gate]:
        gates: list[Gate] = [self.health, self.connections]
        return [*gates, self._wait] if self._wait else gates

    def reconfigure(self, account: Account, now: float) -> None:
        """Go on with other settings of the account.

        What its server has a right to stays: the minimum wait since the last mail, and that there
        are no more mails under way than it allows.  What was found out about another connection or
        login says nothing any more.
        """
        if not account.connects_as(self.account):
            self.health = Health(account.quota)
            self.connections.begin_anew()
        self.health.quotas = account.quota
        self.connections.configure(account.under_way)
        if not account.minimum_wait:
            self._wait = None
        elif self._wait:
            self._wait.configure(account.minimum_wait)
        else:
            # Nobody has kept in mind when its last mail ended: it was not later than now.
            self._wait = MinimumWait(account.minimum_wait, now, started=now, crashed=False)
        self.account = account
        self._gates = self._in_order()
        self.condition = LaneCondition(
            self.health.fault, self.health.opens_at, self.connections.allowed
        )

    def opens_at(self) -> float:
        """Return when the next attempt may begin: see `Gate.opens_at`."""
        latest = 0.0
        for gate in self._gates:
            latest = max(latest, gate.opens_at)
        return latest

    def waits_for_quota(self, fault: AccountFault) -> bool:
        """Mail waits for this account, whoever else could take it: its quota is used up."""
        return fault.action is Action.QUOTA and self.quota is not None and self.quota.keeps

    def probe(self) -> None:
        """Let one mail be tried as soon as the other gates are open, although the account rests."""
        self.health.probe()
        if self.condition.fault is not None:
            self.condition = self.condition._replace(rests_until=self.health.opens_at)

    def state(self) -> dict[str, float]:
        """Return what has to survive a restart, by name of the gate."""
        state = {}
        for gate in self._gates:
            if gate.state is not None:
                state[gate.name] = gate.state
        return state

    def ended(
        self, delivery: Delivery, attempt: Attempt, *, working: int, now: float, jitter: float
    ) -> Attempt | None:
        """An attempt has ended; for the parameters, see `Ended`.

        :return: the attempt as it is to be judged; ``None``: it was one connection too many, and
            says nothing about the account or the mail, which is due as it was.
        """
        under_way = self.connections.under_way - 1
        ended = Ended(delivery, attempt, under_way, working, now, jitter)
        for gate in self._gates:
            ended = gate.ended(ended)
        condition = (self.health.fault, self.health.opens_at, self.connections.allowed)
        if condition != self.condition:
            self.condition = LaneCondition(*condition)
        return None if ended.one_too_many else ended.attempt
