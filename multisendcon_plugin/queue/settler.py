"""From an attempt to what the spool has of it: judged, reported, written down.

What follows from an attempt is decided by `judge`; which accounts are there is known to the
registry.  It schedules nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..events import AttemptEnded, DeliveryMoved, Publisher, ReportQueued
from ..interfaces import IAccountRegistry, IStore
from ..mail.message import Delivery, NewMessage
from ..ndr import Facts, ReportAction, wanted
from ..outcome.attempt import AccountFault, Attempt, Outcome, Verdict
from ..outcome.judgement import Judgement, delayed_by, judge, retry_until
from ..outcome.settlement import Settlement
from ..outcome.telling import tell_all
from ..routing.account import Account
from ..settings.values import DeliverySettings, NdrSettings
from .gates import Gates
from .patience import Patience
from .reports import HandIn, ReportWriter


class Settler:
    """Settles the deliveries of one relay.

    :param events: is told what came of each delivery, and of reports.
    :param clock: see `QueueService`.
    :param wall: tells the time that people read.
    :param hand_in: puts a new message into the spool.
    :ivar started: since when the relay runs; time before that does not count as waited.
    """

    def __init__(
        self,
        delivery: DeliverySettings,
        ndr: NdrSettings,
        registry: IAccountRegistry,
        spool: IStore,
        patience: Patience,
        *,
        events: Publisher,
        hostname: str,
        clock: IReactorTime,
        wall: Callable[[], float],
        hand_in: HandIn,
    ) -> None:
        self._settings = delivery
        self._hostname = hostname
        self._registry = registry
        self._spool = spool
        self._patience = patience
        self._events = events
        self._clock = clock
        self._wall = wall
        self.started = clock.seconds()
        self._reports = ReportWriter(
            ndr,
            registry,
            spool,
            events=events,
            hostname=hostname,
            clock=clock,
            wall=wall,
            hand_in=hand_in,
        )

    def stop(self) -> Deferred[None]:
        """Let nothing untold that is told later; nothing more is to be settled."""
        return self._reports.stop()

    def account_in_use(self, name: str) -> Account | None:
        """Return the account of that name, unless it is not enabled."""
        account = self._registry.account(name)
        return account if account is not None and account.enabled else None

    def fallback(self, delivery: Delivery) -> str | None:
        """Name the account that may take over a delivery."""
        if delivery.uncertain:
            return None
        return self._registry.fallback(
            delivery.account,
            delivery.tried,
            delivery.message.envelope,
            [recipient.address for recipient in delivery.recipients],
        )

    async def conclude(
        self, delivery: Delivery, attempt: Attempt, gates: Gates, *, awaited: bool = False
    ) -> tuple[Delivery | None, tuple[Delivery, ...]]:
        """Settle a delivery by an attempt.

        :param gates: of its account: what they have learned is written down as well.
        :param awaited: see `Settlement`.
        :return: what remains of it, and the deliveries of the reports; they are in the spool.
        """
        if attempt.inconclusive:
            await self._put_back(delivery, gates)
            return delivery, ()
        now = self._clock.seconds()
        # The way back to an account that is not in use any more is closed.
        if delivery.tried:
            tried = tuple(name for name in delivery.tried if self.account_in_use(name))
            delivery = attrs.evolve(delivery, tried=tried)
        judgement = judge(
            delivery,
            attempt,
            now=now,
            started=self.started,
            settings=self._settings,
            jitter=random(),
            fallback=self.fallback(delivery) if attempt.fault or attempt.moves else None,
        )
        self._events.publish(AttemptEnded(delivery, attempt, judgement, now))
        reports = await self.carry_out(delivery, judgement, gates, awaited=awaited)
        return judgement.remaining, reports

    def delayed_by(self, delivery: Delivery, fault: AccountFault) -> Judgement | None:
        """Judge a delivery that waits for an account at fault: see `judgement.delayed_by`."""
        return delayed_by(
            delivery,
            fault,
            now=self._clock.seconds(),
            started=self.started,
            settings=self._settings,
        )

    async def carry_out(
        self,
        delivery: Delivery,
        judgement: Judgement,
        gates: Gates | None = None,
        *,
        awaited: bool = False,
    ) -> tuple[Delivery, ...]:
        """Write down what was judged, and the reports that it calls for.

        :param gates: of its account, if there was an attempt.
        :return: the deliveries of the reports; they are in the spool.
        """
        remaining = judgement.remaining or delivery
        reports: list[NewMessage] = []
        if judgement.told.failed:
            reports += await self._report(ReportAction.FAILED, delivery, judgement.told.failed)
        if judgement.delayed:
            reports += await self._report(ReportAction.DELAYED, remaining, judgement.delayed)
        if judgement.told.delivered:
            reports += await self._report(ReportAction.RELAYED, delivery, judgement.told.delivered)
        announced = await self.write(
            Settlement(
                delivery=delivery,
                remaining=judgement.remaining,
                reports=tuple(reports),
                account_state=(gates.state() or None) if gates else None,
                awaited=awaited,
            )
        )
        for report in announced:
            self._events.publish(ReportQueued(delivery, report))
        return announced

    async def break_off(self, delivery: Delivery, attempt: Attempt, gates: Gates) -> None:
        """Write down an attempt that we have cut off ourselves, because the relay stops.

        That is no reason to wait, to move or to give up; but what may have arrived is settled as
        always.
        """
        if attempt.fault and not _uncertain(attempt):
            await self._put_back(delivery, gates)
        else:
            await self.conclude(delivery, attempt, gates)

    async def _put_back(self, delivery: Delivery, gates: Gates) -> None:
        """Write down what the gates have learned; the delivery stays as it is."""
        state = gates.state() or None
        await self.write(Settlement(delivery=delivery, remaining=delivery, account_state=state))

    async def move(self, delivery: Delivery, name: str) -> tuple[Delivery, tuple[Delivery, ...]]:
        """Move a delivery to another account.

        :return: it as it is there, and the deliveries of the reports; they are in the spool.
        """
        tried = (*delivery.tried, delivery.account)
        moved = attrs.evolve(delivery, account=name, tried=tried, untold=())
        judgement = Judgement(remaining=moved, told=tell_all(delivery))
        reports = await self.carry_out(delivery, judgement)
        self._events.publish(DeliveryMoved(delivery, name))
        return moved, reports

    async def write(self, settlement: Settlement) -> tuple[Delivery, ...]:
        """Make a settlement durable; until the spool has taken it, nothing is sent again."""
        return await self._patience.ask(
            lambda: self._spool.settle(settlement),
            f"{settlement.delivery.message.id}: delivery result not recorded in the spool",
        )

    async def _report(
        self, action: ReportAction, delivery: Delivery, outcomes: tuple[Outcome, ...]
    ) -> tuple[NewMessage, ...]:
        outcomes = wanted(action, outcomes)
        if not outcomes:
            return ()
        account = self.account_in_use(delivery.account)
        now = self._clock.seconds()
        last = retry_until(delivery, now=now, started=self.started, settings=self._settings)
        facts = Facts(
            action=action,
            message=delivery.message,
            outcomes=outcomes,
            hostname=self._hostname,
            server=account.server if account else "",
            now=now,
            retry_until=last,
        )
        # The clock on the wall may have been set since the relay was started.
        facts = facts.later_by(self._wall() - now)
        works = all(outcome.verdict is Verdict.FAILED for outcome in outcomes)
        return await self._reports.write(facts, avoid=None if works else delivery.account)


def _uncertain(attempt: Attempt) -> bool:
    return any(outcome.verdict is Verdict.UNCERTAIN for outcome in attempt.outcomes)
