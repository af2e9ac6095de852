"""The connections that all accounts may have open together.

A connection that is idle gives way to one that is needed.  Knows no account and no SMTP.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed


class ConnectionBudget:
    """Counts open connections.

    :param limit: as many may be open at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0
        self._waiting: deque[Deferred[None]] = deque()
        self._idle: dict[object, Callable[[], None]] = {}

    def take(self) -> Deferred[None]:
        """Ask for a connection; the answer comes when there may be one more.

        The longest idle connection is closed when that is what it takes.
        """
        if self._open < self._limit:
            self._open += 1
            return succeed(None)
        turn: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(turn)
        self.make_room()
        return turn

    def give_back(self) -> None:
        """A connection is gone; the one who has waited longest gets its place."""
        if self._waiting:
            self._waiting.popleft().callback(None)
        else:
            self._open -= 1

    def idle(self, connection: object, close: Callable[[], None]) -> None:
        """Remember that a connection is not needed now, and how to close it."""
        self._idle[connection] = close

    @property
    def contended(self) -> bool:
        """Somebody waits for a connection."""
        return bool(self._waiting)

    def busy(self, connection: object) -> None:
        """A connection is needed again, or gone."""
        self._idle.pop(connection, None)

    def make_room(self) -> None:
        """Close the longest idle connection if somebody waits for its place."""
        if self._waiting and self._idle:
            connection = next(iter(self._idle))
            self._idle.pop(connection)()
