"""Deliveries that are read from the spool piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from itertools import takewhile

import attrs
from twisted.internet.interfaces import IReactorTime

from ..events import Publisher
from ..interfaces import IQueueReading
from ..mail.message import Delivery
from ..mail.selection import Selection
from .pace import LEFT, Pace

#: Deliveries of one piece: some milliseconds for whoever reads them, and for other work between.
PIECE = 200


@attrs.frozen
class Pieces:
    """Reads deliveries, and gives way to the mail between two pieces."""

    _view: IQueueReading
    _events: Publisher
    _clock: IReactorTime

    async def of(
        self, selection: Selection, after: int = 0, left: int = LEFT
    ) -> AsyncGenerator[tuple[Delivery, ...], None]:
        """Iterate over the deliveries that are selected, in order of their numbers.

        The next piece is read when it is asked for.  Mail that comes meanwhile is left out: it may
        come faster than what gives way to it goes on.  To be closed if it is not read to its end.

        :param left: see `Pace`.
        """
        pace = Pace(self._events, self._clock, left)
        try:
            last = await self._view.last()
            position: int | None = after
            while position is not None and position < last:
                page = await self._view.find(selection, PIECE, position)
                found = tuple(takewhile(lambda each: each.number <= last, page.deliveries))
                if found:
                    yield found
                position = page.after
                if position is not None and position < last:
                    await pace.give_way()
        finally:
            pace.end()
