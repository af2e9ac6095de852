"""The gates of one destination of a direct account, beside those of the account.

Those of the account are shared by all of its lanes, which wait in a line where they are closed
(`turns`); here are those that concern one destination: how many mails may be under way to it, the
minimum wait between them, and its health.  What is said of one destination says nothing about the
account; and what is a fault of the account says nothing about a destination.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from ..mail.message import Delivery
from ..outcome.attempt import AccountFault, Attempt, Scope
from ..outcome.condition import Rest
from ..routing.account import Account
from ..settings.destinations import Pace
from .connections import Connections
from .gate import Ended, Gate
from .gates import Gates, LaneCondition
from .health import Health
from .minimum_wait import MinimumWait
from .quota_gate import QuotaGate


class DestinationGates:
    """The gates of one destination: as `Gates`, for its lane.

    :param of_account: those of its account.
    :param pace: how fast the account sends to the destination.
    """

    def __init__(self, of_account: Gates, pace: Pace) -> None:
        self.of_account = of_account
        self.opened: Callable[[], None] = lambda: None
        self.ready: Callable[[], bool] = lambda: False
        self.health = Health()
        self.connections = Connections(pace.connections)
        # A silent destination holds one connection of the account until something has arrived
        # there, not all that it may have.
        self.connections.most = 1
        #: Its server has room for us, which other destinations may have in common with it.
        self._room_at = 0.0
        self._wait: MinimumWait | None = None
        self._pace(pace)

    def _pace(self, pace: Pace) -> None:
        if not pace.minimum_wait:
            self._wait = None
        elif self._wait:
            self._wait.configure(pace.minimum_wait)
        else:
            # Nobody has kept in mind when the last mail to it ended, also over a restart: strangers
            # are owed no more than politeness.
            self._wait = MinimumWait(pace.minimum_wait, None, started=0.0, crashed=False)
        gates: list[Gate] = [self.health, self.connections]
        self._gates = [*gates, self._wait] if self._wait else gates

    def reconfigure(self, pace: Pace) -> None:
        """Go on at another pace."""
        self.connections.configure(pace.connections)
        self._pace(pace)

    @property
    def account(self) -> Account:
        """The account, as it is set now."""
        return self.of_account.account

    @property
    def quota(self) -> QuotaGate | None:
        """The gate of the account's quotas."""
        return self.of_account.quota

    @property
    def condition(self) -> LaneCondition:
        """How account and destination are together: a fault of the account comes first."""
        account = self.of_account.condition
        if account.fault is not None:
            return account
        return LaneCondition(self.health.fault, self.health.opens_at, self.connections.allowed)

    def opens_at(self) -> float:
        """Return when the next attempt may begin; for the rest of its account, see `turns`."""
        latest = max(self.of_account.health.opens_at, self._room_at)
        for gate in self._gates:
            latest = max(latest, gate.opens_at)
        return latest

    def waits_for_quota(self, fault: AccountFault) -> bool:
        """Mail waits for this account, whoever else could take it: see `Gates`."""
        return self.of_account.waits_for_quota(fault)

    def probe(self) -> None:
        """Let one mail be tried as soon as it can, although destination or account rest."""
        self.health.probe()
        if self.of_account.condition.fault is not None:
            self.of_account.probe()

    def state(self) -> Mapping[str, float]:
        """Return what has to survive a restart: of the account."""
        return self.of_account.state()

    def rest(self, now: float) -> Rest | None:
        """Return the rest of the destination after a fault; ``None``: it does not rest."""
        fault, until = self.health.fault, self.health.opens_at
        return Rest(str(fault), until) if fault is not None and until > now else None

    def forgettable(self, now: float, *, waiting: bool) -> bool:
        """Nothing would be lost with these gates.

        :param waiting: mail waits for the destination: then a fault is remembered beyond its rest,
            so that the next rest is longer, and so is what may become one: greylisted mails come
            back one by one.
        """
        health = self.health
        known = health.fault is not None or health.suspected or self.connections.allowed is not None
        if waiting and known:
            return False
        return max(self._room_at, *(gate.opens_at for gate in self._gates)) <= now

    def ended(
        self, delivery: Delivery, attempt: Attempt, *, working: int, now: float, jitter: float
    ) -> Attempt | None:
        """An attempt has ended: see `Gates.ended`."""
        account = self.of_account
        fault = attempt.fault
        neutral = attrs.evolve(attempt, inconclusive=True)
        blamed = fault is not None and fault.scope is Scope.ACCOUNT
        # Who has heard MAIL and says nothing of us shows that the account works.
        proof = fault is None and attempt.possible_fault is None and attempt.mail_ended is not None
        judged = account.ended(
            delivery,
            attempt if blamed or proof else neutral,
            working=account.connections.under_way - 1,
            now=now,
            jitter=jitter,
        )
        own = neutral if blamed else attempt
        ended = Ended(delivery, own, self.connections.under_way - 1, working, now, jitter)
        for gate in self._gates:
            ended = gate.ended(ended)
        if blamed:
            return judged
        if attempt.not_before is not None:
            self._room_at = attempt.not_before
            return None
        return None if ended.one_too_many else ended.attempt


#: Those of any lane.
AnyGates = Gates | DestinationGates
