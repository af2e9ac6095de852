"""Limits the connections that all accounts have open together.

When all slots are taken, an idle connection is closed for an account that needs one; a busy one
only when it has carried as many mails as it may, since a login for each mail would cost more than
it saves.  A connection that is still being opened is given up if it takes long and too many others
are being opened: silent servers keep only their own accounts waiting.  Knows no account and no
SMTP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import takewhile
from math import inf
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..turn import Turn

#: Seconds for which a connection may be opening before it can have to give way.
PROMPT = 3.0


def _nothing() -> None:
    """Do nothing: no connection has been begun yet."""


class Slot(Protocol):
    """A slot for one connection, as its owner sees it: see `BudgetSlot`."""

    close: Callable[[], object]

    @property
    def leaving(self) -> bool:
        """The connection was told to close for another one."""


class Budget(Protocol):
    """Limits connections: `ConnectionBudget`, or one within another."""

    def take(self, server: str) -> Deferred[Any]:
        """Wait for a slot for a connection to a server."""

    def give_back(self, slot: Any) -> None:
        """Release the slot of a connection that is gone."""

    def ready(self, slot: Any) -> None:
        """Record that a connection is ready for mail."""

    def idle(self, slot: Any) -> None:
        """Record that a connection is not needed now."""

    def busy(self, slot: Any) -> None:
        """Record that an idle connection carries mail again."""


@attrs.define(eq=False)
class BudgetSlot:
    """A slot for one connection, from before it is opened until it is gone.

    :param server: the host to which the connection leads.
    :param since: when the slot was taken.
    :ivar close: gives up the connection; set by the owner of the slot.
    :ivar leaving: the connection was told to close for another one.
    """

    server: str
    since: float
    close: Callable[[], object] = _nothing
    leaving: bool = False


class ConnectionBudget:
    """Counts open connections.

    :param limit: how many may be open at the same time.
    :param clock: measures how long a connection has been opening.
    """

    def __init__(self, limit: int, clock: IReactorTime) -> None:
        self._limit = limit
        self._clock = clock
        self._turn = Turn.of(clock)
        self._open = 0
        self._leaving = 0
        #: Those who wait for a slot, with the server that each wants to reach.
        self._waiting: dict[Deferred[Any], str] = {}
        #: In the order in which they were taken; and how many of each server they are.
        self._opening: dict[BudgetSlot, None] = {}
        self._opening_of: Counter[str] = Counter()
        #: The longest idle one first.
        self._idle: dict[BudgetSlot, None] = {}
        self._timer: IDelayedCall | None = None

    def take(self, server: str) -> Deferred[BudgetSlot]:
        """Wait for a slot, closing another connection if there is none.

        :return: fires when the connection may be opened.
        """
        waiter: Deferred[Any] = Deferred(self._cancelled)
        waiter.addCallback(lambda _: self._begin(server))
        if self._open < self._limit:
            self._open += 1
            waiter.callback(None)
        else:
            self._waiting[waiter] = server
            self.make_room()
        return waiter

    def _begin(self, server: str) -> BudgetSlot:
        slot = BudgetSlot(server, self._clock.seconds())
        self._opening[slot] = None
        self._opening_of[server] += 1
        return slot

    def _opens_no_more(self, slot: BudgetSlot) -> None:
        if slot in self._opening:
            del self._opening[slot]
            self._opening_of[slot.server] -= 1
            if not self._opening_of[slot.server]:
                del self._opening_of[slot.server]

    def _cancelled(self, waiter: Deferred[Any]) -> None:
        del self._waiting[waiter]
        self.make_room()

    def give_back(self, slot: BudgetSlot) -> None:
        """Release the slot of a connection that is gone, and pass it on.

        It goes to whoever has waited longest among those whose servers have the fewest connections
        opening, so that one server does not take all slots.
        """
        self._opens_no_more(slot)
        self._idle.pop(slot, None)
        self._leaving -= slot.leaving
        self._open -= 1
        self._go_on()

    def resize(self, limit: int) -> None:
        """Let more connections be open, or fewer as soon as some are gone."""
        self._limit = limit
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._open < self._limit:
            waiter = self._next()
            del self._waiting[waiter]
            self._open += 1
            waiter.callback(None)
        self.make_room()

    def _next(self) -> Deferred[Any]:
        """Return who has waited longest for a server of which the fewest are opening."""
        opening, fewest = self._opening_of, inf
        for waiter, server in self._waiting.items():
            if opening[server] < fewest:
                found, fewest = waiter, opening[server]
                if not fewest:
                    break
        return found

    def ready(self, slot: BudgetSlot) -> None:
        """Record that a connection is ready for mail."""
        self._opens_no_more(slot)

    def idle(self, slot: BudgetSlot) -> None:
        """Record that a connection is not needed now, and may be closed for another one."""
        self._idle[slot] = None
        if self._waiting:
            # Not at once: if another mail follows, it is not idle.
            self._turn.at_end(self.make_room)

    def busy(self, slot: BudgetSlot) -> None:
        """Record that an idle connection carries mail again."""
        self._idle.pop(slot, None)

    def make_room(self) -> None:
        """Close connections for those who wait, beginning with the one idle for longest."""
        if self._timer and self._timer.active():
            self._timer.cancel()
        self._timer = None
        while len(self._waiting) > self._leaving:
            slot = next(iter(self._idle), None) or self._slow()
            if slot is None:
                return
            self._idle.pop(slot, None)
            self._opens_no_more(slot)
            slot.leaving = True
            self._leaving += 1
            slot.close()

    def _slow(self) -> BudgetSlot | None:
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
            self._timer = self._clock.callLater(pause, self.make_room)
            return None
        slow = list(takewhile(lambda slot: slot.since <= prompt_since, opening))
        [(server, _)] = Counter(slot.server for slot in slow).most_common(1)
        return next(slot for slot in slow if slot.server == server)
