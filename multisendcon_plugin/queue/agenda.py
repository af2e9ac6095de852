"""The deliveries of one lane in the order of their due times; only a window is in memory.

Everything on the agenda is in the spool too.  What does not fit is left there, and asked for when
the window has emptied and its time has come: a long queue costs disk, not memory.
Pure: `now` is an argument.
"""

from __future__ import annotations

from bisect import insort
from operator import attrgetter

from ..mail.message import FIRST_POSITION, Delivery, Position

#: Deliveries of one account that are kept in memory.
WINDOW = 1000
#: Deliveries of all accounts together that are.
ALL_WINDOWS = 20_000
#: With less, the spool would be asked for each mail anew.
LEAST_WINDOW = 50
#: Deliveries that were tried are not the first to leave the window, up to so many: an account at
#: fault is probed by one of them.
TRIED_KEPT = 20

_position = attrgetter("position")


def window(accounts: int) -> int:
    """Return how many deliveries each of so many accounts may keep in memory."""
    return max(LEAST_WINDOW, min(WINDOW, ALL_WINDOWS // max(1, accounts)))


class Agenda:
    """What one account has to do, and when.

    :param window: deliveries to keep in memory.
    :param beyond: earliest due time of deliveries that are in the spool only; ``None`` when there
        are none.
    """

    def __init__(self, window: int = WINDOW, beyond: float | None = None) -> None:
        self._window = window
        #: All deliveries before this position are known.
        self._beyond: Position | None = None if beyond is None else (beyond, 0)
        self._entries: list[Delivery] = []
        self._known: set[int] = set()
        #: From this position on the spool has been asked, and has not answered yet.
        self._asked: Position | None = None
        self._fetching = False
        self._not_asked_before = 0.0
        self._ended_meanwhile: set[int] = set()

    def __len__(self) -> int:
        """Return the number of deliveries in memory that wait."""
        return len(self._entries)

    @property
    def is_empty(self) -> bool:
        """Nothing waits, neither in memory nor in the spool."""
        return not self._entries and self._asked is None and self._beyond is None

    def add(self, delivery: Delivery) -> bool:
        """Put a delivery on the agenda.

        :return: False when it is left in the spool for now.
        """
        if delivery.number in self._known:
            return True
        # One that was tried comes in whenever it is due: it may be the probe of an account at
        # fault.
        is_beyond = self._beyond is not None and delivery.position >= self._beyond
        if is_beyond and not delivery.attempts:
            return False
        insort(self._entries, delivery, key=_position)
        self._known.add(delivery.number)
        if len(self._entries) > self._window:
            left = self._entries.pop(self._last_wanted())
            self._known.discard(left.number)
            self._leave(left.position)
            return left.number != delivery.number
        return True

    def _last_wanted(self) -> int:
        """Return which delivery to leave to the spool: the last one that was not tried."""
        last = len(self._entries) - 1
        for index in range(last, last - min(TRIED_KEPT, self._window // 2) - 1, -1):
            if not self._entries[index].attempts:
                return index
        return last

    def _leave(self, position: Position) -> None:
        self._beyond = position if self._beyond is None else min(self._beyond, position)

    @property
    def first(self) -> Delivery:
        """The delivery that is due first, of those in memory."""
        return self._entries[0]

    def take(self) -> Delivery:
        """Hand out the first delivery; it stays known until `done`."""
        return self._entries.pop(0)

    def take_tried(self, now: float) -> Delivery | None:
        """Hand out the first delivery whose time has come again; ``None``: there is none."""
        for index, delivery in enumerate(self._entries):
            if delivery.due > now:
                break
            if delivery.attempts:
                return self._entries.pop(index)
        return None

    def done(self, delivery: Delivery) -> None:
        """Forget a delivery that was handed out: its settlement is in the spool."""
        self._known.discard(delivery.number)
        if self._fetching:
            self._ended_meanwhile.add(delivery.number)

    def next_due(self) -> float | None:
        """Return when the first delivery in memory is due; ``None`` when there is none."""
        return self.first.due if self._entries else None

    # What is in the spool only.

    def wants_more(self, now: float) -> bool:
        """Tell whether the spool is to be asked: its earliest is due, and should come next.

        There is room for it, or what is in memory is due only later.
        """
        beyond = self.beyond
        if beyond is None or beyond > now:
            return False
        missing = self._missing
        enough = len(self._entries) > self._window // 2
        return missing is not None and (not enough or missing < self.first.position)

    @property
    def _missing(self) -> Position | None:
        """The first position that may be in the spool only."""
        if self._asked is None or self._beyond is None:
            return self._asked or self._beyond
        return min(self._asked, self._beyond)

    @property
    def beyond(self) -> float | None:
        """When the spool may be asked for what is only there; ``None`` while it is asked."""
        missing = self._missing
        if missing is None or self._fetching:
            return None
        return max(missing[0], self._not_asked_before)

    def fetching(self) -> tuple[int, Position]:
        """The spool is being asked; return for how many, and from which position on.

        What is left there from now on may be missing in the answer.
        """
        self._fetching = True
        since = self._asked = self._missing or FIRST_POSITION
        self._beyond = None
        return max(self._window - len(self._entries), self._window // 2, 1), since

    def fetched(self, deliveries: tuple[Delivery, ...], limit: int) -> None:
        """Take the answer: the earliest of the spool, at most as many as were asked for."""
        self._fetching = False
        self._asked = None
        self._not_asked_before = 0.0
        for delivery in deliveries:
            # What was settled since it was read is not waiting any more, or not until then.
            if delivery.number not in self._ended_meanwhile and not self.add(delivery):
                break
        self._ended_meanwhile.clear()
        if len(deliveries) >= limit:
            self._leave(deliveries[-1].position_after)

    def not_fetched(self, again_at: float) -> None:
        """The spool could not answer; it is to be asked again, but not before that time.

        What comes meanwhile need not wait for it.
        """
        self._fetching = False
        self._not_asked_before = again_at
        self._ended_meanwhile.clear()
