"""How long mail waits, counted once for all who ask, and seldom enough for the mail.

The count of a million takes half a second of a processor, and each filter of a queue that somebody
tries asks for it anew.  So it is kept for a while, unless an admin changes the queue meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from .ages import AccountAges, ages_of, moments
from .survey import GOOD_FOR, LEFT_BY_COUNTS

Found = tuple[AccountAges, ...]


@attrs.define(eq=False)
class _Count:
    """One that is under way, or has ended.

    :ivar waiting: for its end.
    :ivar found: ``None``: it has not ended.
    """

    waiting: list[Deferred[Found]] = attrs.field(factory=list)
    found: Found | None = None
    good_until: float = inf


class CountedAges:
    """The counts of one relay.

    :param ages: has them counted, by account, before each of some moments.
    :param clock: the spool's.
    """

    def __init__(
        self,
        ages: Callable[[Sequence[float]], Deferred[dict[str, tuple[int, ...]]]],
        clock: IReactorTime,
    ) -> None:
        self._ages = ages
        self._clock = clock
        self._last: _Count | None = None

    def ask(self) -> Deferred[Found]:
        """Return what waits now, or a moment ago.  Fails with `SpoolError`."""
        answer: Deferred[Found] = Deferred()
        count = self._last
        if count is None or self._clock.seconds() >= count.good_until:
            count = self._last = _Count()
            count.waiting.append(answer)
            self._begin(count)
        elif count.found is None:
            count.waiting.append(answer)
        else:
            answer.callback(count.found)
        return answer

    def forget(self) -> None:
        """Count anew for whoever asks from now on: somebody has changed the queue."""
        self._last = None

    def _begin(self, count: _Count) -> None:
        began = self._clock.seconds()
        counting = self._ages(moments(began))
        counting.addCallbacks(
            self._counted, self._failed, callbackArgs=(count, began), errbackArgs=(count,)
        )

    def _counted(self, found: Mapping[str, tuple[int, ...]], count: _Count, began: float) -> None:
        count.found = ages_of(found)
        now = self._clock.seconds()
        count.good_until = now + max(GOOD_FOR, LEFT_BY_COUNTS * (now - began))
        waiting, count.waiting = count.waiting, []
        for each in waiting:
            each.callback(count.found)

    def _failed(self, failure: Failure, count: _Count) -> None:
        if self._last is count:
            self._last = None
        waiting, count.waiting = count.waiting, []
        for each in waiting:
            each.errback(failure)
