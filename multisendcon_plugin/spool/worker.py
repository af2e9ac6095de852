"""A thread that works off jobs, as many at a time as are waiting.

The reactor's thread puts jobs in and gets Deferreds; they fire there again, all of a round in
one call.  What is done with the jobs is the business of `writer` and `reader`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, fail

from ..errors import SpoolError
from .database import spool_error


class Reactor(Protocol):
    """What the spool needs of a reactor: `IReactorFromThreads` and a clock."""

    def callFromThread(self, function: Callable[..., Any], /, *args: Any) -> Any:  # noqa: N802
        """Run something in the reactor's thread."""

    def seconds(self) -> float:
        """Return the wall clock, in seconds since the epoch."""


@attrs.define(eq=False)
class Job:
    """Something to do with the database.

    :param run: leaves nothing behind but in the database, so that it can be repeated.
    :param content: octets of content of a new message that it stores; ``None`` when it
        does not belong to a new message.
    """

    run: Callable[[sqlite3.Connection], Any]
    content: int | None = None
    done: Deferred[Any] = attrs.field(factory=Deferred)
    result: Any = None
    error: Exception | None = None


class Worker:
    """One thread, started at once.

    It does not keep a process alive that ends without `stop`; that is a crash like any other.

    :param work: sets `result` or `error` of each job; in the thread.
    :param finish: called in the thread after the last job.
    """

    def __init__(
        self,
        name: str,
        reactor: Reactor,
        work: Callable[[list[Job]], None],
        finish: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._work = work
        self._finish = finish
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._stopped: Deferred[None] | None = None
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Job) -> Deferred[Any]:
        """Have a job done.  Fails with `SpoolError`."""
        if self._stopped is not None:
            return fail(SpoolError("the spool is closed"))
        self._inbox.put(job)
        return job.done

    def stop(self) -> Deferred[None]:
        """Finish the jobs that wait, then end the thread."""
        self._stopped = Deferred()
        self._inbox.put(None)
        return self._stopped

    def _loop(self) -> None:
        stopping = False
        while not stopping:
            jobs, stopping = self._take()
            if jobs:
                self._round(jobs)
        try:
            self._finish()
        finally:
            self._reactor.callFromThread(self._end)

    def _round(self, jobs: list[Job]) -> None:
        try:
            self._work(jobs)
        except Exception as error:
            for job in jobs:
                job.error = error
        self._reactor.callFromThread(_answer, jobs)

    def _take(self) -> tuple[list[Job], bool]:
        """Wait for a job and take all that are there; also tell whether they are the last."""
        jobs: list[Job] = []
        job = self._inbox.get()
        while job is not None:
            jobs.append(job)
            try:
                job = self._inbox.get_nowait()
            except Empty:
                return jobs, False
        return jobs, True

    def _end(self) -> None:
        self._thread.join()
        if self._stopped is not None:
            self._stopped.callback(None)


def _answer(jobs: list[Job]) -> None:
    for job in jobs:
        if job.error is None:
            job.done.callback(job.result)
        else:
            job.done.errback(spool_error(job.error))
