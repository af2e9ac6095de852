"""What is to be done something with: found piece by piece, looked at, then changed in batches.

All are looked at before the first is changed: nothing is changed if one of them must not be.  What
comes into the queue meanwhile, reports on what was deleted for example, is left alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing

import attrs

from ..mail.message import Delivery, number_of, queue_id
from ..mail.selection import Selection
from ..spool.keys import message_of
from .errors import BadRequestError, NotFoundError
from .filters import selection
from .pace import LEFT_BY_CHANGES
from .pieces import Pieces
from .rows import Present
from .values import Changed, Chosen, Filter


@attrs.frozen
class Choice:
    """Deliveries that somebody has chosen.

    :param now: by the clock of the spool, in seconds since the epoch.
    :param present: says what is so at that moment.
    """

    _chosen: Chosen
    _pieces: Pieces
    _now: float
    _present: Callable[[], Present]

    async def change(
        self,
        applies: Callable[[Delivery], bool],
        change: Callable[[list[Delivery]], Awaitable[Iterable[int]]],
    ) -> Changed:
        """Change them, or count them if that is all that is wanted.

        :param applies: whether there is something to change about a delivery; may raise.
        :param change: changes deliveries, and answers the numbers of those that it has changed.
        :raise BadRequestError: nothing is chosen.
        :raise NotFoundError: nothing was found.
        """
        targets = self._targets()
        missing, tally, last = [], _Tally(), 0
        for name, target in targets:
            found = False
            async for piece in self._found(target):
                found = True
                last = max(last, piece[-1].number)
                tally.add(each.number for each in piece if applies(each))
            if not found:
                missing.append(name)
        if not last:
            raise NotFoundError(_nothing_found(self._chosen))
        if not self._chosen.dry_run:
            tally = _Tally()
            for _, target in targets:
                async for piece in self._found(target):
                    some = [each for each in piece if each.number <= last and applies(each)]
                    tally.add(await change(some) if some else ())
                    if piece[-1].number >= last:
                        break
        return Changed(
            changed=tally.count,
            ids=tuple(tally.ids),
            missing=tuple(missing),
            dry_run=self._chosen.dry_run,
        )

    def _targets(self) -> list[tuple[str, Selection | None]]:
        """Return what is to be looked for, by the id that was given."""
        chosen = self._chosen
        if chosen.ids is not None:
            if chosen.filter is not None:
                raise BadRequestError('choose by "ids" or by "filter", not by both')
            if not chosen.ids:
                raise BadRequestError('"ids" is empty: name at least one')
            numbers = {name: number_of(name) for name in dict.fromkeys(chosen.ids)}
            return [
                (name, None if number is None else Selection(message=number))
                for name, number in numbers.items()
            ]
        if chosen.filter is None or chosen.filter == Filter():
            raise BadRequestError(
                'nothing is chosen: give "ids", or a "filter" that says something'
            )
        return [("", selection(chosen.filter, self._now))]

    async def _found(self, target: Selection | None) -> AsyncIterator[list[Delivery]]:
        if target is None:
            return
        state = self._chosen.filter and self._chosen.filter.state
        async with aclosing(self._pieces.of(target, left=LEFT_BY_CHANGES)) as pieces:
            async for piece in pieces:
                found = list(piece)
                if state is not None:
                    present = self._present()
                    found = [each for each in piece if present.state(each) is state]
                if found:
                    yield found


@attrs.define
class _Tally:
    """Deliveries that are counted, and the ids of their messages."""

    count: int = 0
    ids: dict[str, None] = attrs.field(factory=dict)

    def add(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.count += 1
            self.ids[queue_id(message_of(number))] = None


def _nothing_found(chosen: Chosen) -> str:
    if chosen.ids is None:
        return "no mail in the queue is like that"
    return f"not in the queue: {', '.join(chosen.ids)}; it may be in the history"
