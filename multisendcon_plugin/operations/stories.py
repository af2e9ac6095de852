"""Stories of the history, found piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..history import BACKWARD, FORWARD, History, Search, Story, Way
from ..history.story import Place
from ..mail.message import number_of
from .errors import BadRequestError
from .pace import Pace

#: Stories of one piece.
PIECE = 50


async def stories(
    history: History,
    search: Search,
    limit: int | None,
    after: str,
    pace: Pace,
    *,
    way: Way = FORWARD,
) -> AsyncGenerator[list[Story], None]:
    """Iterate over the stories that are looked for, in order of time or against it.

    Mail that comes meanwhile is left out, but for a few: it may come faster than what gives way to
    it goes on.  To be closed if it is not read to its end.

    :param after: id of the last message that is left out; ``""``: none is.
    :raise BadRequestError: that is no id.
    """
    try:
        place = await _place_after(history, after, way)
        last = await history.newest()
        # One whose arrival the history does not know has no place.
        while place is not None and (way is BACKWARD or place < last or search.number is not None):
            if limit is not None and limit <= 0:
                break
            most = PIECE if limit is None else min(limit, PIECE)
            page = await history.find(search, most, place, way)
            if limit is not None:
                limit -= len(page.stories)
            if page.stories:
                yield list(page.stories)
            place = page.after
            await pace.give_way()
    finally:
        pace.end()


async def _place_after(history: History, name: str, way: Way) -> Place | None:
    if not name:
        return way.start
    number = number_of(name)
    if number is None:
        raise BadRequestError(f'"{name}" is no id')
    return await history.place(number)
