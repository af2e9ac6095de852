"""Lets one of many attempts go first; if it fails, it has failed for all that wait.

So a server that does not answer occupies one connection and not all of them, and a wrong login is
refused once in each pause of its account.  Up to the login,
accounts with the same `Hop` share one trial; no account waits for the login of another.  Knows
nothing of sessions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar
from weakref import WeakValueDictionary

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

Result = TypeVar("Result", bound=Hashable)


class Trial:
    """Runs something that many ask for at the same time, and that may fail for all of them."""

    def __init__(self) -> None:
        #: Results that are still there: as long as there is one, nobody has to go first.
        self._proofs: set[Hashable] = set()
        self._under_way = False
        self._waiting: list[Deferred[None]] = []

    def turn(self) -> Deferred[None] | None:
        """Return what to wait for before `run`, and then to ask again; ``None``: nothing.

        Fails as the one does that goes first.
        """
        if self._proofs or not self._under_way:
            return None
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        return turn

    async def run(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Make an attempt; what comes of it is what those who wait for their turn get.

        If it is cancelled, that says nothing, and the next one goes first.
        """
        self._under_way = True
        failure = None
        try:
            result = await attempt()
            self._proofs.add(result)
        except CancelledError:
            raise
        except BaseException:
            failure = Failure()
            self._proofs.clear()
            raise
        finally:
            self._under_way = False
            waiting, self._waiting = self._waiting, []
            for turn in waiting:
                if failure is None:
                    turn.callback(None)
                else:
                    turn.errback(failure)
        return result

    def forget(self, result: Hashable) -> None:
        """What has succeeded is over; when that was the last one, the next one goes first again."""
        self._proofs.discard(result)


class Trials:
    """Trials that are shared by all who try the same."""

    def __init__(self) -> None:
        self._trials: WeakValueDictionary[Hashable, Trial] = WeakValueDictionary()

    def of(self, what: Hashable) -> Trial:
        """Return the trial of something, to be kept by whoever takes part in it."""
        return self._trials.setdefault(what, Trial())
