"""The connections that all accounts may have open together.

A connection gives way to one that is needed while it is idle, or when it has carried as many mails
as it may: not after each mail, which would cost a login for each.  So does one that is still being
opened, when that takes long and too many are: servers that say nothing keep their accounts waiting,
and not the others.  Knows no account and no SMTP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import takewhile
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds for which a connection may be opening before it can have to give way.
PROMPT = 3.0


def _nothing() -> None:
    """Nothing has begun yet that could be closed."""


@attrs.define(eq=False)
class Place:
    """The place of one connection, from before it is opened until it is gone.

    :param server: whose connection it is.
    :param since: when it was taken.
    :ivar close: what makes the connection give way; to be set by the one who has the place.
    :ivar leaving: it had to give way.
    """

    server: str
    since: float
    close: Callable[[], object] = _nothing
    leaving: bool = False


class ConnectionBudget:
    """Counts open connections.

    :param limit: as many may be open at a time.
    :param clock: tells how long a connection has been opening.
    """

    def __init__(self, limit: int, clock: IReactorTime) -> None:
        self._limit = limit
        self._clock = clock
        self._open = 0
        self._leaving = 0
        #: The server of each.
        self._waiting: dict[Deferred[Any], str] = {}
        #: In the order in which they were taken.
        self._opening: dict[Place, None] = {}
        #: The longest idle one first.
        self._idle: dict[Place, None] = {}
        self._alarm: IDelayedCall | None = None

    def take(self, server: str) -> Deferred[Place]:
        """Ask for a connection; the answer comes when one more may be opened.

        Another one is closed when that is what it takes.
        """
        turn: Deferred[Any] = Deferred(self._cancelled)
        turn.addCallback(lambda _: self._begin(server))
        if self._open < self._limit:
            self._open += 1
            turn.callback(None)
        else:
            self._waiting[turn] = server
            self.make_room()
        return turn

    def _begin(self, server: str) -> Place:
        place = Place(server, self._clock.seconds())
        self._opening[place] = None
        return place

    def _cancelled(self, turn: Deferred[Any]) -> None:
        del self._waiting[turn]
        self.make_room()

    def give_back(self, place: Place) -> None:
        """A connection is gone; its place is for the next who waits.

        That is the one who has waited longest, of those whose servers have the fewest connections
        opening: one server does not fill the queue of the others.
        """
        self._opening.pop(place, None)
        self._idle.pop(place, None)
        self._leaving -= place.leaving
        if self._waiting:
            opening = Counter(each.server for each in self._opening)
            turn = min(self._waiting, key=lambda each: opening[self._waiting[each]])
            del self._waiting[turn]
            turn.callback(None)
        else:
            self._open -= 1
        self.make_room()

    def ready(self, place: Place) -> None:
        """A connection is open, and of use; unless it has just given way."""
        self._opening.pop(place, None)

    def idle(self, place: Place) -> None:
        """Remember that a connection is not needed now."""
        self._idle[place] = None

    @property
    def contended(self) -> bool:
        """Somebody waits for a connection."""
        return bool(self._waiting)

    def busy(self, place: Place) -> None:
        """A connection is needed again."""
        self._idle.pop(place, None)

    def make_room(self) -> None:
        """Close connections for those who wait, the longest idle ones first."""
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        while len(self._waiting) > self._leaving:
            place = next(iter(self._idle), None) or self._slow()
            if place is None:
                return
            self._idle.pop(place, None)
            self._opening.pop(place, None)
            place.leaving = True
            self._leaving += 1
            place.close()

    def _slow(self) -> Place | None:
        """Return a connection that has been opening too long, if half of all have.

        The others may take their time: servers that are slow are to be reached on a busy day too.
        The server with the most of them gives one up.  (A share that is kept for accounts which
        have worked before would not help one that has just begun.)
        """
        may_be_slow = self._limit // 2 or 1
        if len(self._opening) <= may_be_slow:
            return None
        opening = list(self._opening)
        prompt_since = self._clock.seconds() - PROMPT
        pause = opening[may_be_slow].since - prompt_since
        if pause > 0:
            self._alarm = self._clock.callLater(pause, self._alarm_rings)
            return None
        slow = list(takewhile(lambda place: place.since <= prompt_since, opening))
        [(server, _)] = Counter(place.server for place in slow).most_common(1)
        return next(place for place in slow if place.server == server)

    def _alarm_rings(self) -> None:
        self._alarm = None
        self.make_room()
