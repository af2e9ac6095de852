"""Whether the spool has room for new mail: what clients are told, and what is published of it.

Clients are told for some seconds (`Fullness`); what is published is over when a mail is stored, or
when none was refused for long: a relay that is not ready may be sent none.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..errors import SpoolFullError
from ..events import Publisher, SpoolFull, SpoolHasRoom
from .fullness import Fullness

#: Seconds.
QUIET = 60.0


class Room:
    """The room that the spool has.

    :param clock: is never set.
    :param events: is told of changes.
    :ivar lacking: it was published that there is none.
    """

    def __init__(self, clock: IReactorTime, events: Publisher) -> None:
        self.lacking = False
        self._clock = clock
        self._events = events
        self._fullness = Fullness(clock.seconds)
        self._quiet: IDelayedCall | None = None

    @property
    def full(self) -> bool:
        """There was none for the last message, a short time ago."""
        return bool(self._fullness)

    def refused(self, error: SpoolFullError) -> None:
        """There was none for a message."""
        self._fullness.begin()
        if self._quiet is None:
            self._quiet = self._clock.callLater(QUIET, self.has_some)
        else:
            self._quiet.reset(QUIET)
        if not self.lacking:
            self.lacking = True
            self._events.publish(SpoolFull(str(error)))

    def made(self) -> None:
        """A message has ended."""
        self._fullness.end()

    def has_some(self) -> None:
        """There is some, as far as one can know."""
        self.made()
        self.stop()
        if self.lacking:
            self.lacking = False
            self._events.publish(SpoolHasRoom())

    def stop(self) -> None:
        """Wait for nothing any more."""
        if self._quiet is not None and self._quiet.active():
            self._quiet.cancel()
        self._quiet = None
