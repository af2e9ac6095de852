"""What the front process tells of clients, and logs, goes to the process that writes the log.

Both ends are here: `Events` there, `publish` and `read_event` here.
"""

from __future__ import annotations

from copy import copy
from typing import Any, get_args

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    eventAsJSON,
    eventFromJSON,
    globalLogPublisher,
)
from twisted.python.reflect import safe_str
from zope.interface import implementer

from ..events import ClientEvent, EventsLeftOut, LoginAccepted, LoginRefused, Publisher
from .channel import Channel, FrameType
from .converter import CONVERTER

#: Octets of events that may wait for the process that writes them.
MOST_UNREAD = 16 * 1024 * 1024

#: Seconds until a gap in the log is told that has not ended before.
GAP_TOLD_AFTER = 60.0

_EVENT_TYPES: dict[str, type[ClientEvent]] = {each.__name__: each for each in get_args(ClientEvent)}
#: Are never left out; logins are few, since each costs a hash.
_OF_SECURITY = LoginAccepted, LoginRefused, EventsLeftOut


@implementer(ILogObserver)
class Events:
    """Hands events over.

    When the other process does not read, the log has a gap: clients cause events, and nothing
    makes them wait for it.  Events of ``security`` are never left out.

    :param clock: tells when a gap has lasted for long.
    """

    log = Logger()

    def __init__(self, channel: Channel, clock: IReactorTime) -> None:
        self._channel = channel
        self._clock = clock
        self._unread = 0
        self._missing = 0
        self._gap: IDelayedCall | None = None

    def __call__(self, event: LogEvent) -> None:
        """Have an event logged."""
        octets = eventAsJSON(_told(event)).encode()
        self._hand_over(FrameType.LOG, octets, always=event.get("security", False))

    def subscribe_to(self, events: Publisher) -> None:
        """Have what is published here published there."""
        for event_type in _EVENT_TYPES.values():
            events.subscribe(event_type, self._tell)

    def _tell(self, event: ClientEvent) -> None:
        always = isinstance(event, _OF_SECURITY)
        self._hand_over(FrameType.EVENT, event_octets(event), always=always)

    def _hand_over(self, frame_type: FrameType, octets: bytes, *, always: bool) -> None:
        self._unread = self._unread + len(octets) if self._channel.full else 0
        too_many = self._unread > MOST_UNREAD
        if too_many and not always:
            self._missing += 1
            if self._gap is None:
                self._gap = self._clock.callLater(GAP_TOLD_AFTER, self._tell_gap)
            return
        self._channel.send(frame_type, octets=octets)
        if self._gap and not too_many:
            self._gap.cancel()
            self._tell_gap()

    def _tell_gap(self) -> None:
        self._gap = None
        missing, self._missing = self._missing, 0
        self.log.error(
            "{count} log events of the front process were dropped",
            count=missing,
            security=True,
        )


def _told(event: LogEvent) -> LogEvent:
    """Return an event that can be told in JSON: what an exception says, not the exception."""
    failure = event.get("log_failure")
    if failure is None:
        return event
    told = copy(failure)
    told.value = safe_str(failure.value)
    return {**event, "log_failure": told}


def publish(octets: bytes) -> None:
    """Let a log event of the other process be one of this."""
    globalLogPublisher(eventFromJSON(octets.decode()))


def event_octets(event: ClientEvent) -> bytes:
    """Return what is told of a client as JSON."""
    return CONVERTER.dumps((type(event).__name__, event)).encode()


def read_event(octets: bytes) -> ClientEvent:
    """Return it again.

    :raise Exception: one of several, when it cannot be read.
    """
    name, fields = CONVERTER.loads(octets, tuple[str, dict[str, Any]])
    return CONVERTER.structure(fields, _EVENT_TYPES[name])
