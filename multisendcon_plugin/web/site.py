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
#: Octets of a body, and of all bodies together, whose clients nobody knows yet.
LONGEST_BODY, MOST_OF_BODIES = 8 * 1024 * 1024, 64 * 1024 * 1024


class Room:
    """The room that the bodies of all requests share.

    :ivar left: octets.
    """

    def __init__(self) -> None:
        self.left = MOST_OF_BODIES


class Body(BytesIO):
    """The body of a request; what is beyond `LONGEST_BODY`, or the room, is read and forgotten.

    So the client has sent all of it when it is refused, and reads why.
    """

    too_long = False

    def __init__(self, room: Room) -> None:
        super().__init__()
        self._room = room
        self._taken = 0

    def write(self, data: Any) -> int:
        if self.too_long or self._taken + len(data) > LONGEST_BODY or len(data) > self._room.left:
            self.too_long = True
            return 0
        self._taken += len(data)
        self._room.left -= len(data)
        return super().write(data)

    def close(self) -> None:
        self._give_back()
        super().close()

    def __del__(self) -> None:
        # Twisted does not close that of a client that has gone before its end.
        self._give_back()

    def _give_back(self) -> None:
        self._room.left += self._taken
        self._taken = 0


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
        self._room = Room()

    def startFactory(self) -> None:
        """Begin no log of requests."""

    def stopFactory(self) -> None:
        """There is nothing to end."""

    def log(self, _: Request) -> None:  # type: ignore[override]
        """Each thing that is done is an event."""

    def getContentFile(self, _: int | None) -> Body:  # noqa: N802 -- Twisted looks for it
        return Body(self._room)

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
