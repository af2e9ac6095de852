"""A thread that works off jobs, as many at a time as are waiting.

Jobs are collected in the reactor's thread, handed over together, and answered together: each
change of the thread, and each Deferred, costs more than a job.  What is done with them is the
business of `writer` and `reader`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from ..errors import SpoolError
from ..turn import Turn
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
    :ivar result: what it has returned.
    :ivar error: why that is not durable, see `spool_error`; ``None``: it is.
    """

    run: Callable[[sqlite3.Connection], Any]
    content: int | None = None
    result: Any = None
    error: Exception | None = None


def only_result(jobs: list[Job]) -> Any:
    """Return the result of the only job; raises `SpoolError`."""
    (job,) = jobs
    if job.error is not None:
        raise spool_error(job.error)
    return job.result


_Asked = tuple[list[Job], Deferred[list[Job]]]


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
        self._turn = Turn.of(reactor)
        self._inbox: SimpleQueue[list[_Asked] | None] = SimpleQueue()
        self._waiting: list[_Asked] = []
        self._busy = False
        self._held: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    def do(self, jobs: list[Job], hold: float = 0.0) -> Deferred[list[Job]]:
        """Have jobs done, one after the other; none fails because another does.

        :param hold: seconds that they may wait for others to go along with.
        :return: the same jobs, each with its result or its error.
        """
        if self._stopped is not None:
            for job in jobs:
                job.error = SpoolError("the spool is closed")
            return succeed(jobs)
        done: Deferred[list[Job]] = Deferred()
        self._waiting.append((jobs, done))
        if not hold:
            self._hand_over_soon()
        elif not self._busy and self._held is None:
            self._held = self._reactor.callLater(hold, self._held_long_enough)
        return done

    def _hand_over_soon(self) -> None:
        """Let the jobs that wait be done as soon as the thread is free."""
        if self._waiting and not self._busy:
            self._busy = True
            self._turn.at_end(self._hand_over)  # what else comes in it goes along

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
        asked, self._waiting = self._waiting, []
        self._busy = bool(asked)
        if asked:
            self._inbox.put(asked)
        elif self._stopped is not None:
            self._inbox.put(None)

    def _answer(self, asked: list[_Asked]) -> None:
        for jobs, done in asked:
            done.callback(jobs)
        # With what the answers have led to.
        self._hand_over()

    def _loop(self) -> None:
        while asked := self._inbox.get():
            jobs = [job for each, _ in asked for job in each]
            try:
                self._work(jobs)
            except Exception as error:
                for job in jobs:
                    job.error = error
            self._reactor.callFromThread(self._answer, asked)
        try:
            self._finish()
        finally:
            self._reactor.callFromThread(self._end)

    def _end(self) -> None:
        self._thread.join()
        if self._stopped is not None:
            self._stopped.callback(None)
