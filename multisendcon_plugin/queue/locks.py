"""Which deliveries somebody changes by hand: no lane begins them meanwhile, and nobody else may.

What is under way ends first, and what another one changes comes after that.  Each delivery is
waited for by itself, so nobody waits for each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from ..errors import SpoolError
from ..mail.message import Delivery
from ..turn import Turn


class Lock:
    """What one change has locked.

    :ivar known: what was in memory of its deliveries, as they are now; others are only in
        the spool.
    :ivar awaited: numbers of those that it has to wait for.
    """

    def __init__(self) -> None:
        self.known: dict[int, Delivery] = {}
        self.awaited: set[int] = set()
        self.granted: set[int] = set()
        self.wake: Deferred[None] | None = None


class Locks:
    """The locks of one queue.

    :param turn: waiting ends when a turn does, and all that has ended in it is in its place.
    :ivar holders: by number of the delivery; the first one has it, the others wait for it.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.holders: dict[int, list[Lock]] = {}
        self._fault: SpoolError | None = None

    def ask(self, lock: Lock, numbers: Iterable[int]) -> list[int]:
        """Lock deliveries; return those that are, the others are `awaited`.

        :raise SpoolError: see `give_up`.
        """
        if self._fault is not None:
            raise self._fault
        locked = []
        for number in numbers:
            holders = self.holders.setdefault(number, [])
            holders.append(lock)
            if holders[0] is lock:
                locked.append(number)
            else:
                lock.awaited.add(number)
        return locked

    async def granted(self, lock: Lock) -> list[int]:
        """Wait for some that are `awaited`.

        :return: they are locked now, or what was under way of them has ended.
        """
        if self._fault is not None:
            raise self._fault
        if not lock.granted:
            lock.wake = Deferred()
            await lock.wake
        granted, lock.granted = lock.granted, set()
        lock.awaited.difference_update(granted)
        return sorted(granted)

    def keep(self, delivery: Delivery) -> None:
        """Leave a delivery that would go on an agenda to the one who has locked it."""
        self.holders[delivery.number][0].known[delivery.number] = delivery

    def ended(self, numbers: Iterable[int]) -> None:
        """What was under way has ended."""
        for number in numbers:
            holders = self.holders.get(number)
            if holders:
                self._grant(holders[0], number)

    def release(self, lock: Lock, numbers: Iterable[int]) -> None:
        """Let go of deliveries, also of those that are awaited still."""
        for number in numbers:
            holders = self.holders[number]
            had = holders[0] is lock
            holders.remove(lock)
            if not holders:
                del self.holders[number]
            elif had:
                self._grant(holders[0], number)

    def give_up(self, error: SpoolError) -> None:
        """Nothing is changed any more; who waits is told so."""
        self._fault = error
        for holders in tuple(self.holders.values()):
            for lock in tuple(holders):
                wake, lock.wake = lock.wake, None
                if wake is not None:
                    wake.errback(error)

    def _grant(self, lock: Lock, number: int) -> None:
        if number in lock.awaited:
            if not lock.granted:
                self._turn.at_end(lambda: self._wake(lock))
            lock.granted.add(number)

    def _wake(self, lock: Lock) -> None:
        wake, lock.wake = lock.wake, None
        if wake is not None:
            wake.callback(None)
