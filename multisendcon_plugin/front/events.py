"""The log of the front process: its events go to the process that writes them.

Both ends are here: `Events` there, `publish` here.
"""

from __future__ import annotations

from copy import copy

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

from .channel import Channel, FrameType

#: Octets of events that may wait for the process that writes them.
MOST_UNREAD = 16 * 1024 * 1024

#: Seconds until a gap in the log is told that has no other end.
GAP_TOLD_AFTER = 60.0


@implementer(ILogObserver)
class Events:
    """Hands events over.

    When the other process does not read, the log has a gap: clients cause events, and nothing
    makes them wait for it.  Events of ``security`` are never left out; logins are few, since each
    costs a hash.

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
        self._unread = self._unread + len(octets) if self._channel.full else 0
        too_many = self._unread > MOST_UNREAD
        if too_many and not event.get("security"):
            self._missing += 1
            if self._gap is None:
                self._gap = self._clock.callLater(GAP_TOLD_AFTER, self._tell_gap)
            return
        self._channel.send(FrameType.LOG, octets=octets)
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
    """Let an event of the other process be one of this."""
    globalLogPublisher(eventFromJSON(octets.decode()))
