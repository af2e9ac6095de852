"""Puts things off until the reactor's turn is over: what comes in one turn goes on together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakValueDictionary

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger


class Clock(Protocol):
    """What is needed of `IReactorTime`."""

    def callLater(self, delay: float, function: Callable[[], Any], /) -> IDelayedCall:  # noqa: N802
        """Run something after so many seconds."""


class Turn:
    """What is to be done at the end of the turn, whoever put it off; one for each clock.

    A timer of the reactor's for each of them would cost more than most of what they do.

    :ivar put_off: what is to be called.
    :ivar driven: somebody calls `end` when a turn is over; else it is a timer of the clock's.
    """

    log = Logger()

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.put_off: list[Callable[[], object]] = []
        self.driven = False

    @classmethod
    def of(cls, clock: Clock) -> Turn:
        """Return the one that all share who have this clock."""
        turn = _turns.get(id(clock))
        if turn is None:
            turn = _turns[id(clock)] = cls(clock)
        return turn

    def at_end(self, function: Callable[[], object]) -> None:
        """Call a function when the turn is over, behind what was put off before.

        What it puts off itself follows in the same turn.  If it fails, the others are called all
        the same.
        """
        self.put_off.append(function)
        if len(self.put_off) == 1 and not self.driven:
            self._clock.callLater(0, self.end)

    def end(self) -> None:
        """Call what was put off."""
        for function in self.put_off:  # it may become longer meanwhile
            try:
                function()
            except Exception:
                self.log.failure("internal error at the end of a turn (a bug); traceback follows")
        self.put_off.clear()


#: By the identity of the clock: the clock itself would be kept alive, with all that waits for it.
_turns: WeakValueDictionary[int, Turn] = WeakValueDictionary()
