"""What the edge tells of clients that are refused, or whose sessions end before their time.

Facts that repeat each other are counted instead, already here: no client can fill the log, or the
channel from the front process, or hide what else is told.  Of a connection that comes and goes
without a word, as probes of monitoring do, nothing is told.  Logins, right and wrong, are all told,
and not by this module.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..events import (
    ClientRefused,
    CommandRefused,
    Event,
    EventsLeftOut,
    LimitReached,
    Publisher,
    SessionEnded,
)
from ..mail.reply import Reply
from .dialogue import Dialogue
from .peers import Place

#: Recipients that are told of the mail that something is about.
_MOST_RECIPIENTS = 3

#: Seconds after which facts are told again, and those summed up that were not.
MINUTE = 60.0
#: Facts of one kind about one address in a minute.
IN_FULL = 50
#: Kinds of facts and addresses that are told apart in a minute.
MOST_KEYS = 1_000

#: Of whom, the name of the class of events, and what else they share.
Key = tuple[Place | str, str, str]
#: Counts for all that cannot be told apart any more.
OTHERS: Key = "other addresses", "", ""


class Summary:
    """The facts of a minute: of each kind, an address gets a number; the others are counted."""

    def __init__(self) -> None:
        self._since = 0.0
        self._counts: Counter[Key] = Counter()

    def is_told(self, key: Key, now: float) -> bool:
        """Count a fact; say whether it is to be told.

        When not, `take` is to be called after a minute.

        :param key: of facts that repeat each other.
        :param now: seconds of any clock.
        """
        if now >= self._since + MINUTE and not self._left_out():
            self._counts.clear()
        if not self._counts:
            self._since = now
        # From an IPv6 network, or through a proxy, there is no end of addresses.
        if key not in self._counts and len(self._counts) >= MOST_KEYS:
            key = OTHERS
        self._counts[key] += 1
        return self._counts[key] <= IN_FULL

    def take(self) -> list[tuple[Key, int]]:
        """Return how many facts were not told of what; begin a new minute."""
        left_out = self._left_out()
        self._counts.clear()
        return left_out

    def _left_out(self) -> list[tuple[Key, int]]:
        return [(key, count - IN_FULL) for key, count in self._counts.items() if count > IN_FULL]


class Notices:
    """Publishes what concerns clients.

    :param clock: tells when a minute is over.
    """

    def __init__(self, events: Publisher, clock: IReactorTime) -> None:
        self._events = events
        self._clock = clock
        self._summary = Summary()
        self._minute: IDelayedCall | None = None

    # The place of a client is what it is counted by; ``None``: it came by a local socket.

    def not_listed(self, address: str, place: Place, key: str) -> None:
        """A client is sent away, since a list of `[master_relay]` lacks it."""
        if self._is_told(place, ClientRefused, key):
            self._events.publish(ClientRefused(address, key))

    def no_room(self, address: str, place: Place | None, limit: str) -> None:
        """A client is sent away, or a mail of it, since there are too many."""
        if self._is_told(place, LimitReached, limit):
            self._events.publish(LimitReached(address, limit))

    def refused(self, dialogue: Dialogue, place: Place | None, reply: Reply) -> None:
        """A command or a mail is refused for good."""
        if self._is_told(place, CommandRefused, f"{reply.code} {reply.enhanced}".rstrip()):
            self._events.publish(CommandRefused(reply=reply, **_state(dialogue)))

    def ended_early(self, dialogue: Dialogue, place: Place | None, why: str) -> None:
        """A session has failed, or we end it."""
        if self._is_told(place, SessionEnded, ""):
            self._events.publish(SessionEnded(why=why, **_state(dialogue)))

    def _is_told(self, place: Place | None, kind: type[Event], detail: str) -> bool:
        key = place or "local", kind.__name__, detail
        if self._summary.is_told(key, self._clock.seconds()):
            return True
        if self._minute is None:
            self._minute = self._clock.callLater(MINUTE, self.sum_up)
        return False

    def sum_up(self) -> None:
        """Tell how many facts were left out."""
        if self._minute and self._minute.active():
            self._minute.cancel()
        self._minute = None
        for (place, kind, detail), count in self._summary.take():
            self._events.publish(EventsLeftOut(str(place), kind, detail, count))


def _state(dialogue: Dialogue) -> dict[str, Any]:
    """Return what is told of a session, whatever has happened in it."""
    origin, recipients = dialogue.mail.origin, dialogue.mail.recipients
    return {
        "address": dialogue.talk.connection.peer,
        "user": dialogue.session.user,
        "command": dialogue.command,
        "sender": origin.address if origin else None,
        "recipients": recipients[:_MOST_RECIPIENTS],
        "more": len(recipients[_MOST_RECIPIENTS:]),
    }
