"""What happens, told to those who listen now, and for a while to those who listen again.

While nobody does, nothing is made of any event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, get_args

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..events import Event, Publisher

#: Events that are kept for those who listen again.
KEPT = 1000
#: Seconds for which they are kept after the last one has left.
KEPT_FOR = 60.0


@attrs.frozen
class Told:
    """One event, as other programs see it.

    :param number: higher than those before, also after a restart of the relay.
    :param plain: an object of JSON, with ``event``.
    """

    number: int
    plain: dict[str, Any]


Listener = Callable[[Told], object]


class Live:
    """Tells events to listeners.

    :param public: says what there is to tell of an event.
    :param first: the number of the first one.
    """

    def __init__(
        self,
        events: Publisher,
        public: Callable[[Event], list[dict[str, Any]]],
        clock: IReactorTime,
        first: int,
    ) -> None:
        self._events = events
        self._public = public
        self._clock = clock
        self._next = first
        self._kept: deque[Told] = deque(maxlen=KEPT)
        self._listeners: list[Listener] = []
        self._subscriptions: list[Callable[[], None]] = []
        self._end: IDelayedCall | None = None

    def listen(self, listener: Listener, after: int | None = None) -> Callable[[], None]:
        """Tell events to a listener from now on.

        :param after: and at once those of the last ones that have a higher number.
        :return: ends that.
        """
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if not self._subscriptions:
            self._subscriptions = [
                self._events.subscribe(kind, self._happened) for kind in get_args(Event)
            ]
        if after is not None:
            for told in tuple(self._kept):
                if told.number > after:
                    listener(told)
        self._listeners.append(listener)
        return lambda: self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        self._listeners = [each for each in self._listeners if each is not listener]
        if not self._listeners and self._subscriptions and self._end is None:
            self._end = self._clock.callLater(KEPT_FOR, self.stop)

    def stop(self) -> None:
        """Forget what was kept, and make nothing of events any more."""
        if self._end is not None and self._end.active():
            self._end.cancel()
        self._end = None
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._subscriptions = []
        self._kept.clear()

    def _happened(self, event: Event) -> None:
        for plain in self._public(event):
            self.tell(plain)

    def tell(self, plain: dict[str, Any]) -> None:
        """Tell something that is no event of a room, such as an alarm."""
        told = Told(self._next, plain)
        self._next += 1
        self._kept.append(told)
        for listener in tuple(self._listeners):
            listener(told)
