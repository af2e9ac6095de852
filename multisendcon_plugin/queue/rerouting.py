"""Finds other lanes for mail whose account is not in use any more: `orphans` says which.

So it does for mail of an account that is of another type now, which has other destinations.

At the start, after a reload, and for what clients hand in whose session has begun before it.  Mail
that is under way ends first.  One piece of work for each lane at a time: while it goes on, nothing
else may begin with the mail of that lane.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import partial

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..events import DeliveryMoved, Publisher
from ..interfaces import ISpool
from ..mail.message import FIRST_POSITION, LaneKey, Position
from ..outcome.settlement import Settlement
from .changes import Changed, Changes
from .orphans import adopted, fits
from .policy import InForce
from .recorder import Recorder
from .tasks import Tasks

#: Deliveries that are moved at a time.
MOVED_AT_ONCE = 500
_REASON = "its account is not in use any more"


@attrs.define(eq=False, repr=False, slots=False)
class Rerouting:
    """Routes the mail of one queue anew.

    :param events: is told of what is moved.
    :param clock: is never set.
    :param in_hand: tells the numbers of a lane's deliveries that have to be left alone as yet.
    :param changes: changes deliveries beside an admin who may do so too.
    :param over: is called when a lane may begin again, if its account is in use again.
    """

    log = Logger()

    _in_force: InForce
    _spool: ISpool
    _recorder: Recorder
    _tasks: Tasks
    _events: Publisher
    _clock: IReactorTime
    _in_hand: Callable[[LaneKey], Container[int]]
    _changes: Changes
    _over: Callable[[LaneKey], None]

    def __attrs_post_init__(self) -> None:
        #: Lanes whose mail is being moved, and from where on that is to be done once more.
        self._lanes: dict[LaneKey, Position | None] = {}

    def __contains__(self, lane: LaneKey) -> bool:
        """Tell whether mail of a lane is being moved."""
        return lane in self._lanes

    def begin(self, lane: LaneKey, since: Position = FIRST_POSITION) -> None:
        """Move the mail of a lane, from a position on."""
        if lane in self._lanes:
            later = self._lanes[lane]
            self._lanes[lane] = since if later is None else min(later, since)
        else:
            self._lanes[lane] = since
            self._tasks.begin(self._move_until_done(lane))

    async def _move_until_done(self, lane: LaneKey) -> None:
        try:
            while self._goes_on(lane) and (since := self._lanes[lane]) is not None:
                self._lanes[lane] = None
                await self._move(lane, since)
        finally:
            del self._lanes[lane]
        self._over(lane)

    def _goes_on(self, lane: LaneKey) -> bool:
        return not (fits(lane, self._in_force.policy.registry) or self._tasks.stopping)

    async def _adopt(self, lane: LaneKey, numbers: Sequence[int]) -> dict[int, Changed]:
        """Move deliveries that are still in a lane to other accounts, where one takes them."""
        adoptees: dict[int, Changed] = {}
        for delivery in await self._spool.read(numbers):
            if not self._goes_on(lane):
                break
            # Somebody may have changed it since it was found.
            if delivery.held or delivery.lane != lane:
                continue
            moved = adopted(delivery, self._in_force.policy.registry, self._clock.seconds())
            if moved is not None:
                first, *parts = moved
                await self._recorder.record(
                    Settlement(delivery=delivery, remaining=first, parts=tuple(parts))
                )
                if first.account != delivery.account:
                    self._events.publish(DeliveryMoved(delivery, first.account, _REASON))
                self._changes.announce(parts)
                adoptees[delivery.number] = first
        return adoptees

    async def _move(self, lane: LaneKey, since: Position) -> None:
        stuck = 0
        # Before the spool is asked: what is settled meanwhile may be in its answer as it was.
        in_hand = self._in_hand(lane)
        while self._goes_on(lane):
            waiting = await self._tasks.ask(
                partial(self._spool.waiting, lane, MOVED_AT_ONCE, since),
                f"waiting mail of account {lane[0]} not read from the spool",
            )
            numbers = [each.number for each in waiting if each.number not in in_hand]
            moved = await self._changes.make(numbers, partial(self._adopt, lane))
            stuck += len(numbers) - len(moved)
            if len(waiting) < MOVED_AT_ONCE:
                break
            since = waiting[-1].position_after
        if stuck:
            self.log.error(
                "mail waits for account {account}: {count}; the account is not in use, and no "
                "other one takes it: enable it, or add one that does",
                count=stuck,
                account=lane[0],
            )
