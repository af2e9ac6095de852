"""A limit on connections that is a part of a greater one: those of one account, of all of them.

So an account with many servers keeps to its number as all accounts together keep to theirs: idle
connections make room, and servers that are slow to open keep only a part of it busy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from .budget import Budget, BudgetSlot, ConnectionBudget, Slot


@attrs.define(eq=False)
class SharedSlot:
    """A slot in both: see `Slot`."""

    own: BudgetSlot
    whole: Slot

    @property
    def close(self) -> Callable[[], object]:
        """Gives up the connection."""
        return self.own.close

    @close.setter
    def close(self, close: Callable[[], object]) -> None:
        self.own.close = self.whole.close = close

    @property
    def leaving(self) -> bool:
        """The connection was told to close for another one."""
        return self.own.leaving or self.whole.leaving


class PartOfBudget:
    """Limits connections that count for a greater budget, too: see `Budget`.

    :param limit: how many of them may be open at the same time.
    :param whole: the budget of which it is a part.
    """

    def __init__(self, limit: int, whole: Budget, clock: IReactorTime) -> None:
        self._own = ConnectionBudget(limit, clock)
        self._whole = whole

    def take(self, server: str) -> Deferred[SharedSlot]:
        """Wait for a slot in both."""
        return self._own.take(server).addCallback(self._take_of_whole, server)

    def _take_of_whole(self, own: BudgetSlot, server: str) -> Deferred[SharedSlot]:
        waiting: Deferred[Slot] = self._whole.take(server)
        # It holds a slot of this one, and may have to make room meanwhile.
        own.close = waiting.cancel

        def cancelled(failure: Failure) -> Failure:
            self._own.give_back(own)
            return failure

        return waiting.addCallbacks(partial(SharedSlot, own), cancelled)

    def give_back(self, slot: SharedSlot) -> None:
        """Release the slots of a connection that is gone."""
        self._own.give_back(slot.own)
        self._whole.give_back(slot.whole)

    def resize(self, limit: int) -> None:
        """Let more connections be open, or fewer as soon as some are gone."""
        self._own.resize(limit)

    def ready(self, slot: SharedSlot) -> None:
        """Record that a connection is ready for mail."""
        self._own.ready(slot.own)
        self._whole.ready(slot.whole)

    def idle(self, slot: SharedSlot) -> None:
        """Record that a connection is not needed now, and may be closed for another one."""
        self._own.idle(slot.own)
        self._whole.idle(slot.whole)

    def busy(self, slot: SharedSlot) -> None:
        """Record that an idle connection carries mail again."""
        self._own.busy(slot.own)
        self._whole.busy(slot.whole)
