"""Deliveries that are read from the spool piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import attrs
from twisted.internet.interfaces import IReactorTime

from ..events import Publisher
from ..interfaces import IQueueReading
from ..mail.message import Delivery
from ..mail.selection import Selection
from .pace import Pace

#: Deliveries of one piece: some milliseconds for whoever reads them, and for other work between.
PIECE = 200


@attrs.frozen
class Pieces:
    """Reads deliveries, and gives way to the mail between two pieces."""

    _view: IQueueReading
    _events: Publisher
    _clock: IReactorTime

    async def of(
        self, selection: Selection, after: int = 0
    ) -> AsyncGenerator[tuple[Delivery, ...], None]:
        """Iterate over the deliveries that are selected, in order of their numbers.

        The next piece is read when it is asked for.  To be closed if it is not read to its end.
        """
        pace = Pace(self._events, self._clock)
        try:
            position: int | None = after
            while position is not None:
                page = await self._view.find(selection, PIECE, position)
                if page.deliveries:
                    yield page.deliveries
                position = page.after
                if position is not None:
                    await pace.give_way()
        finally:
            pace.end()
