"""Repeats requests to the spool until they succeed.

A fault of the spool may pass; what depends on the answer waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ..errors import SpoolBrokenError, SpoolError

T = TypeVar("T")

#: Seconds after which the spool is asked again.
ASK_AGAIN = 10.0


class Patience:
    """All questions of a queue that wait for their answer."""

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._pauses: set[Deferred[None]] = set()
        self._stopping = False

    async def ask(self, question: Callable[[], Deferred[T]], complaint: str) -> T:
        """Ask until there is an answer.

        :param complaint: what is wrong without it, for the log.
        :raise SpoolError: there is none, and no more time: see `stop`.
        :raise SpoolBrokenError: there never will be one.
        """
        while True:
            last = self._stopping
            try:
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
            if not self._stopping:  # else at once: it was asked before that
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
        self._stopping = True
        for pause in tuple(self._pauses):
            pause.cancel()
