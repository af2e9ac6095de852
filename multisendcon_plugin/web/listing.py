"""Sends a list as JSON Lines: each piece is asked for when the client has read those before."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.web.server import Request
from zope.interface import implementer

from ..operations.json_form import encode
from .site import hang_up

JSON_LINES = "application/jsonl"
#: Seconds that a client may take to read on: it may be a person with a pager.
READ_TIME = 15 * 60.0


async def send(request: Request, pieces: AsyncGenerator[Any, None], clock: IReactorTime) -> None:
    """Send a list.

    It ends early if the client goes.  An error before the first piece is the caller's to tell.
    """
    request.setHeader("Content-Type", JSON_LINES)
    request.setHeader("Cache-Control", "no-store")
    flow = Flow(request, clock)
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                request.write(b"".join([encode(each) + b"\n" for each in piece]))
                await flow.room()
                # HEAD asks what the list would be like, not for all that is in it.
                if flow.gone or request.method == b"HEAD":
                    break
    finally:
        flow.end()
    if not flow.gone:
        request.finish()


@implementer(IPushProducer)
class Flow:
    """Tells when there is room to write, and whether the client is there.

    :ivar gone: it is not.
    """

    def __init__(self, request: Request, clock: IReactorTime) -> None:
        self.gone = False
        self._request = request
        self._clock = clock
        self._waits: Deferred[None] | None = None
        self._limit: IDelayedCall | None = None
        request.notifyFinish().addErrback(lambda _: self.stopProducing())
        request.registerProducer(self, True)

    async def room(self) -> None:
        """Return when there is room, or the client has gone."""
        if self._waits is not None:
            await self._waits

    def end(self) -> None:
        """Ask for no more: the request may be finished, by an error too."""
        if not self.gone:
            self._request.unregisterProducer()

    def pauseProducing(self) -> None:
        if self._waits is None:
            self._waits = Deferred()
            self._limit = self._clock.callLater(READ_TIME, partial(hang_up, self._request))

    def resumeProducing(self) -> None:
        waits, self._waits = self._waits, None
        if self._limit is not None and self._limit.active():
            self._limit.cancel()
        if waits is not None:
            waits.callback(None)

    def stopProducing(self) -> None:
        self.gone = True
        self.resumeProducing()
