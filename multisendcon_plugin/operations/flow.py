"""What happens to mails, told by samples: however much happens, it costs next to nothing.

An event is put on a list; of a list, only what is told is looked at more closely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..events import (
    AttemptEnded,
    DeliveryDeleted,
    DeliveryHeld,
    DeliveryMoved,
    DeliveryReleased,
    Event,
    MailAccepted,
    Publisher,
    ReportQueued,
)
from ..history.story import Kind

_KINDS: tuple[type[Any], ...] = (
    MailAccepted,
    AttemptEnded,
    DeliveryMoved,
    DeliveryHeld,
    DeliveryReleased,
    DeliveryDeleted,
    ReportQueued,
)


class Flow:
    """Takes samples of what happens to mails, from its begin to its end.

    :param public: says what there is to tell of an event.
    """

    def __init__(self, events: Publisher, public: Callable[[Event], list[dict[str, Any]]]) -> None:
        self._public = public
        self._happened: list[Event] = []
        # No function in Python: for a mail, there is none to be called.
        self._subscriptions = [events.subscribe(kind, self._happened.append) for kind in _KINDS]

    def take(self, most: int) -> tuple[list[dict[str, Any]], int]:
        """Return some of what has happened since the last time, as in `events` of the API.

        Those that went wrong come before others into the choice.

        :return: in order of time; and how many events there were besides.
        """
        happened = self._happened.copy()
        self._happened.clear()
        chosen = _chosen(happened, most)
        told = [plain for event in chosen for plain in self._public(event)]
        told = [plain for plain in told if plain["event"] != Kind.ATTEMPT]
        # A mail of many recipients is told in several.
        return told[-most:], len(happened) - len(chosen)

    def end(self) -> None:
        """Look at nothing any more."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._happened.clear()


def _chosen(happened: Sequence[Event], most: int) -> Sequence[Event]:
    if len(happened) <= most:
        return happened
    places = range(len(happened))
    wrong = [place for place in places if _went_wrong(happened[place])][-most:]
    taken = set(wrong)
    for place in reversed(places):
        if len(taken) == most:
            break
        taken.add(place)
    return [happened[place] for place in sorted(taken)]


def _went_wrong(event: Event) -> bool:
    return type(event) is AttemptEnded and len(event.judgement.delivered) < len(
        event.attempt.outcomes
    )
