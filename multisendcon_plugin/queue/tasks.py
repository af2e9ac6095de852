"""What the queue has begun and not ended: a stop waits for it.

What needs an answer of the spool asks until there is one: a fault of the spool may pass.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import SpoolBrokenError, SpoolError

T = TypeVar("T")

#: Seconds after which the spool is asked again.
ASK_AGAIN = 10.0


class Tasks:
    """The tasks of a queue.

    :param broken: is called when the spool takes nothing any more.
    :ivar stopping: the queue stops: see `stop`.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, broken: Callable[[], None]) -> None:
        self.stopping = False
        self._clock = clock
        self._broken = broken
        self._running: set[Deferred[Any]] = set()
        self._pauses: set[Deferred[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something run to its end, also while the queue stops."""
        self.add(Deferred.fromCoroutine(work))

    def add(self, running: Deferred[None]) -> None:
        """Let a stop wait for what is running."""
        self._running.add(running)
        running.addBoth(self._over, running)

    def _over(self, result: Failure | None, running: Deferred[None]) -> None:
        self._running.discard(running)
        if result is None:
            return
        if result.check(SpoolBrokenError):
            self._broken()
        elif not result.check(SpoolError):  # that was told by `ask`
            self.log.failure("internal error in the queue (a bug); traceback follows", result)

    async def ask(
        self,
        question: Callable[[], Deferred[T]],
        complaint: str,
        error: SpoolError | None = None,
    ) -> T:
        """Ask the spool until there is an answer.

        :param complaint: what is wrong without it, for the log.
        :param error: it was asked before, and this came of it.
        :raise SpoolError: there is no answer, and no more time: see `stop`.
        :raise SpoolBrokenError: there never will be one.
        """
        while True:
            last = self.stopping and error is None
            try:
                if error is not None:
                    failed, error = error, None
                    raise failed
                return await question()
            except SpoolBrokenError:
                raise
            except SpoolError:
                if last:
                    self.log.failure("{complaint}; the relay stops", complaint=complaint)
                    raise
                self.log.failure(
                    "{complaint}; retrying every {seconds:.0f} s",
                    complaint=complaint,
                    seconds=ASK_AGAIN,
                )
            if not self.stopping:  # else at once: it was asked before that
                await self._pause()

    async def _pause(self) -> None:
        pause: Deferred[None] = deferLater(self._clock, ASK_AGAIN)
        self._pauses.add(pause)
        try:
            await pause
        except CancelledError:
            """The last try comes at once."""
        finally:
            self._pauses.discard(pause)

    def stop(self) -> None:
        """Ask each question that has no answer yet once more, and none more often from now on."""
        self.stopping = True
        for pause in tuple(self._pauses):
            pause.cancel()

    def ended(self) -> Deferred[Any] | None:
        """Return what fires when all that runs now has ended; ``None``: nothing runs."""
        return DeferredList(tuple(self._running)) if self._running else None
