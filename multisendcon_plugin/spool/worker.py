"""A thread that works off jobs, as many at a time as are waiting.

Jobs are collected in the reactor's thread, handed over together, and answered together: each
change of the thread costs more than a job.  What is done with them is the business of `writer` and
`reader`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall

from ..errors import SpoolError
from .database import spool_error


class Reactor(Protocol):
    """What the spool needs of a reactor: `IReactorFromThreads`, and `IReactorTime` on the wall."""

    def callFromThread(self, function: Callable[..., Any], /, *args: Any) -> Any:  # noqa: N802
        """Run something in the reactor's thread."""

    def callLater(self, delay: float, function: Callable[[], Any], /) -> IDelayedCall:  # noqa: N802
        """Run something after so many seconds."""

    def seconds(self) -> float:
        """Return the wall clock, in seconds since the epoch."""


@attrs.define(eq=False)
class Job:
    """Something to do with the database.

    :param run: can be repeated: what it has left in the database is rolled back before, and in
        files it writes the same again.
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
        self._inbox: SimpleQueue[list[Job] | None] = SimpleQueue()
        self._waiting: list[Job] = []
        self._busy = False
        self._held: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def do(self, job: Job, hold: float = 0.0) -> Deferred[Any]:
        """Have a job done.  Fails with `SpoolError`.

        :param hold: seconds that it may wait for others to go along with.
        """
        if self._stopped is not None:
            return fail(SpoolError("the spool is closed"))
        self._waiting.append(job)
        if not hold:
            self._hand_over_soon()
        elif not self._busy and self._held is None:
            self._held = self._reactor.callLater(hold, self._held_long_enough)
        return job.done

    def _hand_over_soon(self) -> None:
        """Let the jobs that wait be done as soon as the thread is free."""
        if self._waiting and not self._busy:
            self._busy = True
            # When this turn of the reactor is over: what else comes in it goes along.
            self._reactor.callLater(0, self._hand_over)

    def _held_long_enough(self) -> None:
        self._held = None
        self._hand_over_soon()

    def stop(self) -> Deferred[None]:
        """Finish the jobs that wait, then end the thread."""
        self._stopped = Deferred()
        if self._held is not None:
            self._held.cancel()
            self._held = None
        if not self._busy:
            self._hand_over()
        return self._stopped

    def _hand_over(self) -> None:
        jobs, self._waiting = self._waiting, []
        self._busy = bool(jobs)
        if jobs:
            self._inbox.put(jobs)
        elif self._stopped is not None:
            self._inbox.put(None)

    def _answer(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.error is None:
                job.done.callback(job.result)
            else:
                job.done.errback(spool_error(job.error))
        # With what the answers have led to.
        self._hand_over()

    def _loop(self) -> None:
        while jobs := self._inbox.get():
            try:
                self._work(jobs)
            except Exception as error:
                for job in jobs:
                    job.error = error
            self._reactor.callFromThread(self._answer, jobs)
        try:
            self._finish()
        finally:
            self._reactor.callFromThread(self._end)

    def _end(self) -> None:
        self._thread.join()
        if self._stopped is not None:
            self._stopped.callback(None)
