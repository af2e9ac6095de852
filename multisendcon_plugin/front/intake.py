"""The intake of the front process: hands messages over to the process that has the spool.

What the edge calls `IIntake`.  A short message goes over whole, when it is committed; of a long
one, each piece goes when it is here.  A message is ours when the other process says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import SpoolError, SpoolFullError
from ..interfaces import IDraft, IIntake
from ..mail.envelope import Envelope
from ..mail.message import Delivery, Parcel
from ..queue.fullness import Fullness
from ..spool.numbering import Numbers
from .channel import Channel, FrameType
from .frames import commit_octets, read_error

#: Octets of a message that are handed over at once.
PIECE = 128 * 1024

_Committed = Deferred[tuple[Delivery, ...]]


@implementer(IDraft)
class FrontDraft:
    """A message that is still arriving.

    :param asked: messages of which it is not known yet whether they are durable.
    """

    def __init__(self, number: int, channel: Channel, asked: dict[int, _Committed]) -> None:
        self.number = number
        self._channel = channel
        self._asked = asked
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
            self._channel.send(FrameType.WRITE, self.number, self._rest())
        return self._channel.room()

    def commit(
        self, envelope: Envelope, header_size: int, parcels: tuple[Parcel, ...]
    ) -> _Committed:
        """Have the message made durable.

        :return: no deliveries: they are where the spool is.
        """
        if not self._open:
            return fail(SpoolError("the draft was committed or discarded before"))
        self._open = False
        octets = commit_octets(envelope, header_size, parcels, self._rest())
        self._channel.send(FrameType.COMMIT, self.number, octets)
        committed = self._asked[self.number] = Deferred()
        return committed

    def discard(self) -> None:
        """Forget the message."""
        if self._open:
            self._open = False
            self._chunks = []
            if self._handed_over:
                self._channel.send(FrameType.DISCARD, self.number)

    def _rest(self) -> bytes:
        rest = b"".join(self._chunks)
        self._chunks = []
        self._size = 0
        return rest


@implementer(IIntake)
class FrontIntake:
    """Takes over messages by handing them on.

    :param seconds: a clock that is never set.
    """

    def __init__(self, channel: Channel, numbers: Numbers, seconds: Callable[[], float]) -> None:
        self._channel = channel
        self._numbers = numbers
        self._fullness = Fullness(seconds)
        self._asked: dict[int, _Committed] = {}

    @property
    def full(self) -> bool:
        """There was no room for the last message: see `IIntake`."""
        return bool(self._fullness)

    def draft(self, number: int | None = None) -> IDraft:
        """Begin a message: see `IIntake`."""
        number = self._numbers.next() if number is None else self._numbers.note(number)
        return FrontDraft(number, self._channel, self._asked)

    def commit(
        self, draft: IDraft, envelope: Envelope, header_size: int, parcels: tuple[Parcel, ...]
    ) -> Deferred[None]:
        """Have a message taken over: see `IIntake`."""
        committed: Deferred[Any] = draft.commit(envelope, header_size, parcels)
        return committed.addCallbacks(lambda _: None, self._not_committed)

    def _not_committed(self, failure: Failure) -> Failure:
        if failure.check(SpoolFullError):
            self._fullness.begin()
        self._numbers.change_writer()
        return failure

    def committed(self, number: int) -> None:
        """The message is durable."""
        self._asked.pop(number).callback(())

    def failed(self, number: int, octets: bytes) -> None:
        """The message is not stored."""
        self._asked.pop(number).errback(read_error(octets))

    def lost(self) -> None:
        """The process that has the spool is gone; nobody knows what it has stored."""
        asked, self._asked = self._asked, {}
        for each in asked.values():
            each.errback(SpoolError("the process that owns the spool is gone"))
