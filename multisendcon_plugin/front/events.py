"""The log of the front process: its events go to the process that writes them."""

from __future__ import annotations

from copy import copy

from twisted.logger import ILogObserver, LogEvent, Logger, eventAsJSON
from twisted.python.reflect import safe_str
from zope.interface import implementer

from .channel import Channel, Kind

#: Octets of events that may wait for the process that writes them.
MOST_UNREAD = 16 * 1024 * 1024


@implementer(ILogObserver)
class Events:
    """Hands events over.

    When the other process does not read, the log has a gap: clients cause events, and nothing
    makes them wait for it.
    """

    log = Logger()

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._unread = 0
        self._missing = 0

    def __call__(self, event: LogEvent) -> None:
        """Have an event logged."""
        octets = eventAsJSON(_told(event)).encode()
        self._unread = self._unread + len(octets) if self._channel.full else 0
        if self._unread > MOST_UNREAD:
            self._missing += 1
            return
        missing, self._missing = self._missing, 0
        self._channel.send(Kind.LOG, octets=octets)
        if missing:
            self.log.error(
                "{count} log events of the front process were dropped",
                count=missing,
            )


def _told(event: LogEvent) -> LogEvent:
    """Return an event that can be told in JSON: what an exception says, not the exception."""
    failure = event.get("log_failure")
    if failure is None:
        return event
    told = copy(failure)
    told.value = safe_str(failure.value)
    return {**event, "log_failure": told}
