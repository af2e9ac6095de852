"""The deliveries of one account in the order of their due times; only a window is in memory.

Everything on the agenda is in the spool too.  What does not fit is left there, and asked for when
the window has emptied and its time has come: a long queue costs disk, not memory.
Pure: `now` is an argument.
"""

from __future__ import annotations

from bisect import insort

import attrs

from ..message import Delivery

#: Deliveries of one account that are kept in memory.
WINDOW = 1000


@attrs.frozen(order=True)
class _Entry:
    due: float
    number: int
    delivery: Delivery = attrs.field(order=False)


class Agenda:
    """What one account has to do, and when.

    :param window: deliveries to keep in memory.
    :param beyond: earliest due time of deliveries that are in the spool only; ``None`` when there
        are none.
    """

    def __init__(self, window: int = WINDOW, beyond: float | None = None) -> None:
        self._window = window
        self._beyond = beyond
        self._entries: list[_Entry] = []
        self._known: set[int] = set()
        self._fetching = False
        self._ended_meanwhile: set[int] = set()

    def __len__(self) -> int:
        """Return the number of deliveries in memory that wait."""
        return len(self._entries)

    def add(self, delivery: Delivery) -> bool:
        """Put a delivery on the agenda.

        :return: False when it is left in the spool for now.
        """
        if delivery.number in self._known:
            return True
        if self._beyond is not None and delivery.due >= self._beyond:
            return False
        insort(self._entries, _Entry(delivery.due, delivery.number, delivery))
        self._known.add(delivery.number)
        if len(self._entries) > self._window:
            last = self._entries.pop()
            self._known.discard(last.number)
            self._leave(last.due)
            return last.number != delivery.number
        return True

    def _leave(self, due: float) -> None:
        self._beyond = due if self._beyond is None else min(self._beyond, due)

    @property
    def first(self) -> Delivery:
        """The delivery that is due first, of those in memory."""
        return self._entries[0].delivery

    def take(self) -> Delivery:
        """Hand out the first delivery; it stays known until `done`."""
        return self._entries.pop(0).delivery

    def done(self, delivery: Delivery) -> None:
        """Forget a delivery that was handed out: its settlement is in the spool."""
        self._known.discard(delivery.number)
        if self._fetching:
            self._ended_meanwhile.add(delivery.number)

    def next_due(self) -> float | None:
        """Return when the first delivery in memory is due; ``None`` when there is none."""
        return self._entries[0].due if self._entries else None

    # What is in the spool only.

    def wants_more(self, now: float) -> bool:
        """Tell whether the spool is to be asked: its earliest is due, and should come next.

        There is room for it, or what is in memory is due only later.
        """
        return (
            self._beyond is not None
            and not self._fetching
            and self._beyond <= now
            and (len(self._entries) <= self._window // 2 or self._beyond < self._entries[0].due)
        )

    @property
    def beyond(self) -> float | None:
        """Earliest due time of what is in the spool only; ``None`` while the spool is asked."""
        return None if self._fetching else self._beyond

    def fetching(self) -> int:
        """The spool is being asked; return for how many.

        What is left there from now on may be missing in the answer.
        """
        self._fetching = True
        self._beyond = None
        return self._window + len(self._known)

    def fetched(self, deliveries: tuple[Delivery, ...], limit: int) -> None:
        """Take the answer: the earliest of the spool, at most as many as were asked for."""
        self._fetching = False
        for delivery in deliveries:
            # What was settled since it was read is not waiting any more, or not until then.
            if delivery.number not in self._ended_meanwhile and not self.add(delivery):
                break
        self._ended_meanwhile.clear()
        if len(deliveries) >= limit:
            self._leave(deliveries[-1].due)

    def not_fetched(self, again_at: float) -> None:
        """The spool could not answer; it is to be asked again, but not before that time."""
        self._fetching = False
        self._ended_meanwhile.clear()
        self._leave(again_at)
