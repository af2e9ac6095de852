"""The numbers of messages: moments of their birth, and who gave them.

A number is a time in milliseconds since the epoch, times `WRITERS`, plus the writer who gave it;
until the year 2100 it fits in 47 bits.  Any number of writers give numbers without asking each
other: each is a writer drawn at random.  Two that have drawn the same one give the same number only
when they do so in the same millisecond; the second message is then refused by the spool, which its
client sees as a temporary error, and its writer becomes another one.  Pure: the clock and the
writer are arguments.
"""

from __future__ import annotations

from collections.abc import Callable

#: With 32, the last character of a queue id names the writer, and those before it the time.
WRITERS = 32

_UNITS_PER_SECOND = 1000


class Numbers:
    """Gives each message its number, strictly increasing also when the clock goes back.

    A writer that gives more than 1,000 in a second runs ahead of the clock.

    :param seconds: the wall clock, in seconds since the epoch.
    :param writer: below `WRITERS`; to be drawn at random.
    :param last: a number below which none is to be given.
    """

    def __init__(self, seconds: Callable[[], float], writer: int, last: int = 0) -> None:
        self._seconds = seconds
        self._writer = writer
        self._unit = last // WRITERS

    def next(self, given: int | None = None) -> int:
        """Return the number of a new message.

        :param given: by another writer: take note of it, and be another writer than that one.
        """
        if given is not None:
            self._unit = max(self._unit, given // WRITERS)
            if given % WRITERS == self._writer:
                self.change_writer()
            return given
        self._unit = max(self._unit + 1, int(self._seconds() * _UNITS_PER_SECOND))
        return self._unit * WRITERS + self._writer

    def change_writer(self) -> None:
        """Be another writer: a message was refused, maybe since its number was in use."""
        self._writer = (self._writer + 1) % WRITERS
