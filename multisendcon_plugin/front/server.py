"""The other end of `FrontIntake`: hands the messages of the front process to the intake.

The front process is trusted: what it hands over is not checked again.  But a frame that cannot be
read ends the channel, and a message that is not whole is not stored.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..events import Publisher
from ..interfaces import IDraft, IIntake
from .channel import Channel, FrameType
from .events import publish, read_event
from .frames import error_octets, read_commit


class IntakeServer:
    """The end of the channel that is not in the front process.

    :param events: is told of clients.
    :param ready: is called when clients are served there.
    :ivar channel: the end, to be connected.
    """

    def __init__(
        self, intake: IIntake, events: Publisher, ready: Callable[[], None], clock: IReactorTime
    ) -> None:
        self.channel = Channel(self._receive, self._lost, clock)
        self._intake = intake
        self._drafts: dict[int, IDraft] = {}
        self._full = 0
        self._take: dict[FrameType, Callable[[int, bytes], object]] = {
            FrameType.COMMIT: self._commit,
            FrameType.WRITE: self._write,
            FrameType.DISCARD: self._discard,
            FrameType.LOG: lambda _number, octets: publish(octets),
            FrameType.EVENT: lambda _number, octets: events.publish(read_event(octets)),
            FrameType.READY: lambda _number, _octets: ready(),
        }

    def _receive(self, frame_type: FrameType, number: int, octets: bytes) -> None:
        self._take[frame_type](number, octets)

    def _write(self, number: int, octets: bytes) -> None:
        draft = self._drafts.get(number)
        if draft is None:
            draft = self._drafts[number] = self._intake.draft(number)
        pause = draft.write(octets)
        if pause is not None:
            # Others wait as well; but what they would write goes the same way to the same disk.
            self._full += 1
            self.channel.transport.pauseProducing()
            pause.addCallback(self._written)

    def _written(self, _: None) -> None:
        self._full -= 1
        if not self._full:
            self.channel.transport.resumeProducing()

    def _commit(self, number: int, octets: bytes) -> None:
        envelope, header_size, parcels, rest = read_commit(octets)
        draft = self._drafts.pop(number, None) or self._intake.draft(number)
        draft.write(rest)
        committed = self._intake.commit(draft, envelope, header_size, parcels)
        committed.addCallbacks(
            self._committed, self._failed, callbackArgs=(number,), errbackArgs=(number,)
        )

    def _committed(self, _: None, number: int) -> None:
        self.channel.send(FrameType.COMMITTED, number)

    def _failed(self, failure: Failure, number: int) -> None:
        self.channel.send(FrameType.FAILED, number, error_octets(failure.value))

    def _discard(self, number: int, _: bytes) -> None:
        draft = self._drafts.pop(number, None)
        if draft is not None:
            draft.discard()

    def _lost(self) -> None:
        """What had not been committed was promised to nobody."""
        drafts, self._drafts = self._drafts, {}
        for draft in drafts.values():
            draft.discard()
