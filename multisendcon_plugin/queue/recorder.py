"""From an attempt to what the spool has of it: decided, reported, recorded.

What was decided in one turn of the reactor is recorded together.  What follows from an attempt
is decided by `judge`, which accounts are there is known to the registry; nothing is scheduled here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import random
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..errors import SpoolBrokenError, SpoolError
from ..events import AttemptEnded, DeliveryMoved, Publisher, ReportQueued
from ..interfaces import Committed, IStore
from ..mail.message import Delivery
from ..outcome.attempt import AccountFault, Attempt
from ..outcome.judgement import Judgement, delayed_by, judge
from ..outcome.settlement import Settlement
from ..outcome.telling import tell_all
from ..turn import Turn
from .lane import Lane
from .orphans import account_in_use, placed
from .policy import InForce
from .reports import ReportWriter
from .tasks import Tasks

T = TypeVar("T")

#: What is durable of a delivery: the lane that it was in, and the deliveries of its reports.
Recorded = tuple[Lane, Settlement, tuple[Delivery, ...]]

#: What is to be recorded; and what is to be told then.
_Entry = tuple[Lane, Settlement, DeliveryMoved | None]


@attrs.define(eq=False, repr=False, slots=False)
class Recorder:
    """Records the outcomes of one relay.

    :param events: is told what came of each delivery, and of reports.
    :param clock: see `QueueService`.
    :param paused: names of accounts that take nothing over.
    :param go_on: is told of all that has become durable at a time.
    :ivar started: since when the relay runs; time before that does not count as waited.
    """

    _in_force: InForce
    _spool: IStore
    _reports: ReportWriter
    _tasks: Tasks
    _events: Publisher
    _clock: IReactorTime
    _paused: Collection[str]
    _go_on: Callable[[list[Recorded]], None]

    def __attrs_post_init__(self) -> None:
        self._turn = Turn.of(self._clock)
        self.started = self._clock.seconds()
        self._entries: list[_Entry] = []

    def stop(self) -> Deferred[None]:
        """Let nothing untold that is told later; no attempt is under way.

        :return: fires when all that was decided is recorded, as far as the spool can.
        """
        self._write()
        running = self._tasks.ended()
        if running is None:
            return self._reports.stop()
        return running.addCallback(lambda _: self.stop())

    # What follows.

    def conclude(
        self, lane: Lane, delivery: Delivery, attempt: Attempt, now: float, awaited: bool
    ) -> None:
        """Decide what follows from an attempt.

        :param now: when it has ended.
        :param awaited: see `Settlement`.
        """
        # What we have cut off ourselves is no reason to wait, to move or to give up; but what may
        # have arrived is settled as always.
        cut_off = self._tasks.stopping and attempt.fault and not attempt.uncertain
        if attempt.inconclusive or cut_off:
            self._put(lane, Settlement(delivery=delivery, remaining=delivery))
            return
        policy = self._in_force.policy
        # The way back to an account that is not in use any more is closed.
        if delivery.tried:
            tried = tuple(each for each in delivery.tried if account_in_use(policy.registry, each))
            delivery = attrs.evolve(delivery, tried=tried)
        fault = attempt.fault
        stays = fault is not None and lane.gates.waits_for_quota(fault)
        judgement = judge(
            delivery,
            attempt,
            now=now,
            started=self.started,
            settings=policy.delivery,
            jitter=random(),
            fallback=self.fallback(delivery) if fault or attempt.moves else None,
            stays=stays,
        )
        remaining = judgement.remaining
        if remaining is not None and remaining.account != delivery.account:
            judgement = self._placed(judgement, remaining)
        self._events.publish(AttemptEnded(delivery, attempt, judgement, now))
        self._carry_out(lane, delivery, judgement, awaited=awaited)

    def _placed(self, judgement: Judgement, moved: Delivery) -> Judgement:
        """Let a delivery that moves be divided as its new account has to have it."""
        remaining, *parts = placed(moved, self._in_force.policy.registry)
        return attrs.evolve(judgement, remaining=remaining, parts=tuple(parts))

    def fallback(self, delivery: Delivery) -> str | None:
        """Name the account that may take over a delivery."""
        if delivery.uncertain:
            return None
        return self._in_force.policy.registry.fallback(
            delivery.account,
            (*delivery.tried, *self._paused),
            delivery.message.envelope,
            [recipient.address for recipient in delivery.recipients],
        )

    def move(self, lane: Lane, delivery: Delivery, name: str) -> None:
        """Move a delivery to another account."""
        tried = (*delivery.tried, delivery.account)
        moved = attrs.evolve(delivery, account=name, tried=tried, untold=())
        judgement = self._placed(Judgement(remaining=moved, told=tell_all(delivery)), moved)
        self._carry_out(lane, delivery, judgement, moved=DeliveryMoved(delivery, name))

    def tell_of_delay(self, lane: Lane, delivery: Delivery, fault: AccountFault) -> bool:
        """Tell the sender of a mail that waits for an account at fault.

        :return: False when it is not to be told, or not now: see `judgement.delayed_by`.
        """
        judgement = delayed_by(
            delivery,
            fault,
            now=self._clock.seconds(),
            started=self.started,
            settings=self._in_force.policy.delivery,
        )
        if judgement is None:
            return False
        self._carry_out(lane, delivery, judgement)
        return True

    def _carry_out(
        self,
        lane: Lane,
        delivery: Delivery,
        judgement: Judgement,
        *,
        awaited: bool = False,
        moved: DeliveryMoved | None = None,
    ) -> None:
        settlement = Settlement(
            delivery=delivery,
            remaining=judgement.remaining,
            parts=judgement.parts,
            awaited=awaited,
        )
        told = judgement.told
        if told.failed or told.delivered or judgement.delayed:
            self._tasks.begin(self._report(lane, settlement, judgement, moved))
        else:
            self._put(lane, settlement, moved)

    async def _report(
        self, lane: Lane, settlement: Settlement, judgement: Judgement, moved: DeliveryMoved | None
    ) -> None:
        """Have the reports that are called for recorded as well: their original has to be read."""
        delivery = settlement.delivery
        try:
            reports = await self._reports.write(delivery, judgement, self.started)
            self._put(lane, attrs.evolve(settlement, reports=reports), moved)
        except Exception:
            lane.not_settled(delivery)
            raise

    # What is recorded.

    def _put(self, lane: Lane, settlement: Settlement, moved: DeliveryMoved | None = None) -> None:
        """Have something recorded when this turn ends, with what the gates have learned."""
        state = lane.gates.state()
        if state:
            settlement = attrs.evolve(settlement, account_state=state)
        if not self._entries:
            self._turn.at_end(self._write)
        self._entries.append((lane, settlement, moved))

    def _write(self) -> None:
        if self._entries:
            entries, self._entries = self._entries, []
            settled = self._spool.settle([settlement for _, settlement, _ in entries])
            self._tasks.add(settled.addCallback(self._written, entries))

    def _written(self, answers: list[Committed], entries: list[_Entry]) -> None:
        recorded: list[Recorded] = []
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, SpoolError):
                # Until the spool has taken it, nothing is sent in its place.
                self._tasks.begin(self._write_again(entry, answer))
                continue
            lane, settlement, moved = entry
            for report in answer:
                self._events.publish(ReportQueued(settlement.delivery, report))
            if moved is not None:
                self._events.publish(moved)
            recorded.append((lane, settlement, answer))
        self._go_on(recorded)

    async def _write_again(self, entry: _Entry, error: SpoolError) -> None:
        lane, settlement, _ = entry
        try:
            reports = await self.record(settlement, error)
        except SpoolBrokenError:
            raise
        except SpoolError:
            lane.not_settled(settlement.delivery)
            raise
        self._written([reports], [entry])

    async def record(
        self, settlement: Settlement, error: SpoolError | None = None
    ) -> tuple[Delivery, ...]:
        """Record one delivery by itself: see `Tasks.ask`."""
        return await self._tasks.ask(
            lambda: self._spool.settle([settlement]).addCallback(only),
            f"{settlement.delivery.message.id}: delivery result not recorded in the spool",
            error,
        )


def only(answers: list[T | SpoolError]) -> T:
    """Return the only answer; raise it, if it is an error."""
    (answer,) = answers
    if isinstance(answer, SpoolError):
        raise answer
    return answer
