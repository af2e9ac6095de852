"""How all accounts are, looked at step by step, for those who look again and again.

What costs much is done once for all of them, and seldom enough for the mail to have the rest of the
time.  Nothing is done while nobody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import SpoolError
from ..mail.selection import Total
from ..outcome.condition import Condition
from ..routing.account import Account
from ..routing.registry import AccountRegistry

T = TypeVar("T")

#: Seconds for which what was found is good.
GOOD_FOR = 1.0
#: Parts of the time that are left to the mail for each that a look has taken.
LEFT = 49
LEFT_BY_COUNTS = 19
#: Accounts that are looked at in one turn of the reactor.
STEP = 200
#: Seconds that a look waits for what waits to be counted; then it goes by an older count.
COUNTED_WITHIN = 0.1
#: Seconds that somebody waits for a look, if there is one from before.
FOUND_WITHIN = 0.2


@attrs.frozen(eq=False)
class Look:
    """How all accounts were at a time.

    :param conditions: in order of priority.
    :param totals: of what waits, by account; ``None``: it is being counted for the first time.
    """

    conditions: tuple[Condition, ...]
    totals: Mapping[str, Total] | None


@attrs.define(eq=False, repr=False, slots=False)
class Survey:
    """Looks at the accounts of one relay.

    :param conditions: returns how each of some accounts is.
    :param totals: has what waits counted.
    """

    log = Logger()

    _registry: Callable[[], AccountRegistry]
    _conditions: Callable[[Sequence[Account]], Sequence[Condition]]
    _totals: Callable[[], Deferred[dict[str, Total]]]
    _clock: IReactorTime

    def __attrs_post_init__(self) -> None:
        self._last: Look | None = None
        self._of: AccountRegistry | None = None
        self._good_until = 0.0
        self._looking: list[Deferred[Look]] | None = None
        self._counted: Mapping[str, Total] | None = None
        self._counting: Deferred[None] | None = None
        self._count_at = 0.0

    def look(self) -> Deferred[Look]:
        """Look at all accounts, or return what was found just now."""
        waiting: Deferred[Look] = Deferred()
        before = self._last if self._of is self._registry() else None
        if before and self._looking is None and self._now < self._good_until:
            waiting.callback(before)
            return waiting
        if self._looking is None:
            self._looking = [waiting]
            Deferred.fromCoroutine(self._look()).addBoth(self._tell)
        else:
            self._looking.append(waiting)
        if before and not waiting.called:
            # The relay has much else to do.
            late = self._clock.callLater(FOUND_WITHIN, self._tell_before, waiting, before)
            waiting.addBoth(_cancel, late)
        return waiting

    def _tell_before(self, waiting: Deferred[Look], before: Look) -> None:
        if self._looking is not None:
            self._looking.remove(waiting)
        waiting.callback(before)

    def now(self, accounts: Sequence[Account]) -> Sequence[Condition]:
        """Return how each of some accounts is at this moment."""
        return self._conditions(accounts)

    @property
    def _now(self) -> float:
        return self._clock.seconds()

    def _tell(self, found: object) -> None:
        waiting, self._looking = self._looking or [], None
        for each in waiting:
            each.callback(found)  # type: ignore[arg-type]  # a failure is one for all of them

    async def _look(self) -> Look:
        counting = self._count()
        registry, conditions, taken = await self._all_conditions()
        if not counting.called:
            await _first_of(counting, deferLater(self._clock, COUNTED_WITHIN))
        self._last, self._of = Look(conditions, self._counted), registry
        # Soon again, if a count is to come that nobody has seen.
        pause = GOOD_FOR if self._counted is None else max(GOOD_FOR, LEFT * taken)
        self._good_until = self._now + pause
        return self._last

    async def _all_conditions(self) -> tuple[AccountRegistry, tuple[Condition, ...], float]:
        """Return how all accounts are, and the seconds for which the reactor was held."""
        registry, taken = self._registry(), 0.0
        found: list[Condition] = []
        left = iter(registry)
        while True:
            began = self._now
            if registry is not self._registry():
                # They are others since a reload.
                registry, found = self._registry(), []
                left = iter(registry)
            step = tuple(islice(left, STEP))
            found += self._conditions(step)
            taken += self._now - began
            if len(step) < STEP:
                return registry, tuple(found), taken
            await deferLater(self._clock, 0)

    def _count(self) -> Deferred[None]:
        """Have counted what waits; fires when that has ended, or if it was done just now."""
        if self._counting is None:
            if self._now < self._count_at:
                counted: Deferred[None] = Deferred()
                counted.callback(None)
                return counted
            self._counting = counting = Deferred.fromCoroutine(self._count_all())
            counting.addErrback(self._not_counted)
            counting.addBoth(self._ended_counting, self._now)
            return counting
        return self._counting

    async def _count_all(self) -> None:
        self._counted = await self._totals()

    def _not_counted(self, failure: Failure) -> None:
        # What is wrong with the spool is told as an alarm; what was known before stays.
        if not failure.check(SpoolError):
            self.log.failure("internal error of a count (a bug); traceback follows", failure)

    def _ended_counting(self, _: None, began: float) -> None:
        self._counting = None
        # Most of this time was a thread's; but each account takes the reactor a moment, too.
        self._count_at = self._now + max(GOOD_FOR, LEFT_BY_COUNTS * (self._now - began))


async def _first_of(one: Deferred[None], other: Deferred[None]) -> None:
    """Return when one of two has come; the first of them goes on in any case."""
    done: Deferred[None] = Deferred()

    def come(_: object) -> None:
        if not done.called:
            done.callback(None)

    one.addBoth(come)
    other.addErrback(lambda _: None).addBoth(come)
    await done
    other.cancel()


def _cancel(found: T, call: IDelayedCall) -> T:
    if call.active():
        call.cancel()
    return found
