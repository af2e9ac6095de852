"""What became of mails, as an admin asks for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import attrs
from twisted.internet.interfaces import IReactorTime

from ..events import Publisher
from ..history import FORWARD, History, Story, Way
from .errors import NotFoundError, RefusedError
from .filters import search_of
from .pace import Pace
from .stories import stories
from .values import HistoryFilter


@attrs.frozen
class Past:
    """Tells of the history.

    :param history: returns it, unless it is off.
    """

    _history: Callable[[], History | None]
    _events: Publisher
    _clock: IReactorTime
    _wall: Callable[[], float]

    async def told(
        self,
        asked: HistoryFilter,
        limit: int | None = None,
        after: str = "",
        way: Way = FORWARD,
    ) -> AsyncGenerator[list[Story], None]:
        """Yield stories: see `Operations.history`.

        :raise RefusedError: there is no history.
        """
        history = self._kept()
        search = search_of(asked, self._wall())
        if search is not None:
            pace = Pace(self._events, self._clock)
            async with aclosing(stories(history, search, limit, after, pace, way=way)) as found:
                async for piece in found:
                    yield piece

    async def story(self, name: str) -> Story:
        """Tell what became of one mail.

        :raise NotFoundError: the history does not know it.
        :raise RefusedError: there is no history.
        """
        async with aclosing(self.told(HistoryFilter(id=name), 1)) as found:
            async for piece in found:
                return piece[0]
        raise NotFoundError(f"{name} is not in the history; older mail is forgotten, see [history]")

    def _kept(self) -> History:
        history = self._history()
        if history is None:
            raise RefusedError("there is no history: keep is 0 in [history]")
        return history

    @property
    def status(self) -> str:
        """``"on"``, ``"off"``, or what is wrong with it."""
        history = self._history()
        return "off" if history is None else history.trouble or "on"
