"""Deliveries that are read from the spool piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..interfaces import IQueueView
from ..mail.message import Delivery
from ..mail.selection import Selection

#: Deliveries of one piece: some milliseconds for whoever reads them, and for other work between.
PIECE = 200


async def pieces(
    view: IQueueView, selection: Selection, after: int = 0
) -> AsyncIterator[tuple[Delivery, ...]]:
    """Iterate over the deliveries that are selected, in order of their numbers.

    The next piece is read when it is asked for.
    """
    position: int | None = after
    while position is not None:
        page = await view.find(selection, PIECE, position)
        if page.deliveries:
            yield page.deliveries
        position = page.after
