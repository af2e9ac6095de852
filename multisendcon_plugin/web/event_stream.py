"""Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html .

A client that does not read is sent away: what happens neither waits for it, nor is it kept.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.server import Request
from zope.interface import implementer

from ..operations.json_form import encode_plain
from ..operations.live import Live, Told
from .site import hang_up

#: Seconds after which a client hears that the connection is still there.
HEARTBEAT = 15.0
#: Octets that may wait for a client.
MOST_WAITING = 64 * 1024


@implementer(IPushProducer)
class Stream:
    """Sends messages to one client, until it goes."""

    def __init__(self, request: Request, clock: IReactorTime) -> None:
        self._request = request
        self._clock = clock
        self._beat: IDelayedCall | None = None
        #: Octets that have been sent since the connection was full; ``None``: it is not.
        self._waiting: int | None = None
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("Cache-Control", "no-store")
        # For nginx, which would keep what comes until there is more of it.
        request.setHeader("X-Accel-Buffering", "no")
        request.registerProducer(self, True)
        request.notifyFinish().addBoth(lambda _: self._end())
        self._heartbeat()

    def _heartbeat(self) -> None:
        self.send(b":\n\n")
        self._beat = self._clock.callLater(HEARTBEAT, self._heartbeat)

    def send(self, octets: bytes) -> None:
        """Send what `message` has made, or several of that; hang up if too much waits."""
        if self._waiting is not None:
            self._waiting += len(octets)
            if self._waiting > MOST_WAITING:
                hang_up(self._request)
                return
        self._request.write(octets)

    def close(self) -> None:
        """End it, as the client has nothing more to hear."""
        self._request.unregisterProducer()
        self._request.finish()

    def _end(self) -> None:
        if self._beat is not None and self._beat.active():
            self._beat.cancel()

    def pauseProducing(self) -> None:
        self._waiting = 0

    def resumeProducing(self) -> None:
        self._waiting = None

    def stopProducing(self) -> None:
        """Nothing: the end of the request is told."""


def message(event: str, plain: Any, number: int | None = None) -> bytes:
    """Return a message, with something that is JSON already.

    :param number: by which a client that comes again says what it knows; ``None``: it need not.
    """
    head = b"" if number is None else b"id: %d\n" % number
    return b"%bevent: %b\ndata: %b\n\n" % (head, event.encode(), encode_plain(plain))


def send_events(request: Request, live: Live, clock: IReactorTime, after: int | None) -> None:
    """Send what happens to one client, until it goes.

    :param after: the number of the last event that it knows of; ``None``: it asks for the first
        time.
    """
    stream = Stream(request, clock)
    leave = live.listen(lambda told: stream.send(_event(told)), after)
    request.notifyFinish().addBoth(lambda _: leave())


def _event(told: Told) -> bytes:
    return message(told.plain["event"], told.plain, told.number)
