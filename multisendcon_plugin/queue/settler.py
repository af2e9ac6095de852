"""From an attempt to what the spool has of it: judged, reported, written down.

What follows from an attempt is decided by `settle.judge`; which accounts are there is known to the
registry.  It schedules nothing.
"""

from __future__ import annotations

from random import random

import attrs
from twisted.internet.interfaces import IReactorTime

from ..account import Account
from ..attempt import Attempt, Outcome, Verdict
from ..configuration import Configuration
from ..failure import Action as Consequence
from ..interfaces import IAccountRegistry, ISpool
from ..message import Delivery, Submission
from ..ndr import Action, Facts
from ..settle import Settlement, judge, retry_until
from . import journal
from .patience import Patience
from .reports import REPORTS_ACCOUNT, ReportDesk, reports_account


class Settler:
    """Settles the deliveries of one relay."""

    def __init__(
        self,
        configuration: Configuration,
        registry: IAccountRegistry,
        spool: ISpool,
        patience: Patience,
        clock: IReactorTime,
    ) -> None:
        self._settings = configuration.delivery
        self._hostname = configuration.master_relay.hostname
        self._registry = registry
        self._spool = spool
        self._patience = patience
        self._clock = clock
        self._reports = ReportDesk(configuration.ndr, registry, spool)
        self._reports_account = reports_account(configuration.ndr, self._hostname)

    def account_in_use(self, name: str) -> Account | None:
        """Return the account of that name, unless it is not enabled; also the one for reports."""
        if name == REPORTS_ACCOUNT:
            return self._reports_account
        account = self._registry.account(name)
        return account if account is not None and account.enabled else None

    def fallback(self, delivery: Delivery) -> str | None:
        """Name the account that may take over a delivery."""
        if delivery.uncertain:
            return None
        return self._registry.fallback(
            delivery.account,
            delivery.tried,
            delivery.message.envelope.reverse_path,
            [recipient.address for recipient in delivery.recipients],
        )

    async def conclude(
        self, delivery: Delivery, attempt: Attempt
    ) -> tuple[Delivery | None, tuple[Delivery, ...]]:
        """Settle a delivery by an attempt.

        :return: what remains of it, and the deliveries of the reports; they are in the spool.
        """
        now = self._clock.seconds()
        # The way back to an account that is not in use any more is closed.
        tried = tuple(name for name in delivery.tried if self.account_in_use(name))
        delivery = attrs.evolve(delivery, tried=tried)
        moves = attempt.fault is not None and attempt.fault.action is not Consequence.SLOW
        judgement = judge(
            delivery,
            attempt,
            now=now,
            settings=self._settings,
            jitter=random(),
            fallback=self.fallback(delivery) if moves else None,
        )
        journal.ended(delivery, attempt, judgement, now)
        remaining = judgement.remaining
        reports = [
            *await self._report(Action.FAILED, delivery, judgement.failed, now),
            *await self._report(Action.DELAYED, remaining or delivery, judgement.delayed, now),
        ]
        announced = await self.write(
            Settlement(
                delivery=delivery,
                remaining=remaining,
                reports=tuple(reports),
                mail_ended=attempt.mail_ended,
            )
        )
        for report in announced:
            journal.reported(delivery, report)
        return remaining, announced

    async def break_off(self, delivery: Delivery, attempt: Attempt) -> None:
        """Write down an attempt that we have cut off ourselves, because the relay stops.

        That is no reason to wait, to move or to give up; but what may have arrived is settled as
        always.
        """
        if attempt.fault and not _uncertain(attempt):
            await self.write(
                Settlement(delivery=delivery, remaining=delivery, mail_ended=attempt.mail_ended)
            )
        else:
            await self.conclude(delivery, attempt)

    async def move(self, delivery: Delivery, name: str) -> Delivery:
        """Move a delivery to another account; return it as it is there."""
        tried = (*delivery.tried, delivery.account)
        moved = attrs.evolve(delivery, account=name, tried=tried)
        await self.write(Settlement(delivery=delivery, remaining=moved))
        journal.moved(delivery, name)
        return moved

    async def write(self, settlement: Settlement) -> tuple[Delivery, ...]:
        """Make a settlement durable; until the spool has taken it, nothing is sent again."""
        return await self._patience.ask(
            lambda: self._spool.settle(settlement),
            f"{settlement.delivery.message.id}: what came of it cannot be written",
        )

    async def _report(
        self, action: Action, delivery: Delivery, outcomes: tuple[Outcome, ...], now: float
    ) -> tuple[Submission, ...]:
        if not outcomes:
            return ()
        account = self.account_in_use(delivery.account)
        return await self._reports.write(
            Facts(
                action=action,
                message=delivery.message,
                outcomes=outcomes,
                hostname=self._hostname,
                server=account.server if account else "",
                now=now,
                retry_until=retry_until(delivery, self._settings),
            )
        )


def _uncertain(attempt: Attempt) -> bool:
    return any(outcome.verdict is Verdict.UNCERTAIN for outcome in attempt.outcomes)
