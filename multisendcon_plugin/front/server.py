"""The other end of `FrontIntake`: hands the messages of the front process to the intake.

The front process is trusted: what it hands over is not checked again.  But a frame that cannot be
read ends the channel, and a message that is not whole is not stored.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import SpoolError
from ..events import Publisher
from ..interfaces import Commit, IBatchIntake, IDraft
from ..turn import Turn
from .channel import Channel, FrameType
from .events import publish, read_event
from .frames import committed_octets, error_octets, read_commit


class IntakeServer:
    """The end of the channel that is not in the front process.

    :param events: is told of clients.
    :param ready: is called when clients are served there.
    :ivar channel: the end, to be connected.
    """

    def __init__(
        self,
        intake: IBatchIntake,
        events: Publisher,
        ready: Callable[[], None],
        clock: IReactorTime,
    ) -> None:
        self.channel = Channel(self._lost, clock)
        self._turn = Turn.of(clock)
        self._intake = intake
        self._drafts: dict[int, IDraft] = {}
        self._commits: list[Commit] = []
        self._full = 0
        self.channel.take(FrameType.COMMIT, self._commit)
        self.channel.take(FrameType.WRITE, self._write)
        self.channel.take(FrameType.DISCARD, self._discard)
        self.channel.take(FrameType.LOG, lambda _number, octets: publish(octets))
        self.channel.take(
            FrameType.EVENT, lambda _number, octets: events.publish(read_event(octets))
        )
        self.channel.take(FrameType.READY, lambda _number, _octets: ready())

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
        envelope, header_size, parcels, texts, rest = read_commit(octets)
        draft = self._drafts.pop(number, None) or self._intake.draft(number)
        draft.write(rest)
        self._commits.append(Commit(draft, envelope, header_size, parcels, texts))
        if len(self._commits) == 1:
            self._turn.at_end(self._commit_all)

    def _commit_all(self) -> None:
        commits, self._commits = self._commits, []
        numbers = [each.draft.number for each in commits]
        committed = maybeDeferred(self._intake.commit_all, commits)
        committed.addCallbacks(
            self._answer, self._failed, callbackArgs=(numbers,), errbackArgs=(numbers,)
        )

    def _answer(self, errors: list[SpoolError | None], numbers: list[int]) -> None:
        durable = []
        for number, error in zip(numbers, errors, strict=True):
            if error is None:
                durable.append(number)
            else:
                self.channel.send(FrameType.FAILED, number, error_octets(error))
        if durable:
            self.channel.send(FrameType.COMMITTED, octets=committed_octets(durable))

    def _failed(self, failure: Failure, numbers: list[int]) -> None:
        for number in numbers:
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
