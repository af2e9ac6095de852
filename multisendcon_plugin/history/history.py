"""The history of a relay that runs: fed by events, in a thread of its own, and searched in another.

It never delays a mail: of an event no more is done at once than to put it on a list.  If its disk
is full, or too slow, mail goes on, and the history lacks something.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, TypeVar, get_args

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ..errors import HistoryError, MultisendconError
from ..events import (
    AttemptEnded,
    HistoryInterrupted,
    HistoryResumed,
    MailAccepted,
    Publisher,
    ReportQueued,
)
from ..settings.operation import HistorySettings
from ..settings.quantities import Room
from ..spool.worker import Job, Reactor, Worker
from .records import Batch, Dated, Fact, Undated
from .rows import add, prune, sort
from .search import FORWARD, Way, find, newest, place_of, read_only
from .store import Store, is_damaged
from .story import FIRST_PLACE, Place, Search, StoryPage

T = TypeVar("T")

#: Seconds from one batch to the next, and after one that could not be written.
PAUSE, PAUSE_AFTER_FAILURE = 0.5, 5.0
#: Facts in one batch, and those that may wait; beyond that, the oldest are left out.
LARGEST_BATCH, MOST_WAITING = 4_000, 30_000
#: Messages and marks that are forgotten at a time.
PRUNED_AT_ONCE = 2_000
#: Seconds between two looks for what is too old.
PRUNE_EVERY = 10.0

#: What may be otherwise when it is tried again.
_MAY_PASS = (sqlite3.Error, OSError, MultisendconError)


class History(Service):
    """Remembers what became of each mail, from its start to its stop.

    :param path: the spool's folder; the file in it is ``history.db``.
    :param events: whose facts are kept, and who is told when the history cannot be.
    :param reactor: `IReactorFromThreads`, and the clock of the spool.
    :param wall: tells the time that people read.
    :param min_free: what the history leaves free of the disk.
    :ivar trouble: why it lacks something now, in words; ``""``: nothing is wrong.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        settings: HistorySettings,
        *,
        events: Publisher,
        reactor: Reactor,
        wall: Callable[[], float],
        min_free: Room,
    ) -> None:
        self.trouble = ""
        self._file = Path(path) / "history.db"
        self._settings = settings
        self._events = events
        self._reactor = reactor
        self._wall = wall
        self._store = Store(self._file, min_free, self._put_aside)
        self._lock = DeferredLock()
        self._waiting: list[Fact] = []
        self._being_written = 0
        self._left_out = 0
        self._retry_at = 0.0
        self._prune_at = 0.0
        self._subscriptions: list[Callable[[], None]] = []
        self._timer: IDelayedCall | None = None

    def reconfigure(self, settings: HistorySettings) -> None:
        """Go on with other settings; what was kept for longer is pruned."""
        self._settings = settings

    # What is kept.

    def startService(self) -> None:
        """Begin to listen to events."""
        super().startService()
        self._writer = Worker("history writer", self._reactor, self._write, self._store.close)
        self._reader = Worker("history reader", self._reactor, self._read, _nothing)
        subscribe = self._events.subscribe
        # No call of ours for what each mail has.
        take: Callable[[Any], None] = self._waiting.append
        self._subscriptions = [
            *(subscribe(kind, take) for kind in (MailAccepted, AttemptEnded, ReportQueued)),
            *(subscribe(kind, self._date) for kind in get_args(Undated)),
        ]
        self._go_on()

    def stopService(self) -> Deferred[None]:
        """Write what is waiting, and close the file."""
        if not self.running:  # the relay could not start
            return succeed(None)
        super().stopService()
        for end in self._subscriptions:
            end()
        if self._timer is not None:
            self._timer.cancel()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._lock.run(self._write_all)
        await self._reader.stop()
        await self._writer.stop()

    def _date(self, event: Any) -> None:
        self._waiting.append(Dated(self._reactor.seconds(), event))

    def _go_on(self) -> None:
        """Write what has come, or forget what is too old, unless that still lasts."""
        self._timer = self._reactor.callLater(PAUSE, self._go_on)
        excess = len(self._waiting) - MOST_WAITING
        if excess > 0:
            del self._waiting[self._being_written : self._being_written + excess]
            self._left_out += excess
            self._interrupt("events come faster than they can be written")
        now = self._reactor.seconds()
        if self._lock.locked or now < self._retry_at:
            return
        self._lock.run(self._write_all)
        if now >= self._prune_at:
            self._lock.run(self._prune)
            # Who writes has all in memory, and does not see what has become of the file.
            self.find(Search(), 1).addErrback(lambda _: None)

    async def _write_all(self) -> None:
        while self._waiting:
            facts = self._waiting[:LARGEST_BATCH]
            self._being_written = len(facts)
            set_by = round(self._wall() - self._reactor.seconds())
            job = await self._do(partial(self._add, facts, set_by, self._settings.subjects))
            self._being_written = 0
            if isinstance(job.error, _MAY_PASS):
                return
            del self._waiting[: len(facts)]
            if job.error is None:
                self._resume()
            else:
                # It would fail again, and all that comes behind it would wait.
                self._left_out += len(facts)
                self.log.error("internal error of the history (a bug): {error!r}", error=job.error)

    async def _prune(self) -> None:
        before = self._wall() - self._settings.keep
        job = await self._do(partial(prune, before=before, most=PRUNED_AT_ONCE))
        if job.error is None:
            self._prune_at = 0.0 if job.result else self._reactor.seconds() + PRUNE_EVERY
            self._resume()

    async def _do(self, work: Callable[[Connection], Any]) -> Job:
        """Have something done in the thread; if it cannot be, that is told."""
        (job,) = await self._writer.do([Job(work)])
        if job.error is not None:
            self._retry_at = self._reactor.seconds() + PAUSE_AFTER_FAILURE
            self._interrupt(f"{self._file} cannot be written: {job.error}")
        return job

    def _add(
        self, facts: list[Fact], set_by: float, subjects: bool, connection: Connection
    ) -> None:
        self._store.check_room()
        batch = Batch(set_by, subjects)
        batch.add(facts)
        add(connection, batch)
        sort(connection)

    def _write(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                job.result = self._store.transact(job.run)
            except Exception as error:
                job.error = error

    # What is told.

    def _put_aside(self, why: str) -> None:
        self._reactor.callFromThread(self._interrupt, why)

    def _interrupt(self, why: str) -> None:
        # Once: what is wrong with a disk is found with each batch.
        if not self.trouble:
            self._events.publish(HistoryInterrupted(why))
        self.trouble = why

    def _resume(self) -> None:
        # What is forgotten takes no room: that it could be does not mean that there is any.
        if self.trouble and not self._waiting:
            self.trouble = ""
            left_out, self._left_out = self._left_out, 0
            self._events.publish(HistoryResumed(left_out))

    # What is asked.

    def find(
        self,
        search: Search,
        limit: int,
        after: Place = FIRST_PLACE,
        way: Way = FORWARD,
    ) -> Deferred[StoryPage]:
        """Read a piece of the stories that are looked for, in order of time or against it.

        The first piece has all that has happened until then.  Fails with `HistoryError`.

        :param limit: how many at most; at least 1.
        :param after: of the page before, or `place` of a story that is left out, as all before it.
        """
        question = partial(find, search=search, limit=limit, after=after, way=way)
        return Deferred.fromCoroutine(self._ask(question, written=after == way.start))

    def place(self, number: int) -> Deferred[Place]:
        """Return where the story of a message stands, or would.  Fails with `HistoryError`.

        :param number: of the message.
        """
        return Deferred.fromCoroutine(self._ask(partial(place_of, number=number), written=True))

    def newest(self) -> Deferred[Place]:
        """Return the place of the last story.  Fails with `HistoryError`."""
        return Deferred.fromCoroutine(self._ask(newest, written=True))

    async def _ask(self, question: Callable[[Connection], T], *, written: bool) -> T:
        if written and not self.trouble:
            await self._lock.run(self._write_all)
        for _ in range(2):
            (job,) = await self._reader.do([Job(question)])
            if job.error is None or not is_damaged(job.error):
                break
            self._store.doubt = str(job.error)
            await self._lock.run(self._prune)
        if job.error is not None:
            raise HistoryError(f"{self._file} cannot be read: {job.error}") from job.error
        result: T = job.result
        return result

    def _read(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                with closing(read_only(self._file)) as connection:
                    job.result = job.run(connection)
            except Exception as error:
                job.error = error


def _nothing() -> None:
    """Each question has closed its connection."""
