"""Remembers for some seconds that the spool is full.

MAIL is refused meanwhile, or until a mail has left, so that no client sends a whole message in
vain.  Pure: the clock is an argument.
"""

from __future__ import annotations

from collections.abc import Callable

#: Seconds for which clients are told at once that the spool is full, once it was.
FULL_FOR = 5.0


class Fullness:
    """Whether there was no room for the last message, a short time ago.

    :param seconds: a clock that is never set.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._until = 0.0

    def __bool__(self) -> bool:
        """Tell whether the next one need not be tried."""
        return self._seconds() < self._until

    def begin(self) -> None:
        """There was no room."""
        self._until = self._seconds() + FULL_FOR

    def end(self) -> None:
        """Something has made room."""
        self._until = 0.0
