"""How fast a long queue is gone through: as fast as it can be, unless mail passes meanwhile."""

from __future__ import annotations

from collections import deque

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from ..events import AttemptEnded, MailAccepted, Publisher

#: Parts of the time that are left to the mail for each that is taken by who looks at the queue.
LEFT = 19
#: The same of who changes it: that is wanted soon, to hold mail before it has left for example.
LEFT_BY_CHANGES = 1
#: The same of who waits for a few rows, on a page.
LEFT_BY_FEW = 1
#: Seconds of a pause.
LONGEST_PAUSE = 0.5


class Pace:
    """Leaves parts of the time to the mail, while there is any.

    :param left: how many for each that is taken.
    """

    def __init__(self, events: Publisher, clock: IReactorTime, left: int = LEFT) -> None:
        self._clock = clock
        self._left = left
        # No call of ours for what each mail has.
        self._passed: deque[object] = deque(maxlen=1)
        self._subscriptions = [
            events.subscribe(MailAccepted, self._passed.append),
            events.subscribe(AttemptEnded, self._passed.append),
        ]
        self._began = clock.seconds()

    async def give_way(self) -> None:
        """Return when it is time to go on, after something has been done."""
        if self._passed:
            taken = self._clock.seconds() - self._began
            await deferLater(self._clock, min(self._left * taken, LONGEST_PAUSE))
            self._passed.clear()
        self._began = self._clock.seconds()

    def end(self) -> None:
        """Look at the mail no more."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
