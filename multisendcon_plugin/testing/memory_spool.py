"""The spool in memory: the twin of `SqliteSpool` for tests.

Keeps the same contract without threads and without a disk: what the other answers later, this
one answers at once.  Nothing here outlives the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, execute, succeed
from zope.interface import implementer

from ..errors import SpoolError, SpoolFullError, SpoolLockedError
from ..interfaces import Commit, Committed, IContent, IDraft, ISpool
from ..mail.message import (
    ADDED_DOT,
    FIRST_POSITION,
    Delivery,
    LaneKey,
    Message,
    NewMessage,
    Position,
)
from ..mail.selection import Page, Selection
from ..outcome.settlement import AccountState, Settlement
from ..spool.keys import PIECE, new_deliveries
from ..spool.numbering import Numbers
from ..spool.recent import Recent
from . import memory_view


class Clock(Protocol):
    """Tells the time."""

    def seconds(self) -> float:
        """Return the wall clock, in seconds since the epoch."""


@attrs.define(eq=False, kw_only=True)
class MemoryDisk:
    """What a `MemorySpool` leaves to the next one that is opened on it.

    :param capacity: octets of content at which new mail is refused; ``None``: no limit.
    :param fault: while it is set, whatever is written or read fails with it.
    """

    capacity: int | None = None
    fault: SpoolError | None = None
    clean: bool = True
    locked: bool = False
    contents: dict[int, bytes] = attrs.field(factory=dict)
    deliveries: dict[int, Delivery] = attrs.field(factory=dict)
    account_states: dict[str, AccountState] = attrs.field(factory=dict)

    def crash(self) -> None:
        """Let go as a process does that is killed."""
        self.locked = False

    def check(self) -> None:
        """Raise the fault, if there is one."""
        if self.fault is not None:
            raise self.fault
        if not self.locked:
            raise SpoolError("the spool is closed")

    def check_room(self, size: int) -> None:
        """Raise `SpoolFullError` when so many octets more are too many."""
        used = sum(map(len, self.contents.values()))
        if self.capacity is not None and used + size > self.capacity:
            raise SpoolFullError("the spool is full")

    def store(self, content: bytes, deliveries: tuple[Delivery, ...]) -> None:
        """Add a message.

        :raise SpoolError: there is one with its number.
        """
        if any(delivery.message.number in self.contents for delivery in deliveries):
            raise SpoolError("the number is in use")
        for delivery in deliveries:
            self.contents[delivery.message.number] = content
            self.deliveries[delivery.number] = delivery

    def end(self, delivery: Delivery) -> None:
        """Remove a delivery and, when it was the last, its message."""
        del self.deliveries[delivery.number]
        number = delivery.message.number
        if all(each.message.number != number for each in self.deliveries.values()):
            del self.contents[number]


@implementer(ISpool)
class MemorySpool:
    """Messages and deliveries in memory.

    :param disk: what an earlier spool has left.
    """

    clean = False

    def __init__(self, clock: Clock, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self._clock = clock

    def open(self) -> None:
        """Take hold of the disk."""
        if self.disk.locked:
            raise SpoolLockedError("the spool is in use")
        self.disk.locked = True
        self.clean, self.disk.clean = self.disk.clean, False
        self._numbers = Numbers(self._clock.seconds, 0, max(self.disk.contents, default=0))
        self._recent = Recent()

    def close(self, *, clean: bool = True) -> Deferred[None]:
        """Let go of the disk."""
        self._recent = Recent()
        self.disk.clean = clean
        self.disk.locked = False
        return succeed(None)

    def draft(self, number: int | None = None) -> IDraft:
        """Begin a message."""
        number = self._numbers.next() if number is None else self._numbers.note(number)
        return MemoryDraft(number, self.disk, self._recent, self._clock)

    def commit(self, commits: Sequence[Commit]) -> Deferred[list[Committed]]:
        """Make messages durable; one that fails takes no other with it."""
        committed: list[Committed] = []
        for each in commits:
            draft: Any = each.draft  # of this store
            try:
                committed.append(draft.finish(each))
            except SpoolError as error:
                committed.append(error)
        return succeed(committed)

    def settle(self, settlements: Sequence[Settlement]) -> Deferred[list[Committed]]:
        """Record what came of deliveries."""
        answers: list[Committed] = []
        for settlement in settlements:
            self._recent.settled(settlement)
            try:
                answers.append(self._settle(settlement))
            except SpoolError as error:
                answers.append(error)
        return succeed(answers)

    def _settle(self, settlement: Settlement) -> tuple[Delivery, ...]:
        self.disk.check()
        delivery, remaining = settlement.delivery, settlement.remaining
        reports = [self._report(report) for report in settlement.reports]
        if settlement.account_state is not None:
            self.disk.account_states[delivery.account] = dict(settlement.account_state)
        stored = self.disk.deliveries.get(delivery.number)
        if stored is None:
            return ()
        if remaining is None:
            self.disk.end(delivery)
        else:
            self.disk.deliveries[delivery.number] = attrs.evolve(remaining, held=stored.held)
        for content, deliveries in reports:
            self.disk.store(content, deliveries)
        return tuple(delivery for _, deliveries in reports for delivery in deliveries)

    def _report(self, report: NewMessage) -> tuple[bytes, tuple[Delivery, ...]]:
        return report.content, new_deliveries(
            self._numbers.next(),
            report,
            size=len(report.content),
            dots=report.content.count(ADDED_DOT),
            arrived=self._clock.seconds(),
        )

    def waiting(
        self, lane: LaneKey, limit: int, since: Position = FIRST_POSITION
    ) -> Deferred[tuple[Delivery, ...]]:
        """Read the deliveries of a lane, the earliest due first, at most `limit`."""
        return execute(self._waiting, lane, limit, since)

    def _waiting(self, lane: LaneKey, limit: int, since: Position) -> tuple[Delivery, ...]:
        self.disk.check()
        found = [
            each
            for each in self.disk.deliveries.values()
            if each.lane == lane and each.position >= since and not each.held
        ]
        return tuple(sorted(found, key=lambda each: each.position)[:limit])

    def bring_forward(self, lane: LaneKey, latest: float) -> Deferred[None]:
        """Let no delivery of a lane be due later than that."""
        return execute(self._bring_forward, lane, latest)

    def _bring_forward(self, lane: LaneKey, latest: float) -> None:
        self.disk.check()
        for number, delivery in self.disk.deliveries.items():
            if delivery.lane == lane and delivery.due > latest and not delivery.held:
                self.disk.deliveries[number] = attrs.evolve(delivery, due=latest)

    def lanes(self) -> Deferred[dict[LaneKey, int]]:
        """Count the waiting deliveries of each lane that has any."""
        return execute(self._lanes)

    def _lanes(self) -> dict[LaneKey, int]:
        self.disk.check()
        waiting = (each for each in self.disk.deliveries.values() if not each.held)
        return dict(Counter(each.lane for each in waiting))

    def account_states(self) -> Deferred[dict[str, AccountState]]:
        """Read the state of each account that has left any."""
        return execute(self._account_states)

    def _account_states(self) -> dict[str, AccountState]:
        self.disk.check()
        return dict(self.disk.account_states)

    def content(self, message: Message) -> IContent:
        """Begin to read a message's content."""
        return self._recent.open(message.number) or MemoryContent(self.disk, message)

    # The view.

    def find(self, selection: Selection, limit: int, after: int = 0) -> Deferred[Page]:
        """Read a piece of the deliveries that are selected, at most `limit`."""
        return execute(self._find, selection, limit, after)

    def _find(self, selection: Selection, limit: int, after: int) -> Page:
        self.disk.check()
        found = memory_view.selected(self.disk.deliveries, selection, after)[:limit]
        return Page(tuple(found), found[-1].number if len(found) == limit else None)

    def count(self, selection: Selection) -> Deferred[int]:
        """Count the deliveries that are selected."""
        return execute(self._count, selection)

    def _count(self, selection: Selection) -> int:
        self.disk.check()
        return len(memory_view.selected(self.disk.deliveries, selection, 0))

    def hold(self, numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Hold deliveries."""
        return self._change(memory_view.hold, numbers, held=True)

    def release(self, numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Let deliveries wait in their lanes again, due as they were."""
        return self._change(memory_view.hold, numbers, held=False)

    def retry(self, numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Let deliveries be due now."""
        return self._change(memory_view.retry, numbers, self._clock.seconds())

    def move(self, numbers: Sequence[int], lane: LaneKey, reason: str) -> Deferred[tuple[int, ...]]:
        """Move deliveries to another lane, due now."""
        return self._change(memory_view.move, numbers, lane, reason, self._clock.seconds())

    def delete(self, numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Delete deliveries, without a report."""
        return self._change(self._delete, numbers)

    def _delete(self, deliveries: dict[int, Delivery], numbers: Sequence[int]) -> tuple[int, ...]:
        deleted = []
        for number in numbers:
            delivery = deliveries.get(number)
            if delivery is not None:
                self._recent.let_go(delivery.message.number)
                self.disk.end(delivery)
                deleted.append(number)
        return tuple(deleted)

    def _change(
        self, change: Callable[..., tuple[int, ...]], *how: Any, **more: Any
    ) -> Deferred[tuple[int, ...]]:
        def changed() -> tuple[int, ...]:
            self.disk.check()
            return change(self.disk.deliveries, *how, **more)

        return execute(changed)


@implementer(IDraft)
class MemoryDraft:
    """A message that is still arriving."""

    def __init__(self, number: int, disk: MemoryDisk, recent: Recent, clock: Clock) -> None:
        self.number = number
        self._disk = disk
        self._recent = recent
        self._clock = clock
        self._content = bytearray()
        self._open = True

    def write(self, data: bytes) -> Deferred[None] | None:
        """Add content in wire form."""
        if self._open:
            self._content += data
        return None

    def finish(self, commit: Commit) -> tuple[Delivery, ...]:
        """Store the message.

        :raise SpoolError: it cannot be stored.
        """
        if not self._open:
            raise SpoolError("the draft was committed or discarded before")
        self._open = False
        self._disk.check()
        self._disk.check_room(len(self._content))
        content = bytes(self._content)
        deliveries = new_deliveries(
            self.number,
            commit,
            size=len(content),
            dots=content.count(ADDED_DOT),
            arrived=self._clock.seconds(),
        )
        self._disk.store(content, deliveries)
        if len(content) <= PIECE:
            self._recent.keep(content, deliveries)
        return deliveries

    def discard(self) -> None:
        """Forget the message."""
        self._open = False


@implementer(IContent)
class MemoryContent:
    """The content of one message, read piece by piece."""

    def __init__(self, disk: MemoryDisk, message: Message) -> None:
        self._disk = disk
        self._message = message
        self._offset = 0
        self._closed = False

    def read(self) -> Deferred[bytes]:
        """Return the next piece, ``b""`` after the last."""
        return execute(self._read)

    def _read(self) -> bytes:
        self._disk.check()
        if self._closed:
            raise SpoolError("the content was closed")
        if self._offset == self._message.size:
            return b""
        content = self._disk.contents.get(self._message.number)
        if content is None:
            raise SpoolError(f"content of message {self._message.id} is missing")
        data = content[self._offset : self._offset + PIECE]
        self._offset += len(data)
        return data

    def close(self) -> None:
        """Stop reading before the end."""
        self._closed = True
