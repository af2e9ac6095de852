"""The history of a relay, which a reload of its configuration switches on and off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService

from ..configuration import Configuration
from ..events import Publisher
from ..history import History


class KeptHistory(MultiService):
    """Has a history while the configuration wants one.

    :ivar current: it; ``None``: there is none.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        events: Publisher,
        reactor: Any,
        wall: Callable[[], float],
    ) -> None:
        super().__init__()
        self._events = events
        self._reactor = reactor
        self._wall = wall
        self.current: History | None = None
        self.reconfigure(configuration)

    def reconfigure(self, configuration: Configuration) -> None:
        """Go on with other settings."""
        settings = configuration.history
        if self.current is None:
            if settings.keep:
                self.current = self._made(configuration)
                self.current.setServiceParent(self)
        elif settings.keep:
            self.current.reconfigure(settings)
        else:
            self.current.disownServiceParent()
            self.current = None

    def _made(self, configuration: Configuration) -> History:
        return History(
            configuration.spool.path,
            configuration.history,
            events=self._events,
            reactor=self._reactor,
            wall=self._wall,
            min_free=configuration.spool.min_free,
        )
