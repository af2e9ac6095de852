"""The channel between the two processes: frames over a pair of local sockets.

A frame is the number of its octets, its type, the number of the message if it is about one, and
its octets.  It knows nothing of what they mean.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from struct import Struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..network.outlet import Outlet
from ..turn import Turn

#: Octets that are read at once: more than a piece of content.
READ_AT_ONCE = 256 * 1024
#: A frame that would be longer is none.
LONGEST = 256 * 1024 * 1024

_HEAD = Struct(">IBQ")


class FrameType(enum.IntEnum):
    """What a frame says."""

    # To the front process.
    SETUP = 1  # what it has to know; the first frame
    COMMITTED = 2  # messages are durable
    FAILED = 3  # a message is not stored
    STOP = 4  # take nothing more, and end
    # From the front process.
    READY = 5  # clients are served
    WRITE = 6  # more of a message's content
    COMMIT = 7  # its envelope, and the rest of its content
    DISCARD = 8  # there will be no more of it
    LOG = 9  # an event of its log
    EVENT = 10  # a fact about a client


@implementer(IPushProducer)
class Channel(Protocol):
    """One end.

    :param lost: is called when the other process is gone.
    :param clock: tells when a turn of the reactor is over.
    """

    transport: Any

    def __init__(self, lost: Callable[[], None], clock: IReactorTime) -> None:
        self._lost = lost
        self._turn = Turn.of(clock)
        self._frames: list[bytes] = []
        self._buffer = b""
        #: By the number of the type: to find a member of the Enum takes two calls.
        self.takers: dict[int, Callable[[int, bytes], object]] = {}
        #: The other process does not read as fast as this one sends.
        self.full = False
        self._waiting: list[Deferred[None]] = []

    def connectionMade(self) -> None:
        self.transport.bufferSize = READ_AT_ONCE
        self._outlet = Outlet(self.transport, self)

    def take(self, frame_type: FrameType, taker: Callable[[int, bytes], object]) -> None:
        """Have each frame of a type taken: its number, and its octets."""
        self.takers[frame_type.value] = taker

    def send(self, frame_type: FrameType, number: int = 0, octets: bytes = b"") -> None:
        """Send a frame; it leaves together with the others of this turn of the reactor."""
        self._frames.append(_HEAD.pack(len(octets), frame_type, number) + octets)
        if len(self._frames) == 1:
            self._turn.at_end(self._flush)

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        self._outlet.write(b"".join(frames))

    def close(self) -> None:
        """Hang up when everything has left."""
        self._flush()
        self._outlet.let_go()
        self.transport.loseConnection()

    def room(self) -> Deferred[None] | None:
        """Return what fires when the other process reads again; ``None`` when it does."""
        if not self.full:
            return None
        room: Deferred[None] = Deferred()
        self._waiting.append(room)
        return room

    def dataReceived(self, data: bytes) -> None:
        octets = self._buffer + data if self._buffer else data
        at, end = 0, len(octets)
        while end - at >= _HEAD.size:
            size, frame_type, number = _HEAD.unpack_from(octets, at)
            if size > LONGEST:
                raise ValueError(f"a frame of {size} octets")
            start = at + _HEAD.size
            if end - start < size:
                break
            taker = self.takers.get(frame_type)
            if taker is None:
                raise ValueError(f"a frame of type {frame_type}")
            at = start + size
            taker(number, octets[start:at])
        self._buffer = octets[at:]

    def pauseProducing(self) -> None:
        self.full = True

    def resumeProducing(self) -> None:
        self.full = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def stopProducing(self) -> None:
        """The other process is gone: see `connectionLost`."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        self._lost()
