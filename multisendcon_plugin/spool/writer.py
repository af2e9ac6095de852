"""The one who writes: group commit.

Everything that waits is written in one transaction, so that one fsync serves it all.  A job
that fails takes no other with it.  Knows transactions and room, not what the jobs do.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from ..errors import SpoolFullError
from ..settings.quantities import Room
from .database import is_full
from .spare import Spare
from .trust import Trust
from .worker import Job, Reactor, Worker, only_result

#: Octets that a new message takes beside its content: a few pages of the database.  The content
#: takes its size twice at most: in the write-ahead log, and in the database; in a file once.
_OVERHEAD = 16 * 1024

#: Sizes of transactions that are told apart, each twice the one before.
_SIZES = 16

#: Seconds that a settlement waits for new mail to share an fsync with.
_HOLD = 0.001


@attrs.define(eq=False, repr=False, slots=False)
class Writer:
    """Runs jobs in the order in which they come, many in one transaction.

    :param reserve: octets of the disk that are kept for settling what is there.
    :param min_free: what is left to others of the disk.
    :ivar jobs: all that were to be done.
    """

    _connection: sqlite3.Connection
    _reactor: Reactor
    _folder: Path
    _trust: Trust
    reserve: int
    _min_free: Room

    def __attrs_post_init__(self) -> None:
        self._batches = [0] * _SIZES
        self.jobs = 0
        self._spare = Spare(self._folder / "spool.spare")
        self._spare.keep()
        self._worker = Worker("spool writer", self._reactor, self._work, self._connection.close)

    @property
    def batches(self) -> tuple[int, ...]:
        """The number of transactions by their size: see `StoreFigures`."""
        return tuple(self._batches)

    def leave_free(self, room: Room) -> None:
        """Leave this to others of the disk from now on."""
        self._min_free = room

    def do(self, run: Callable[[sqlite3.Connection], Any]) -> Deferred[Any]:
        """Run a job that stores no content in a transaction.

        :param run: may run twice (with others, then alone); only its last run counts.
        :return: its result, once that would survive a power cut.  Fails with `SpoolError`.
        """
        return self.do_all([Job(run)]).addCallback(only_result)

    def do_all(self, jobs: list[Job], *, urgent: bool = True) -> Deferred[list[Job]]:
        """Run jobs, all in one transaction if none of them fails.

        One that stores content is done only if there is room.

        :param urgent: somebody waits for it; otherwise it may go along with what comes next.
        :return: the same jobs, each with its result, once that would survive a power cut, or with
            its error.
        """
        return self._worker.do(jobs, 0.0 if urgent else _HOLD)

    def stop(self) -> Deferred[None]:
        """Finish what waits and close the connection."""
        return self._worker.stop()

    def _work(self, jobs: list[Job]) -> None:
        self._batches[min((len(jobs) - 1).bit_length(), _SIZES - 1)] += 1
        self.jobs += len(jobs)
        try:
            admitted = self._admit(jobs)
        except (OSError, sqlite3.Error) as error:
            self._not_written(jobs, error, committing=False)
            return
        if not self._commit(admitted):
            for job in admitted:
                self._commit_alone(job)

    def _commit_alone(self, job: Job) -> None:
        if self._commit([job]) or job.error is None or not is_full(job.error):
            return
        if job.content is None and self._spare.give_up():
            self._commit([job])

    def _admit(self, jobs: list[Job]) -> list[Job]:
        """Turn away the new mail for which there is no room, or which might not be safe."""
        new = [job.content for job in jobs if job.content is not None]
        if self._trust.no_writing or not new:
            return jobs
        room = self._room(2 * sum(new) + len(new) * _OVERHEAD)
        admitted = []
        for job in jobs:
            if job.content is not None:
                if self._trust.no_new_mail is not None:
                    job.error = self._trust.no_new_mail
                    continue
                room -= 2 * job.content + _OVERHEAD
                if room < 0:
                    job.error = SpoolFullError(
                        f"{self._folder}: too little room on the disk (see min_free)"
                    )
                    continue
            admitted.append(job)
        return admitted

    def disk(self) -> tuple[int, int]:
        """Return the octets of the disk that are free, and those that are left to others."""
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize, self._min_free.on(disk.f_blocks * disk.f_frsize)

    def _room(self, need: int) -> int:
        """Return how many octets new mail may take; when it is enough, no more is looked for.

        It may fill the disk up to the reserve, then only the pages that are free inside the
        database, and when half of the reserve is gone as well, nothing; nor when there is less free
        than others are to have.
        """
        free, others = self.disk()
        if free < max(self.reserve // 2, others):
            return 0
        room = max(0, free - max(self.reserve, others))
        if room >= need:
            self._spare.keep()
            return room
        (pages,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = self._connection.execute("PRAGMA page_size").fetchone()
        return room + int(pages * size)

    def _commit(self, jobs: list[Job]) -> bool:
        """Run jobs in one transaction; tell whether that went well."""
        if self._trust.no_writing is not None:
            _fail(jobs, self._trust.no_writing)
            return False
        committing = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.error = None
                job.result = job.run(self._connection)
            committing = True
            self._connection.execute("COMMIT")
        except Exception as error:
            self._not_written(jobs, error, committing=committing)
            # Some errors have ended the transaction already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            return False
        return True

    def _not_written(self, jobs: list[Job], error: Exception, *, committing: bool) -> None:
        self._trust.not_written(error, committing=committing)
        _fail(jobs, self._trust.no_writing or error)


def _fail(jobs: list[Job], error: Exception) -> None:
    for job in jobs:
        job.error = error
