"""The connections that one account may have, also while its settings change.

A semaphore whose limit can be another one: Twisted's cannot.  Knows no account and no SMTP.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred


class Places:
    """So many places, and those who wait for one.

    :param limit: how many may be taken at the same time.
    :ivar taken: how many are.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.taken = 0
        self._waiting: list[Deferred[None]] = []

    def take(self) -> Deferred[None]:
        """Wait for a place; whoever does not want it any more cancels that."""
        waiter: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        self._go_on()
        return waiter

    def give_back(self) -> None:
        """A place is free again."""
        self.taken -= 1
        self._go_on()

    def resize(self, limit: int) -> None:
        """Have more places, or fewer as soon as they are given back."""
        self._limit = limit
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self.taken < self._limit:
            self.taken += 1
            self._waiting.pop(0).callback(None)
