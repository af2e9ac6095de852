"""How deliveries are changed by hand while lanes are at work: nothing is sent twice, nothing lost.

A change takes deliveries from their lanes, locks them, has the spool written, and puts back what
is in a lane then.  What is under way ends first, and is changed then if anything is left.  What the
change is, who asks for it says; here is only in what order it happens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from ..errors import SpoolBrokenError, SpoolError
from ..mail.message import Delivery
from .lane import Lane
from .locks import Lock, Locks

#: Deliveries that are changed in one transaction: some milliseconds.
AT_ONCE = 500

#: What a change has made of a delivery: as it is now; ``None``: it is gone; or why it is unchanged.
Changed = Delivery | None | SpoolError
#: Writes a change of deliveries; answers what was to be changed, by number, once that is durable.
Write = Callable[[Sequence[int]], Awaitable[Mapping[int, Changed]]]


@attrs.define(eq=False, repr=False, slots=False)
class Changes:
    """Changes the deliveries of one queue.

    :param lanes: returns those that there are.
    :param take_up: puts on the agendas what has become durable in this turn.
    :param announce: puts deliveries that are in the spool on the agendas of their lanes.
    :param broken: is called when the spool takes nothing any more.
    """

    locks: Locks
    _lanes: Callable[[], Iterable[Lane]]
    _take_up: Callable[[], None]
    announce: Callable[[Iterable[Delivery]], None]
    _broken: Callable[[], None]

    async def make(
        self, numbers: Iterable[int], write: Write, settled: Callable[[], None] = lambda: None
    ) -> tuple[int, ...]:
        """Change deliveries.

        :param settled: is called when no more can be changed without waiting.
        :return: the numbers of those that were changed.
        :raise SpoolError: the spool has not taken it; what was changed before stays so.
        """
        lock = Lock()
        asked: set[int] = set()
        changed: list[int] = []
        try:
            for piece in _pieces(tuple(dict.fromkeys(numbers))):
                locked = self.locks.ask(lock, piece)
                asked.update(piece)
                changed += await self._change(lock, locked, asked, write)
            settled()
            while lock.awaited:
                for piece in _pieces(await self.locks.granted(lock)):
                    changed += await self._change(lock, piece, asked, write)
                settled()
        except SpoolBrokenError:
            self._broken()
            raise
        finally:
            self._let_go(lock, asked, {})
        return tuple(changed)

    async def _change(
        self, lock: Lock, numbers: Iterable[int], asked: set[int], write: Write
    ) -> list[int]:
        """Change deliveries that are locked, unless they are under way; return which."""
        wanted = frozenset(numbers)
        lost: set[int] = set()
        for lane in self._lanes():
            left = lane.withdraw(wanted, lock.known)
            lock.awaited |= left.under_way
            lost |= left.lost
        free = sorted(wanted - lock.awaited - lost)
        answers = await write(free) if free else {}
        changed: dict[int, Delivery | None] = {}
        errors: list[SpoolError] = []
        for number, answer in answers.items():
            if isinstance(answer, SpoolError):
                errors.append(answer)
            else:
                changed[number] = answer
        done = lost.union(free)
        self._let_go(lock, done, changed)
        asked -= done
        if errors:
            raise errors[0]
        return list(changed)

    def _let_go(
        self, lock: Lock, numbers: Collection[int], changed: Mapping[int, Delivery | None]
    ) -> None:
        """Unlock deliveries; those that are in a lane go on its agenda."""
        # What is announced later than it was changed would be announced as it was.
        self._take_up()
        for lane in self._lanes():
            lane.outdate(changed)
        waiting = []
        for number in numbers:
            # What is neither changed nor known here is in the spool only, where its lane finds it.
            known = lock.known.pop(number, None)
            delivery = changed.get(number, known)
            if delivery is not None and not delivery.held:
                waiting.append(delivery)
        self.locks.release(lock, numbers)
        self.announce(waiting)


def _pieces(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), AT_ONCE):
        yield numbers[start : start + AT_ONCE]
