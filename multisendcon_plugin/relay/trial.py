"""One goes first where nobody knows whether it can be done; if it fails, it has failed for all.

So a server that does not answer holds one connection and not all that there are, and a login that
is wrong is refused once and not many times.  Knows nothing of sessions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Trial:
    """Runs something that many ask for at the same time, and that may fail for all of them."""

    def __init__(self) -> None:
        self._succeeds = False
        self._under_way = False
        self._waiting: list[Deferred[None]] = []

    def turn(self) -> Deferred[None] | None:
        """Return what to wait for before `run`; ``None``: nothing.

        Fails as the one does that goes first.
        """
        if self._succeeds or not self._under_way:
            return None
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        return turn

    async def run(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt; what comes of it is what those who wait for their turn get."""
        self._under_way = True
        try:
            result = await attempt()
        except BaseException:
            self._ended(succeeds=False, failure=Failure())
            raise
        self._ended(succeeds=True)
        return result

    def forget(self) -> None:
        """What has succeeded was long ago: the next one goes first again."""
        self._succeeds = False

    def _ended(self, *, succeeds: bool, failure: Failure | None = None) -> None:
        self._succeeds = succeeds
        self._under_way = False
        waiting, self._waiting = self._waiting, []
        for turn in waiting:
            if failure is None:
                turn.callback(None)
            else:
                turn.errback(failure)
