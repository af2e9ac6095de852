"""What an admin does to deliveries in the queue: chosen, looked at, then changed by the queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred

from ..errors import AccountNotFoundError, AccountUnfitError
from ..interfaces import IQueueControl
from ..mail.message import Delivery
from ..routing.account import Account
from .choice import Choice
from .errors import NotFoundError, RefusedError
from .moving import Mover, Outlook, Refusals
from .values import Changed, Chosen, Deletion, Move

T = TypeVar("T")


@attrs.frozen
class Changing:
    """Changes deliveries: see `Operations`.

    :param choice: finds what is chosen.
    :param known: returns the account of a name, or raises.
    :param changed: is told when something may have been changed.
    """

    _queue: IQueueControl
    _choice: Callable[[Chosen], Choice]
    _known: Callable[[str], Account]
    _changed: Callable[[], object]

    async def hold(self, chosen: Chosen) -> Changed:
        """Let deliveries wait until they are released."""
        return await self._change(chosen, lambda each: not each.held, self._queue.hold)

    async def release(self, chosen: Chosen) -> Changed:
        """Let deliveries that are held wait in their lanes again, due as they were."""
        return await self._change(chosen, lambda each: each.held, self._queue.release)

    async def retry(self, chosen: Chosen) -> Changed:
        """Let deliveries be tried now, but for those that are held."""
        return await self._change(chosen, lambda each: not each.held, self._queue.retry)

    async def delete(self, deletion: Deletion) -> Changed:
        """Delete deliveries."""
        return await self._change(
            deletion.chosen,
            lambda _: True,
            lambda numbers: self._queue.delete(numbers, deletion.notify),
        )

    async def move(self, move: Move) -> Changed:
        """Move deliveries to another account."""
        mover = self._mover(move)
        moving = self._choice(move.chosen).change(mover.applies, mover.move)
        return await answered(self._told(move.chosen, moving))

    async def outlook(self, move: Move) -> Outlook:
        """Tell what would become of a move, and what masks refuse; nothing is moved."""
        mover, refused = self._mover(move), Refusals()
        choice = self._choice(attrs.evolve(move.chosen, dry_run=True))
        admitted = await choice.change(partial(mover.admits, refusals=refused), mover.move)
        return Outlook(account=move.to_account, admitted=admitted, refused=refused)

    def _mover(self, move: Move) -> Mover:
        account = self._known(move.to_account)
        if not account.enabled:
            raise RefusedError(f'account "{account.name}" is not enabled, it would send nothing')
        return Mover(self._queue, account, move.force)

    async def _change(
        self,
        chosen: Chosen,
        applies: Callable[[Delivery], bool],
        change: Callable[[list[int]], Deferred[tuple[int, ...]]],
    ) -> Changed:
        changing = self._choice(chosen).change(
            applies, lambda deliveries: change([each.number for each in deliveries])
        )
        return await self._told(chosen, changing)

    async def _told(self, chosen: Chosen, changing: Awaitable[Changed]) -> Changed:
        try:
            return await changing
        finally:
            # Some of it is, even if it has failed.
            if not chosen.dry_run:
                self._changed()


async def answered(doing: Awaitable[T]) -> T:
    """Return what is answered by the queue, which may know an account no more."""
    try:
        return await doing
    except AccountNotFoundError as error:
        raise NotFoundError(str(error)) from None
    except AccountUnfitError as error:
        raise RefusedError(str(error)) from None
