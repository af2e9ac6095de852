"""The intake of the front process: hands messages over to the process that has the spool.

What the edge calls `IIntake`.  A short message goes over whole, when it is committed; of a long
one, each piece goes when it is here.  A message is ours when the other process says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from ..errors import SpoolError, SpoolFullError
from ..interfaces import IDraft, IIntake
from ..mail.envelope import Envelope
from ..mail.message import Parcel
from ..queue.fullness import Fullness
from ..spool.numbering import Numbers
from .channel import Channel, FrameType
from .frames import commit_octets, read_committed, read_error

#: Octets of a message that are handed over at once.
PIECE = 128 * 1024


@implementer(IDraft)
class FrontDraft:
    """A message that is still arriving."""

    def __init__(self, number: int, channel: Channel) -> None:
        self.number = number
        self._channel = channel
        self._chunks: list[bytes] = []
        self._size = 0
        self._open = True
        self._handed_over = False

    def write(self, data: bytes) -> Deferred[None] | None:
        """Add content in wire form."""
        if not self._open:
            return None
        self._chunks.append(data)
        self._size += len(data)
        if self._size > PIECE:
            self._handed_over = True
            self._channel.send(FrameType.WRITE, self.number, b"".join(self._chunks))
            self._chunks = []
            self._size = 0
        return self._channel.room() if self._channel.full else None

    def finish(self) -> bytes | None:
        """Return the rest of the content; ``None``: it was committed or discarded before."""
        if not self._open:
            return None
        self._open = False
        rest = b"".join(self._chunks)
        self._chunks = []
        return rest

    def discard(self) -> None:
        """Forget the message."""
        if self._open:
            self._open = False
            self._chunks = []
            if self._handed_over:
                self._channel.send(FrameType.DISCARD, self.number)


@implementer(IIntake)
class FrontIntake:
    """Takes over messages by handing them on.

    :param seconds: a clock that is never set.
    """

    def __init__(self, channel: Channel, numbers: Numbers, seconds: Callable[[], float]) -> None:
        self._channel = channel
        self._numbers = numbers
        self._fullness = Fullness(seconds)
        #: Messages of which it is not known yet whether they are durable.
        self._asked: dict[int, Deferred[None]] = {}
        channel.take(FrameType.COMMITTED, self._committed)
        channel.take(FrameType.FAILED, self._failed)

    @property
    def full(self) -> bool:
        """There was no room for the last message: see `IIntake`."""
        return bool(self._fullness)

    def draft(self, number: int | None = None) -> IDraft:
        """Begin a message: see `IIntake`."""
        return FrontDraft(self._numbers.next(number), self._channel)

    def commit(
        self, draft: IDraft, envelope: Envelope, header_size: int, parcels: tuple[Parcel, ...]
    ) -> Deferred[None]:
        """Have a message taken over: see `IIntake`."""
        of_ours: Any = draft
        rest = of_ours.finish()
        if rest is None:
            return fail(SpoolError("the draft was committed or discarded before"))
        number = draft.number
        octets = commit_octets(envelope, header_size, parcels, rest)
        self._channel.send(FrameType.COMMIT, number, octets)
        committed = self._asked[number] = Deferred()
        return committed

    def _committed(self, _: int, octets: bytes) -> None:
        for number in read_committed(octets):
            self._asked.pop(number).callback(None)

    def _failed(self, number: int, octets: bytes) -> None:
        committed = self._asked.pop(number)
        error = read_error(octets)
        if isinstance(error, SpoolFullError):
            self._fullness.begin()
        self._numbers.change_writer()
        committed.errback(error)

    def lost(self) -> None:
        """The process that has the spool is gone; nobody knows what it has stored."""
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.errback(SpoolError("the process that owns the spool is gone"))
