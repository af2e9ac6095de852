"""Answers that go on, such as what happens: they end when who has asked may see it no longer."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.server import Request

from ..web.site import hang_up

#: Seconds after which it is looked whether somebody still may.
EVERY = 5.0


class Lasting:
    """All of them."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: dict[Request, Callable[[], bool]] = {}
        self._timer: IDelayedCall | None = None

    def add(self, request: Request, holds: Callable[[], bool]) -> None:
        """Look after a request until it is answered.

        :param holds: says whether who has asked still may.
        """
        self._open[request] = holds
        request.notifyFinish().addBoth(lambda _: self._ended(request))
        if self._timer is None:
            self._timer = self._clock.callLater(EVERY, self._look)

    def _ended(self, request: Request) -> None:
        del self._open[request]
        if not self._open and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._clock.callLater(EVERY, self._look)
        self.end_others()

    def end_others(self) -> None:
        """End those whose client may see it no longer."""
        for request in [each for each, holds in self._open.items() if not holds()]:
            hang_up(request)
