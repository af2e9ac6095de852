"""The numbers of messages: moments of their birth, and no number twice.

A number is a time in units of 100 microseconds since the epoch; until the year 2400 it fits in 47
bits.  Two processes give numbers without asking each other: where the spool is they are even, in
the front process odd.  Pure: the clock is an argument.
"""

from __future__ import annotations

from collections.abc import Callable

_UNITS_PER_SECOND = 10_000


class Numbers:
    """Gives each message its number, strictly increasing also when the clock goes back.

    :param seconds: the wall clock, in seconds since the epoch.
    :param last: the highest number in use.
    :param odd: it gives the odd ones.
    """

    def __init__(self, seconds: Callable[[], float], last: int, *, odd: bool = False) -> None:
        self._seconds = seconds
        self._odd = int(odd)
        #: The highest number that is known to be in use.
        self.last = last

    def next(self) -> int:
        """Return the number of a new message."""
        number = max(self.last + 1, int(self._seconds() * _UNITS_PER_SECOND))
        self.last = number + (number % 2 != self._odd)
        return self.last

    def note(self, number: int) -> int:
        """Take note of a number that was given elsewhere; return it."""
        self.last = max(self.last, number)
        return number
