"""What the edge tells of clients that are refused, or whose sessions end before their time.

Facts that repeat each other are counted instead, already here: no client can fill the log, or the
channel from the front process, or hide what else is told.  Of a connection that comes and goes
without a word, as probes of monitoring do, nothing is told.  Logins, right and wrong, are all told,
and not by this module.
"""

from __future__ import annotations

from typing import Any, cast

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
from .summary import MINUTE, Summary

#: Recipients that are told of the mail that something is about.
_MOST_RECIPIENTS = 3

#: Of whom, the name of the class of events, and what else they share.
_Key = tuple[Place | str, str, str]
_OTHERS: _Key = "other addresses", "", ""


class Notices:
    """Publishes what concerns clients.

    :param clock: tells when a minute is over.
    """

    def __init__(self, events: Publisher, clock: IReactorTime) -> None:
        self._events = events
        self._clock = clock
        self._summary = Summary(_OTHERS)
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
        for key, count in self._summary.take():
            place, kind, detail = cast("_Key", key)
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
