"""The deliveries of one lane in the order of their due times; only a window is in memory.

Everything on the agenda is in the spool too.  What does not fit is left there, and asked for when
the window has emptied and its time has come: a long queue costs disk, not memory.
Pure: `now` is an argument.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Set
from operator import attrgetter
from typing import NamedTuple

import attrs

from ..mail.message import FIRST_POSITION, Delivery, Position
from .locks import Locks

#: Deliveries of one account that are kept in memory.
WINDOW = 1000
#: Deliveries of all accounts together that are.
ALL_WINDOWS = 20_000
#: With less, the spool would be asked for each mail anew.
LEAST_WINDOW = 50
#: Deliveries that were tried are not the first to leave the window, up to so many: an account at
#: fault is probed by one of them.
TRIED_KEPT = 20

_position = attrgetter("position")


def window(accounts: int) -> int:
    """Return how many deliveries each of so many accounts may keep in memory."""
    return max(LEAST_WINDOW, min(WINDOW, ALL_WINDOWS // max(1, accounts)))


class Left(NamedTuple):
    """Deliveries that a lane has handed out.

    :param under_way: `Lane.settled` or `Lane.not_settled` is called for each.
    :param lost: nobody knows what came of them; they stay as they are until a restart.
    """

    under_way: Set[int]
    lost: Set[int]


class Agenda:
    """What one account has to do, and when.

    :param window: deliveries to keep in memory.
    :param beyond: earliest due time of deliveries that are in the spool only; ``None`` when there
        are none.
    :param locks: of deliveries that are changed by hand: these are not put on it meanwhile.
    :ivar waiting: the deliveries in memory that wait, the first due first; only to be looked at.
    :ivar missing: the first position that may be in the spool only; ``None``: there is nothing.
    """

    def __init__(self, locks: Locks, window: int = WINDOW, beyond: float | None = None) -> None:
        self._locks = locks
        self._window = window
        self.waiting: list[Delivery] = []
        self.missing: Position | None = None if beyond is None else (beyond, 0)
        #: What was left in the spool begins here, apart from what it is asked for just now.
        self._beyond = self.missing
        self._known: set[int] = set()
        self._fetching = False
        self._ended_meanwhile: set[int] = set()

    def add(self, delivery: Delivery) -> bool:
        """Put a delivery on the agenda.

        :return: False when it is left in the spool for now.
        """
        if delivery.number in self._known:
            return True
        if delivery.number in self._locks.holders:
            self._locks.keep(delivery)
            return True
        # One that was tried comes in whenever it is due: it may be the probe of an account at
        # fault.
        is_beyond = self._beyond is not None and delivery.position >= self._beyond
        if is_beyond and not delivery.attempts:
            return False
        insort(self.waiting, delivery, key=_position)
        self._known.add(delivery.number)
        if len(self.waiting) > self._window:
            left = self.waiting.pop(self._last_wanted())
            self._known.discard(left.number)
            self._leave(left.position)
            return left.number != delivery.number
        return True

    def _last_wanted(self) -> int:
        """Return which delivery to leave to the spool: the last one that was not tried."""
        last = len(self.waiting) - 1
        for index in range(last, last - min(TRIED_KEPT, self._window // 2) - 1, -1):
            if not self.waiting[index].attempts:
                return index
        return last

    def _leave(self, position: Position) -> None:
        self._beyond = position if self._beyond is None else min(self._beyond, position)
        self.missing = position if self.missing is None else min(self.missing, position)

    def hasten(self, now: float) -> None:
        """Let no delivery be due later than now, as it is in the spool."""
        hastened = (attrs.evolve(each, due=min(each.due, now)) for each in self.waiting)
        self.waiting[:] = sorted(hastened, key=_position)
        if self.missing is not None:
            self._leave((now, 0))

    def take(self, index: int = 0) -> Delivery:
        """Hand out a delivery, the first one or another; it stays known until `done`."""
        return self.waiting.pop(index)

    def tried(self, now: float) -> int:
        """Return which one is the first whose time has come again; 0: there is none, or this."""
        for index, delivery in enumerate(self.waiting):
            if delivery.due > now:
                break
            if delivery.attempts:
                return index
        return 0

    def done(self, delivery: Delivery) -> None:
        """Forget a delivery that was handed out: its settlement is in the spool."""
        self._known.discard(delivery.number)
        if self._fetching:
            self._ended_meanwhile.add(delivery.number)

    # What is changed by hand.

    def withdraw(self, numbers: Set[int]) -> list[Delivery]:
        """Take deliveries off that wait; what is handed out stays known."""
        if self._known.isdisjoint(numbers):
            return []
        withdrawn = [each for each in self.waiting if each.number in numbers]
        if withdrawn:
            self.waiting[:] = [each for each in self.waiting if each.number not in numbers]
            self._known.difference_update(each.number for each in withdrawn)
        return withdrawn

    def known(self, numbers: Set[int]) -> Set[int]:
        """Return which of some deliveries are on it, or handed out."""
        return self._known & numbers

    def outdate(self, numbers: Iterable[int]) -> None:
        """Deliveries have changed: what the spool was asked for may have them as they were."""
        if self._fetching:
            self._ended_meanwhile.update(numbers)

    # What is in the spool only.

    def wants_more(self, now: float) -> bool:
        """Tell whether the spool is to be asked: its earliest is due, and should come next.

        There is room for it, or what is in memory is due only later.
        """
        missing = self.missing
        if missing is None or self._fetching or missing[0] > now:
            return False
        enough = len(self.waiting) > self._window // 2
        return not enough or missing < self.waiting[0].position

    @property
    def fetching_now(self) -> bool:
        """The spool is being asked."""
        return self._fetching

    @property
    def idle(self) -> bool:
        """Nothing is handed out, and the spool is not asked: all is as the spool has it."""
        return not self._fetching and len(self._known) == len(self.waiting)

    @property
    def beyond(self) -> float | None:
        """When the spool may be asked for what is only there; ``None`` while it is asked."""
        return None if self.missing is None or self._fetching else self.missing[0]

    def fetching(self) -> tuple[int, Position]:
        """The spool is being asked; return for how many, and from which position on.

        What is left there from now on may be missing in the answer.  If there is none, it is asked
        once more; what comes meanwhile need not wait for it.
        """
        self._fetching = True
        self._ended_meanwhile.clear()
        since = self.missing = self.missing or FIRST_POSITION
        self._beyond = None
        return max(self._window - len(self.waiting), self._window // 2, 1), since

    def fetched(self, deliveries: tuple[Delivery, ...], limit: int) -> None:
        """Take the answer: the earliest of the spool, at most as many as were asked for."""
        self._fetching = False
        self.missing = self._beyond
        for delivery in deliveries:
            # What was settled since it was read is not waiting any more, or not until then.
            if delivery.number not in self._ended_meanwhile and not self.add(delivery):
                break
        self._ended_meanwhile.clear()
        if len(deliveries) >= limit:
            self._leave(deliveries[-1].position_after)
