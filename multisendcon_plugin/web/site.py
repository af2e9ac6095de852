"""How requests are taken: the limits of connections, of time, and of what a client may send.

Twisted's classes, with what they lack for that.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

#: Connections at the same time, unless it is said.
MOST_CONNECTIONS = 64
#: Seconds in which a client has to have sent a whole request, from its connection on or from the
#: answer to the one before.
REQUEST_TIME = 60.0
#: Octets of a body.
LONGEST_BODY = 8 * 1024 * 1024


class Body(BytesIO):
    """The body of a request; what is beyond `LONGEST_BODY` is read, and forgotten.

    So the client has sent all of it when it is refused, and reads why.
    """

    too_long = False

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > LONGEST_BODY:
            self.too_long = True
            return 0
        return super().write(data)


class _Channel(HTTPChannel):
    """One connection."""

    site: ApiSite

    def connectionMade(self) -> None:
        self.site.channels.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.channels.discard(self)
        super().connectionLost(reason)

    def resetTimeout(self) -> None:
        """Give no further time for each octet that comes."""


class ApiSite(Site):
    """The resources, and the connections by which they are asked for.

    :param most: connections at the same time, idle ones too.
    :ivar channels: the connections.
    """

    noisy = False
    protocol = _Channel  # type: ignore[assignment]  # Twisted has a wrapper here, for HTTP/2

    def __init__(self, root: IResource, reactor: Any, *, most: int = MOST_CONNECTIONS) -> None:
        super().__init__(root, timeout=REQUEST_TIME, reactor=reactor, parsePOSTFormSubmission=False)
        self.channels: set[_Channel] = set()
        self._most = most

    def startFactory(self) -> None:
        """Begin no log of requests."""

    def stopFactory(self) -> None:
        """There is nothing to end."""

    def log(self, _: Request) -> None:  # type: ignore[override]
        """Each thing that is done is an event."""

    def getContentFile(self, _: int | None) -> Body:  # noqa: N802 -- Twisted looks for it
        return Body()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        # None closes the connection.
        return super().buildProtocol(addr) if len(self.channels) < self._most else None

    def stop(self) -> None:
        """End all connections."""
        for channel in tuple(self.channels):
            hang_up(channel)


def hang_up(connected: Request | HTTPChannel) -> None:
    """End a connection at once, without what has still to be sent."""
    transport: Any = connected.transport
    transport.abortConnection()
