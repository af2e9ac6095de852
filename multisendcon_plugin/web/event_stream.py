"""Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html .

A client that does not read is sent away: what happens neither waits for it, nor is it kept.
"""

from __future__ import annotations

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
class EventStream:
    """Sends what happens to one client, until it goes.

    :param after: the number of the last event that it knows of; ``None``: it asks for the first
        time.
    """

    def __init__(
        self, request: Request, live: Live, clock: IReactorTime, after: int | None
    ) -> None:
        self._request = request
        self._clock = clock
        self._beat: IDelayedCall | None = None
        #: Octets that have been sent since the connection was full; ``None``: it is not.
        self._waiting: int | None = None
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("Cache-Control", "no-store")
        request.registerProducer(self, True)
        request.notifyFinish().addBoth(lambda _: self._end())
        self._heartbeat()
        self._leave = live.listen(self._tell, after)

    def _tell(self, told: Told) -> None:
        kind = told.plain["event"].encode()
        data = encode_plain(told.plain)
        self._send(b"id: %d\nevent: %b\ndata: %b\n\n" % (told.number, kind, data))

    def _heartbeat(self) -> None:
        self._send(b":\n\n")
        self._beat = self._clock.callLater(HEARTBEAT, self._heartbeat)

    def _send(self, octets: bytes) -> None:
        if self._waiting is not None:
            self._waiting += len(octets)
            if self._waiting > MOST_WAITING:
                hang_up(self._request)
                return
        self._request.write(octets)

    def _end(self) -> None:
        self._leave()
        if self._beat is not None and self._beat.active():
            self._beat.cancel()

    def pauseProducing(self) -> None:
        self._waiting = 0

    def resumeProducing(self) -> None:
        self._waiting = None

    def stopProducing(self) -> None:
        """Nothing: the end of the request is told."""
