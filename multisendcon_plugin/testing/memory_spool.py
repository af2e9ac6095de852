"""The spool in memory: the twin of `SqliteSpool` for tests.

Keeps the same contract without threads and without a disk: what the other answers later, this
one answers at once.  Nothing here outlives the process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import attrs
from twisted.internet.defer import Deferred, execute, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ..errors import SpoolError, SpoolLockedError
from ..interfaces import Commit, Committed, IContent, IDraft, ISpool, WaitingInLane
from ..mail.message import (
    ADDED_DOT,
    FIRST_POSITION,
    Delivery,
    LaneKey,
    Message,
    NewMessage,
    Position,
)
from ..mail.selection import Page, Selection, StoreFigures, Total
from ..outcome.settlement import AccountState, Settlement
from ..outcome.usage import Usage, UsageClock, UsageLog
from ..spool.keys import PIECE, new_deliveries
from ..spool.numbering import Numbers
from ..spool.recent import Recent
from .memory_disk import MemoryDisk
from .memory_view import ages, selected, totals

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _at_once(
    method: Callable[Concatenate[MemorySpool, _P], _T],
) -> Callable[Concatenate[MemorySpool, _P], Deferred[_T]]:
    """Have a question answered at once, unless the disk has a fault."""

    @wraps(method)
    def asked(spool: MemorySpool, /, *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        def answer() -> _T:
            spool.disk.check()
            return method(spool, *args, **kwargs)

        return execute(answer)

    return asked


def _answered(function: Callable[[_T], tuple[Delivery, ...]], what: _T) -> Committed:
    try:
        return function(what)
    except SpoolError as error:
        return error


def _commit(commit: Commit) -> tuple[Delivery, ...]:
    draft: Any = commit.draft  # of this store
    committed: tuple[Delivery, ...] = draft.finish(commit)
    return committed


@implementer(ISpool)
class MemorySpool:
    """Messages and deliveries in memory.

    :param clock: tells the time in seconds since the epoch.
    :param disk: what an earlier spool has left.
    """

    clean = False

    def __init__(self, clock: IReactorTime, disk: MemoryDisk | None = None) -> None:
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
        return MemoryDraft(self._numbers.next(number), self.disk, self._recent, self._clock)

    def commit(self, commits: Sequence[Commit]) -> Deferred[list[Committed]]:
        """Make messages durable; one that fails takes no other with it."""
        return succeed([_answered(_commit, each) for each in commits])

    def settle(self, settlements: Sequence[Settlement]) -> Deferred[list[Committed]]:
        """Record what came of deliveries."""
        return succeed([_answered(self._settle, each) for each in settlements])

    def _settle(self, settlement: Settlement) -> tuple[Delivery, ...]:
        self._recent.settled(settlement)
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
            for each in (remaining, *settlement.parts):
                self.disk.deliveries[each.number] = attrs.evolve(each, held=stored.held)
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

    @_at_once
    def waiting(
        self, lane: LaneKey, limit: int, since: Position = FIRST_POSITION
    ) -> tuple[Delivery, ...]:
        """Read the deliveries of a lane, the earliest due first, at most `limit`."""
        found = [
            each
            for each in self.disk.deliveries.values()
            if each.lane == lane and each.position >= since and not each.held
        ]
        return tuple(sorted(found, key=lambda each: each.position)[:limit])

    @_at_once
    def bring_forward(self, lane: LaneKey, latest: float) -> None:
        """Let no delivery of a lane be due later than that."""
        for number, delivery in self.disk.deliveries.items():
            if delivery.lane == lane and delivery.due > latest and not delivery.held:
                self.disk.deliveries[number] = attrs.evolve(delivery, due=latest)

    @_at_once
    def lanes(self) -> dict[LaneKey, WaitingInLane]:
        """Tell what waits in each lane in which anything does."""
        lanes: dict[LaneKey, list[float]] = {}
        for each in self.disk.deliveries.values():
            if not each.held:
                lanes.setdefault(each.lane, []).append(each.due)
        return {lane: WaitingInLane(len(due), min(due), max(due)) for lane, due in lanes.items()}

    @_at_once
    def account_states(self) -> dict[str, AccountState]:
        """Read the state of each account that has left any."""
        return dict(self.disk.account_states)

    @_at_once
    def pauses(self) -> dict[str, float]:
        """Read which accounts are paused, and since when."""
        return dict(self.disk.pauses)

    @_at_once
    def pause(self, account: str, since: float) -> None:
        """Note that an account is paused."""
        self.disk.pauses.setdefault(account, since)

    @_at_once
    def resume(self, account: str) -> None:
        """Note that an account is not paused any more."""
        self.disk.pauses.pop(account, None)

    @_at_once
    def usage(self) -> UsageLog:
        """Read what is known of the use of quotas."""
        usages = sorted(
            self.disk.usages.values(),
            key=lambda each: (each.counted is not None, each.counted, each.name, each.number),
        )
        return UsageLog(self.disk.usage_clock, tuple(usages))

    @_at_once
    def count(
        self,
        usages: Sequence[Usage],
        clock: UsageClock | None,
        awaited: bool,  # noqa: ARG002 -- nothing here is written later
    ) -> None:
        """Write use of quotas down."""
        if clock is not None:
            self.disk.usages.clear()
            self.disk.usage_clock = clock
        for each in usages:
            self.disk.usages[each.name, each.number] = each
            if not each.mails:
                del self.disk.usages[each.name, each.number]

    def content(self, message: Message) -> IContent:
        """Begin to read a message's content."""
        return self._recent.open(message.number) or MemoryContent(self.disk, message)

    def heartbeat(self) -> Deferred[None]:
        """Fire when all that was to be written before has been: it has."""
        return succeed(None)

    @_at_once
    def figures(self) -> StoreFigures:
        """Return how large it is; nothing is written in transactions."""
        disk = self.disk
        octets = disk.octets()
        free = sys.maxsize if disk.capacity is None else disk.capacity - octets
        return StoreFigures(octets, free, 0, (0,), 0)

    # The view.

    @_at_once
    def find(self, selection: Selection, limit: int, after: int = 0) -> Page:
        """Read a piece of the deliveries that are selected, at most `limit`."""
        found = selected(self.disk.deliveries, selection, after)[:limit]
        return Page(tuple(found), found[-1].number if len(found) == limit else None)

    @_at_once
    def last(self) -> int:
        """Return the greatest number of a delivery; 0: there is none."""
        return max(self.disk.deliveries, default=0)

    @_at_once
    def totals(self) -> dict[str, Total]:
        """Return what waits for each account."""
        return totals(self.disk.deliveries)

    @_at_once
    def ages(self, moments: Sequence[float]) -> dict[str, tuple[int, ...]]:
        """Return how many deliveries of each account arrived when."""
        return ages(self.disk.deliveries, moments)

    @_at_once
    def read(self, numbers: Sequence[int]) -> tuple[Delivery, ...]:
        """Read the deliveries that are still there of some."""
        return self.disk.change(numbers, lambda each: each)

    @_at_once
    def hold(self, numbers: Sequence[int]) -> tuple[Delivery, ...]:
        """Hold deliveries."""
        return self.disk.change(
            numbers, lambda each: None if each.held else attrs.evolve(each, held=True)
        )

    @_at_once
    def release(self, numbers: Sequence[int]) -> tuple[Delivery, ...]:
        """Let deliveries wait in their lanes again, due as they were."""
        return self.disk.change(
            numbers, lambda each: attrs.evolve(each, held=False) if each.held else None
        )

    @_at_once
    def retry(self, numbers: Sequence[int]) -> tuple[Delivery, ...]:
        """Let deliveries be due by now, those that are not held."""
        now = self._clock.seconds()
        return self.disk.change(
            numbers, lambda each: None if each.held else attrs.evolve(each, due=min(each.due, now))
        )


@implementer(IDraft)
class MemoryDraft:
    """A message that is still arriving."""

    def __init__(self, number: int, disk: MemoryDisk, recent: Recent, clock: IReactorTime) -> None:
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
