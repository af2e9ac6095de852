"""So many at a time; the others wait in the order in which they came."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from twisted.internet.defer import Deferred

#: Turns that are given in one turn of the reactor, so that those that end at once do not stop it.
_MOST_AT_ONCE = 100


class Turns:
    """Gives turns, and has them given back.

    Unlike Twisted's semaphore, who gives one back is not called by all who get it afterwards, one
    inside of the other.

    :param most: turns at the same time.
    """

    def __init__(self, reactor: Any, most: int) -> None:
        self._reactor = reactor
        self._free = most
        self._waiting: OrderedDict[Deferred[None], None] = OrderedDict()
        self._giving = False
        self._later: Any = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def get(self) -> Deferred[None]:
        """Wait for a turn; who does not want it any more cancels."""
        turn: Deferred[None] = Deferred(self._waiting.pop)
        self._waiting[turn] = None
        self._give()
        return turn

    def give_back(self) -> None:
        """End a turn."""
        self._free += 1
        self._give()

    def stop(self) -> None:
        """Give no more turns."""
        self._giving = True  # for ever
        if self._later:
            self._later.cancel()
            self._later = None

    def _give(self) -> None:
        if self._giving or self._later:
            return
        self._giving = True
        for _ in range(_MOST_AT_ONCE):
            if not self._free or not self._waiting:
                break
            self._free -= 1
            turn, _ = self._waiting.popitem(last=False)
            turn.callback(None)
        else:
            self._later = self._reactor.callLater(0, self._go_on)
        self._giving = False

    def _go_on(self) -> None:
        self._later = None
        self._give()
