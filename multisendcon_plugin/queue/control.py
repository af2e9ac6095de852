"""What an admin does with a queue that runs: see `IQueueControl`.

How deliveries are changed beside the lanes is in `changes`; here is what of them is changed, and
who is told of it.  A moved or deleted delivery is settled, as after an attempt.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from ..errors import AccountNotFoundError, AccountUnfitError, SpoolError
from ..events import (
    AccountPaused,
    AccountResumed,
    DeliveryDeleted,
    DeliveryHeld,
    DeliveryMoved,
    DeliveryReleased,
    Publisher,
    ReportQueued,
)
from ..interfaces import IQueueControl, ISpool
from ..mail.message import Delivery, LaneKey
from ..outcome.condition import Condition, Rest
from ..outcome.judgement import Judgement, deleted
from ..outcome.settlement import Settlement
from ..outcome.telling import tell_all
from ..routing.account import Account
from .changes import Changed, Changes, Write
from .conditions import condition
from .lane import RELIEVED_AT_ONCE
from .lanes import Lanes
from .orphans import account_in_use, placed
from .policy import InForce
from .quota_gate import Closed
from .quotas import Quotas
from .reports import ReportWriter

_Event = Callable[[Delivery], DeliveryHeld | DeliveryReleased]


@implementer(IQueueControl)
@attrs.define(eq=False, repr=False, slots=False)
class QueueControl:
    """The admin's hand in one queue.

    :param spool: store and view.
    :param lanes: those that there are.
    :param paused: since when each account is that is paused.
    :param started: returns since when the relay runs.
    :param events: is told of what has changed, once that is durable.
    :param clock: is never set.
    :param wall: tells the time that people read.
    """

    _in_force: InForce
    _spool: ISpool
    _changes: Changes
    _lanes: Lanes
    _paused: dict[str, float]
    _quotas: Quotas
    _reports: ReportWriter
    _started: Callable[[], float]
    _events: Publisher
    _clock: IReactorTime
    _wall: Callable[[], float]

    # Deliveries.

    def hold(self, numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Let deliveries wait until they are released."""
        return self._change(numbers, self._told(self._spool.hold, DeliveryHeld))

    def release(self, numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Let deliveries wait in their lanes again, due as they were."""
        return self._change(numbers, self._told(self._spool.release, DeliveryReleased))

    def _told(
        self,
        change: Callable[[Sequence[int]], Awaitable[Iterable[Delivery]]],
        event: _Event,
    ) -> Write:
        async def write(numbers: Sequence[int]) -> dict[int, Changed]:
            changed: dict[int, Changed] = {}
            for delivery in await change(numbers):
                self._events.publish(event(delivery))
                changed[delivery.number] = delivery
            return changed

        return write

    def retry(self, numbers: Sequence[int]) -> Deferred[tuple[int, ...]]:
        """Let deliveries be due now, unless they are held; an account that rests is probed."""
        due: set[LaneKey] = set()

        async def write(some: Sequence[int]) -> dict[int, Changed]:
            changed = await self._spool.retry(some)
            due.update(each.lane for each in changed)
            return {each.number: each for each in changed}

        def probe() -> None:
            # Once for all of them: it is the account that is in doubt, not each mail.
            for key in due:
                self._lanes.probe(key)
            due.clear()

        return self._change(numbers, write, probe)

    def move(self, numbers: Sequence[int], account: str, reason: str) -> Deferred[tuple[int, ...]]:
        """Move deliveries to another account, due now, whatever its masks say.

        Fails with `AccountNotFoundError` or `AccountUnfitError`.
        """

        async def write(some: Sequence[int]) -> dict[int, Changed]:
            name = self._in_use(account).name
            registry = self._in_force.policy.registry
            due = self._clock.seconds()
            settlements = []
            for delivery in await self._spool.read(some):
                if delivery.account == name:
                    continue
                moved = attrs.evolve(delivery.moved_to((name, ""), reason, due), untold=())
                remaining, *parts = placed(moved, registry)
                # Of what its account has said already, no other account could tell.
                judgement = Judgement(
                    remaining=remaining, parts=tuple(parts), told=tell_all(delivery)
                )
                settlements.append(await self._settlement(delivery, judgement))
            return await self._settle(
                settlements, lambda done: DeliveryMoved(done.delivery, account, reason)
            )

        return self._change(numbers, write)

    def delete(self, numbers: Sequence[int], notify: bool) -> Deferred[tuple[int, ...]]:
        """Delete deliveries; the sender gets a report, if that is wanted."""

        async def write(some: Sequence[int]) -> dict[int, Changed]:
            settlements = []
            for delivery in await self._spool.read(some):
                # A report that is deleted is told to nobody (RFC 5321 section 6.1).
                told = notify and delivery.message.envelope.reverse_path
                judgement = deleted(delivery) if told else Judgement(remaining=None)
                settlements.append(await self._settlement(delivery, judgement))
            return await self._settle(
                settlements, lambda done: DeliveryDeleted(done.delivery, bool(done.reports))
            )

        return self._change(numbers, write)

    async def _settlement(self, delivery: Delivery, judgement: Judgement) -> Settlement:
        settlement = Settlement(
            delivery=delivery, remaining=judgement.remaining, parts=judgement.parts
        )
        if judgement.told.failed or judgement.told.delivered:
            reports = await self._reports.write(delivery, judgement, self._started())
            settlement = attrs.evolve(settlement, reports=reports)
        return settlement

    async def _settle(
        self,
        settlements: Sequence[Settlement],
        event: Callable[[Settlement], DeliveryMoved | DeliveryDeleted],
    ) -> dict[int, Changed]:
        changed: dict[int, Changed] = {}
        answers = await self._spool.settle(settlements)
        for settlement, answer in zip(settlements, answers, strict=True):
            if isinstance(answer, SpoolError):
                changed[settlement.delivery.number] = answer
                continue
            changed[settlement.delivery.number] = settlement.remaining
            self._events.publish(event(settlement))
            for report in answer:
                self._events.publish(ReportQueued(settlement.delivery, report))
            self._changes.announce(answer)
            if settlement.parts and not settlement.delivery.held:
                self._changes.announce(settlement.parts)
        return changed

    def _change(
        self, numbers: Sequence[int], write: Write, settled: Callable[[], None] = lambda: None
    ) -> Deferred[tuple[int, ...]]:
        return Deferred.fromCoroutine(self._changes.make(numbers, write, settled))

    def under_way(self) -> frozenset[int]:
        """Return the numbers of the deliveries that are being tried."""
        return frozenset().union(*(lane.under_way for lane in self._lanes.alive.values()))

    # Accounts.

    def conditions(self, accounts: Iterable[Account] | None = None) -> list[Condition]:
        """Return how each of some accounts is, or of all, in order of priority."""
        now = self._clock.seconds()
        ahead = self._wall() - now
        conditions = []
        for account in self._in_force.policy.registry if accounts is None else accounts:
            turns = self._lanes.turns_of(account.name)
            conditions.append(
                condition(
                    account,
                    self._lanes.ways.known(account.name),
                    self._lanes.alive.get((account.name, "")),
                    self._paused.get(account.name),
                    self._quotas.gate(account) if account.enabled else None,
                    now=now,
                    ahead=ahead,
                    resting=turns.resting if turns else 0,
                )
            )
        return conditions

    def rest(self, account: str, destination: str) -> Rest | None:
        """Return the rest of one destination of an account; ``None``: it has none of its own."""
        turns = self._lanes.turns_of(account)
        return turns.rest(destination) if turns else None

    def pause(self, account: str) -> Deferred[None]:
        """Let an account begin no mail until `resume`, also over restarts.

        Fails with `AccountNotFoundError`.
        """
        return Deferred.fromCoroutine(self._pause(account))

    async def _pause(self, name: str) -> None:
        self._account(name)
        since = self._clock.seconds()
        await self._spool.pause(name, since)
        if name not in self._paused:
            self._paused[name] = since
            self._lanes.pause(name, True)
            self._events.publish(AccountPaused(name))

    def resume(self, account: str) -> Deferred[None]:
        """Let an account that was paused go on.

        Fails with `AccountNotFoundError`.
        """
        return Deferred.fromCoroutine(self._resume(account))

    async def _resume(self, name: str) -> None:
        self._account(name)
        await self._spool.resume(name)
        if self._paused.pop(name, None) is not None:
            self._events.publish(AccountResumed(name))
            self._lanes.pause(name, False)

    def probe(self, account: str) -> Deferred[None]:
        """Try one mail of an account that rests, now.

        Fails with `AccountNotFoundError`; or with `AccountUnfitError`, if nothing can be tried.
        """
        return Deferred.fromCoroutine(self._probe(account))

    async def _probe(self, name: str) -> None:
        account = self._in_use(name)
        if name in self._paused:
            raise AccountUnfitError(f"account {name} is paused: resume it, then it sends")
        if (why := self._full(account)) is not None:
            raise AccountUnfitError(
                f"account {name}: {why}; its next mail leaves as soon as there is room, and"
                " no probe before"
            )
        waits = False
        for key in self._lanes.waiting(account):
            lane = self._lanes.alive.get(key)
            under_way = lane.under_way if lane else frozenset()
            # Those under way are in the spool as well, and so are those that move away.
            most = len(under_way) + RELIEVED_AT_ONCE + 1
            for delivery in await self._spool.waiting(key, most):
                waits = True
                if delivery.number not in under_way:
                    await self.retry([delivery.number])
                    return
        if not waits:
            raise AccountUnfitError(
                f"no mail waits for account {name}, so there is none to try; test the account"
                " instead"
            )

    def _full(self, account: Account) -> Closed | None:
        """Tell which quota keeps an account from sending that has no fault."""
        way, lane = self._lanes.ways.known(account.name), self._lanes.alive.get((account.name, ""))
        if way is None or way.gates.condition.fault is not None:
            return None
        now, quota = self._clock.seconds(), way.gates.quota
        if lane is not None:
            return lane.full(now)
        return None if quota is None else quota.closed(None, now)

    def _account(self, name: str) -> Account:
        account = self._in_force.policy.registry.account(name)
        if account is None:
            raise AccountNotFoundError(f"there is no account {name}")
        return account

    def _in_use(self, name: str) -> Account:
        self._account(name)
        account = account_in_use(self._in_force.policy.registry, name)
        if account is None:
            raise AccountUnfitError(f"account {name} is not enabled: it would send nothing")
        return account
