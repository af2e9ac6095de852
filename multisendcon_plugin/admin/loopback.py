"""Waits on this machine for the browser that a provider sends back (RFC 8252 section 7.3).

Takes one address, ``/``; what stands behind it is looked at elsewhere, and repeated nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

#: Seconds that a browser has for the page that it gets at the end.
_LAST_PAGE = 5.0
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>multisendcon</title>'
    "<h1>multisendcon</h1><p>{}</p></html>"
)
#: What is told where.
GOOD = "You have signed in. You may close this window."
BAD = "That did not work. The terminal says why."
NOTHING = "Nothing is here. The address to begin with is in the terminal."
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'",
    "Cache-Control": "no-store",
    # The address of the page has the code in it.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

#: Takes the query of a redirect, and what tells the browser whether that was good.
Take = Callable[[str, Callable[[bool], None]], object]


class Loopback:
    """Listens on a port of this machine that the system chooses.

    :param reactor: listens, and is the clock.
    """

    def __init__(self, reactor: Any, take: Take) -> None:
        self._reactor = reactor
        self._connections = _Connections(Site(_Redirected(take), reactor=reactor))
        self._port = reactor.listenTCP(0, self._connections, interface="127.0.0.1")

    @property
    def port(self) -> int:
        """The number of the port."""
        return int(self._port.getHost().port)

    async def close(self) -> None:
        """Listen no more, once the browser has its page."""
        await maybeDeferred(self._port.stopListening)
        await self._connections.ended().addTimeout(
            _LAST_PAGE, self._reactor, onTimeoutCancel=lambda *_: None
        )


class _Connections(WrappingFactory):
    """Knows when the last connection has ended."""

    _ended: Deferred[None] | None = None

    def ended(self) -> Deferred[None]:
        """Let all end after what they have to send."""
        if not self.protocols:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self._ended = ended
        for protocol in list(self.protocols):
            protocol.loseConnection()
        return ended

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """Note that a connection has ended."""
        super().unregisterProtocol(p)
        ended = self._ended
        if ended is not None and not self.protocols:
            self._ended = None
            ended.callback(None)


class _Redirected(Resource):
    """The page at which the browser arrives."""

    isLeaf = True

    def __init__(self, take: Take) -> None:
        super().__init__()
        self._take = take

    def render(self, request: Request) -> bytes | int:
        """Answer when it is known whether it was good."""
        for name, value in _HEADERS.items():
            request.setHeader(name, value)
        path, _, query = request.uri.partition(b"?")
        # What only looks whether there is something must not use up the code.
        if request.method != b"GET" or path != b"/" or not query:
            request.setResponseCode(404)
            return _page(NOTHING)
        here = [True]
        request.notifyFinish().addErrback(lambda _: here.clear())

        def answer(good: bool) -> None:
            if here:
                request.setResponseCode(200 if good else 400)
                request.write(_page(GOOD if good else BAD))
                request.finish()

        self._take(query.decode("ascii", "replace"), answer)
        return NOT_DONE_YET


def _page(text: str) -> bytes:
    return _PAGE.format(text).encode()
