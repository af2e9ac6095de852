"""Has the mail of an account tried at once that may be at fault no more.

So it is when its settings are others (`QueueService.reconfigure`), or when it has a token again for
want of which it rests: it would go on when its rest is over, up to an hour later.  Whatever else is
wrong with an account, no token cures.

It hears that itself, beside the lanes that it concerns: who gives out tokens knows nothing of
queues, and an admin's probe would bring one mail forward, where all have waited for the token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import attrs
from twisted.internet.interfaces import IReactorTime

from ..events import Publisher, TokenRefreshed
from ..interfaces import IStore
from ..mail.message import LaneKey
from ..mail.phase import Phase
from .lane import Lane
from .tasks import Tasks

#: Lanes that are not at work and are roused at the same time.
ROUSED_AT_ONCE = 50


@attrs.define(eq=False, repr=False)
class Revival:
    """Revives the lanes of one queue.

    :param lanes: those that there are.
    :param know: is told when mail is due that waits in the spool for another one.
    :param events: tells of tokens.
    :param clock: is never set.
    """

    _lanes: Mapping[LaneKey, Lane]
    _know: Callable[[LaneKey, float], None]
    _spool: IStore
    _tasks: Tasks
    _events: Publisher
    _clock: IReactorTime

    def __attrs_post_init__(self) -> None:
        self._events.subscribe(TokenRefreshed, self._has_token)

    def hasten(self, lane: Lane) -> None:
        """Have all mail of a lane due now; an account that rests is probed."""
        self._tasks.begin(self._hasten(lane))

    async def _hasten(self, lane: Lane) -> None:
        now = self._clock.seconds()
        await self._bring_forward(lane.key, now)
        lane.hasten(now)

    def rouse(self, keys: Sequence[LaneKey]) -> None:
        """Have all mail due now of lanes that are not at work; a destination that rests does so."""
        left = iter(keys)
        for _ in keys[:ROUSED_AT_ONCE]:
            self._tasks.begin(self._rouse(left))

    async def _rouse(self, keys: Iterator[LaneKey]) -> None:
        for key in keys:
            now = self._clock.seconds()
            await self._bring_forward(key, now)
            if (lane := self._lanes.get(key)) is not None:  # it has begun meanwhile
                lane.hasten(now)
            else:
                self._know(key, now)

    async def _bring_forward(self, key: LaneKey, now: float) -> None:
        await self._tasks.ask(
            partial(self._spool.bring_forward, key, now),
            f"mail of account {key[0]} not brought forward in the spool",
        )

    def _has_token(self, event: TokenRefreshed) -> None:
        if not event.recovered or self._tasks.stopping:
            return
        for (account, _), lane in self._lanes.items():
            if account == event.account and _lacks_token(lane):
                self.hasten(lane)


def _lacks_token(lane: Lane) -> bool:
    """There was none to log in with: it is we who say so, and no server."""
    fault = lane.gates.condition.fault
    return fault is not None and fault.phase is Phase.LOGIN and fault.reply.code == 0
