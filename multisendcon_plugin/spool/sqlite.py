"""The spool on disk: one SQLite database, files for long content, one writer, one reader.

Puts the parts together; the SQL is in `rows`, the group commit in `writer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import randrange
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..events import Publisher
from ..interfaces import Commit, Committed, IContent, IDraft, ISpool, WaitingInLane
from ..mail.json_form import texts_of
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
from ..settings.quantities import Room
from . import rows, view
from .ages import ages
from .database import FILES, connect, not_opened, open_database, spool_error
from .draft import Draft
from .files import Files
from .folder import Lock, make_folder, taken
from .keys import PIECE, new_deliveries
from .numbering import WRITERS, Numbers
from .reader import Reader, StoredContent
from .recent import Recent
from .trust import Trust
from .worker import Job, Reactor, only_result
from .writer import Writer

_MIB = 1024 * 1024


@implementer(ISpool)
@attrs.define(eq=False, repr=False, slots=False)
class SqliteSpool:
    """Messages and deliveries in a folder of the local disk.

    To be opened after the process has become a daemon: threads do not survive a fork.

    :param path: the folder; made, for its owner alone, when it is missing.
    :param reactor: `IReactorFromThreads`, and a clock in seconds since the epoch.
    :param events: is told if it breaks.
    :param reserve: octets of the disk that new mail leaves free for settling the old.
    :param min_free: what new mail leaves free of the disk for others.
    """

    clean = False

    _path: str
    _reactor: Reactor
    _events: Publisher
    _reserve: int = 8 * _MIB
    _min_free: Room = attrs.field(factory=Room)

    def __attrs_post_init__(self) -> None:
        self._folder = Path(self._path)
        self._files = Files(self._folder / FILES)

    def open(self) -> None:
        """Take hold of the folder; blocks for as long as the disk does."""
        make_folder(self._folder)
        self._lock = Lock(self._folder)
        try:
            self._start()
        except BaseException:
            self._lock.release()
            raise

    def _start(self) -> None:
        file = self._folder / "spool.db"
        make_folder(self._folder / FILES)
        connection = open_database(file)
        try:
            connection.execute("BEGIN IMMEDIATE")
            self.clean, last = rows.begin(connection)
            connection.execute("COMMIT")
            last = max(last, self._files.sweep(partial(rows.is_waiting, connection)))
            reading = connect(file)
            view.prepare(reading)
        except Exception as error:
            connection.close()
            raise not_opened(file, error) from error
        self._numbers = Numbers(self._reactor.seconds, randrange(WRITERS), last)
        self._recent = Recent()
        trust = Trust(file, self._reactor, self._events)
        self._writer = Writer(
            connection,
            self._reactor,
            self._folder,
            trust,
            reserve=self._reserve,
            min_free=self._min_free,
        )
        self._reader = Reader(reading, self._reactor, trust)

    def leave_free(self, room: Room) -> None:
        """Let new mail leave this free of the disk from now on."""
        self._min_free = room
        self._writer.leave_free(room)

    def close(self, *, clean: bool = True) -> Deferred[None]:
        """Finish what is being written and let go of the folder."""
        self._recent = Recent()
        stopped = self._reader.stop()
        stopped.addCallback(lambda _: self._stop_writer(clean=clean))
        return stopped.addCallback(lambda _: self._lock.release())

    def _stop_writer(self, *, clean: bool) -> Deferred[None]:
        if clean:
            # If this fails, the store is not in good order, and the next start will see that.
            self._writer.do(rows.close).addErrback(lambda _: None)
        return self._writer.stop()

    def draft(self, number: int | None = None) -> IDraft:
        """Begin a message."""
        number = self._numbers.next(number)
        return Draft(number, self._files, self._writer, self._recent, self._reactor.seconds)

    def commit(self, commits: Sequence[Commit]) -> Deferred[list[Committed]]:
        """Make messages durable; one that fails takes no other with it."""
        drafts, jobs = [], []
        for each in commits:
            draft: Any = each.draft  # of this store
            drafts.append(draft)
            jobs.append(draft.finish(each))
        return self._writer.do_all(jobs).addCallback(self._committed, drafts)

    def _committed(self, jobs: list[Job], drafts: list[Draft]) -> list[Committed]:
        committed = []
        for draft, job in zip(drafts, jobs, strict=True):
            committed.append(draft.finished(job))
        return committed

    def settle(self, settlements: Sequence[Settlement]) -> Deferred[list[Committed]]:
        """Record what came of deliveries: of each of them, all or nothing."""
        jobs = []
        awaited = False
        for settlement in settlements:
            self._recent.settled(settlement)
            reports = self._new(settlement.reports) if settlement.reports else ()
            jobs.append(Job(partial(rows.settle, settlement=settlement, reports=reports)))
            awaited = awaited or settlement.awaited
        return self._writer.do_all(jobs, urgent=awaited).addCallback(self._settled, settlements)

    def _new(self, reports: tuple[NewMessage, ...]) -> tuple[rows.New, ...]:
        """Return messages of our own as they are stored."""
        now = self._reactor.seconds()
        new = []
        for report in reports:
            number, content = self._numbers.next(), report.content
            deliveries = new_deliveries(
                number, report, size=len(content), dots=content.count(ADDED_DOT), arrived=now
            )
            texts = texts_of(report.envelope, report.parcels)
            new.append(rows.New(number, content, deliveries, texts))
        return tuple(new)

    def _settled(self, jobs: list[Job], settlements: Sequence[Settlement]) -> list[Committed]:
        answers: list[Committed] = []
        for job, settlement in zip(jobs, settlements, strict=True):
            if job.error is not None:
                answers.append(spool_error(job.error))
                continue
            made, erased = job.result
            answers.append(made)
            # The file of an ended message: not before it is certain that it has ended.
            message = settlement.delivery.message
            if erased and message.size > PIECE:
                self._remove_file(message.number)
        return answers

    def _remove_file(self, message: int) -> None:
        removed = self._writer.do(lambda _: self._files.remove(message))
        # What stays is swept up at the next start.
        removed.addErrback(lambda _: None)

    def waiting(
        self, lane: LaneKey, limit: int, since: Position = FIRST_POSITION
    ) -> Deferred[tuple[Delivery, ...]]:
        """Read the deliveries of a lane, the earliest due first, at most `limit`."""
        return self._reader.ask(partial(rows.waiting, lane=lane, limit=limit, since=since))

    def bring_forward(self, lane: LaneKey, latest: float) -> Deferred[None]:
        """Let no delivery of a lane be due later than that."""
        return self._writer.do(partial(rows.bring_forward, lane=lane, latest=latest))

    def lanes(self) -> Deferred[dict[LaneKey, WaitingInLane]]:
        """Tell what waits in each lane in which anything does."""
        return self._reader.ask(rows.lanes)

    def account_states(self) -> Deferred[dict[str, AccountState]]:
        """Read the state of each account that has left any."""
        return self._reader.ask(rows.account_states)

    def pauses(self) -> Deferred[dict[str, float]]:
        """Read which accounts are paused, and since when."""
        return self._reader.ask(rows.pauses)

    def pause(self, account: str, since: float) -> Deferred[None]:
        """Note that an account is paused."""
        return self._writer.do(partial(rows.pause, account=account, since=since))

    def resume(self, account: str) -> Deferred[None]:
        """Note that an account is not paused any more."""
        return self._writer.do(partial(rows.resume, account=account))

    def usage(self) -> Deferred[UsageLog]:
        """Read what is known of the use of quotas."""
        return self._reader.ask(rows.usage)

    def count(
        self, usages: Sequence[Usage], clock: UsageClock | None, awaited: bool
    ) -> Deferred[None]:
        """Write use of quotas down."""
        job = Job(partial(rows.count, usages=usages, clock=clock))
        return self._writer.do_all([job], urgent=awaited).addCallback(only_result)

    def content(self, message: Message) -> IContent:
        """Begin to read a message's content."""
        recent = self._recent.open(message.number)
        return recent or StoredContent(self._reader.ask, self._files, message)

    def heartbeat(self) -> Deferred[None]:
        """Fire when all that was to be written before has been, or could not be."""
        return self._writer.do(lambda _: None).addErrback(lambda _: None)

    def figures(self) -> Deferred[StoreFigures]:
        """Return how large it is, and how it is written."""
        return self._reader.ask(lambda _: self._figures())

    def _figures(self) -> StoreFigures:
        free, others = self._writer.disk()
        return StoreFigures(
            taken=taken(self._folder) + taken(self._folder / FILES),
            free=free,
            kept_free=max(self._reserve, others),
            batches=self._writer.batches,
            jobs=self._writer.jobs,
        )

    # The view.

    def find(self, selection: Selection, limit: int, after: int = 0) -> Deferred[Page]:
        """Read a piece of the deliveries that are selected, at most `limit`."""
        return self._reader.ask(partial(view.find, selection=selection, limit=limit, after=after))

    def last(self) -> Deferred[int]:
        """Return the greatest number of a delivery; 0: there is none."""
        return self._reader.ask(view.last)

    def totals(self) -> Deferred[dict[str, Total]]:
        """Return what waits for each account."""
        return Deferred.fromCoroutine(view.totals(self._reader.ask))

    def ages(self, moments: Sequence[float]) -> Deferred[dict[str, tuple[int, ...]]]:
        """Return how many deliveries of each account arrived when."""
        return Deferred.fromCoroutine(ages(self._reader.ask, moments))

    def read(self, numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Read the deliveries that are still there of some."""
        return self._reader.ask(partial(view.read, numbers=numbers))

    def hold(self, numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Hold deliveries."""
        return self._writer.do(partial(view.hold, numbers=numbers))

    def release(self, numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Let deliveries wait in their lanes again, due as they were."""
        return self._writer.do(partial(view.release, numbers=numbers))

    def retry(self, numbers: Sequence[int]) -> Deferred[tuple[Delivery, ...]]:
        """Let deliveries be due by now."""
        due = self._reactor.seconds()
        return self._writer.do(partial(view.retry, numbers=numbers, due=due))


def check(path: str) -> None:
    """Look whether a spool could be opened: take hold of it, and let go of it again.

    :raise SpoolLockedError: another process has it.
    :raise SpoolError: it cannot be used.
    """
    folder = Path(path)
    make_folder(folder)
    lock = Lock(folder)
    try:
        make_folder(folder / FILES)
        open_database(folder / "spool.db").close()
    finally:
        lock.release()
