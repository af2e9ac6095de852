"""A spool as a service: open while the relay runs."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..interfaces import IClaims

#: Seconds by which the wall clock differs from the reactor's if somebody has set it.
_SET = 0.1


class SpoolService(Service):
    """Opens the spool, and closes it with what is known of the times in it.

    :param clock: gives the times in it, and is never set.
    :param wall: tells the time that people read.
    """

    def __init__(self, spool: IClaims, clock: IReactorTime, wall: Callable[[], float]) -> None:
        self._spool = spool
        self._clock = clock
        self._wall = wall

    def startService(self) -> None:
        self._spool.open()
        super().startService()

    def stopService(self) -> Deferred[None] | None:
        if not self.running:
            return None
        super().stopService()
        was_set = abs(self._wall() - self._clock.seconds()) > _SET
        return self._spool.close(clean=not was_set)
