"""The queue: joins spool, lanes and relays; answers for each message until it is settled.

The states of a delivery, and what a crash costs in each, are in ``docs/INTERNALS.rst``.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from random import random
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from ..account import Account
from ..attempt import Attempt, Outcome, Verdict
from ..configuration import Configuration
from ..envelope import Envelope
from ..failure import Action as FollowUp
from ..interfaces import IAccountRegistry, IContent, IDraft, IIntake, IRelay, ISpool
from ..message import Delivery, Message, Parcel, Submission
from ..ndr import Action, Facts
from ..settle import Judgement, Settlement, judge, retry_until
from .agenda import Agenda
from .held import HeldContent
from .lane import Lane
from .orphans import adopted
from .pace import Pace
from .patience import Patience
from .reports import REPORTS_ACCOUNT, ReportDesk, reports_account

#: Seconds that a mail which is on its way may take when the relay stops.
GRACE = 10.0
#: Deliveries of a removed account that are moved at a time.
MOVED_AT_ONCE = 500


@implementer(IIntake)
class QueueService(Service):
    """The queue of one relay.

    :param make_relay: returns the relay of an account; called when its lane has its first mail.
    """

    log = Logger()

    def __init__(
        self,
        configuration: Configuration,
        *,
        registry: IAccountRegistry,
        spool: ISpool,
        make_relay: Callable[[Account], IRelay],
        clock: IReactorTime,
    ) -> None:
        self._settings = configuration.delivery
        self._hostname = configuration.master_relay.hostname
        self._registry = registry
        self._spool = spool
        self._make_relay = make_relay
        self._clock = clock
        self._reports = ReportDesk(configuration.ndr, registry, spool)
        self._reports_account = reports_account(configuration.ndr, self._hostname)
        self._held = HeldContent()
        self._lanes: dict[str, Lane] = {}
        self._mail_ends: dict[str, float] = {}
        self._under_way: set[Deferred[None]] = set()
        self._patience = Patience(clock)
        self._ready = False
        self._stopping = False

    # Start and stop.

    def startService(self) -> None:
        """Pick up everything that waits in the spool, which is open."""
        super().startService()
        self._go_on_with(self._pick_up())

    async def _pick_up(self) -> None:
        now = self._clock.seconds()
        if self._spool.clean:
            ends = await self._patience.ask(
                self._spool.mail_ends, "it cannot be read when the last mails ended"
            )
            # One that is still to come was written while the clock was wrong.
            self._mail_ends = {name: min(end, now) for name, end in ends.items()}
        else:
            # After a crash the end of the last mails may be missing; it was not later than now.
            self._mail_ends = {account.name: now for account in self._registry}
        # What is committed before this is found in the spool, what comes after it is announced.
        self._ready = not self._stopping
        waiting = await self._patience.ask(
            self._spool.lanes, "it cannot be read what waits in the spool"
        )
        for name, count in waiting.items():
            self.log.info("{count} deliveries wait for account {name}", count=count, name=name)
            account = self._account_in_use(name)
            if account is None:
                self._go_on_with(self._move_all(name))
            elif self._ready:
                self._lane(account).go()

    def stopService(self) -> Deferred[Any]:
        """Let the mails that are on their way finish, and their outcomes become durable."""
        super().stopService()
        self._stopping = True
        self._ready = False
        self._patience.stop()
        stopped = DeferredList([lane.stop(GRACE) for lane in self._lanes.values()])
        return stopped.addCallback(lambda _: DeferredList(tuple(self._under_way)))

    def _go_on_with(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something run to its end, also while the service stops."""
        running = Deferred.fromCoroutine(work)
        self._under_way.add(running)
        running.addErrback(lambda failure: self.log.failure("the queue has a fault", failure))
        running.addCallback(lambda _: self._under_way.discard(running))

    # Lanes.

    def _account(self, name: str) -> Account | None:
        return self._reports_account if name == REPORTS_ACCOUNT else self._registry.account(name)

    def _account_in_use(self, name: str) -> Account | None:
        account = self._account(name)
        return account if account is not None and account.enabled else None

    def _lane(self, account: Account) -> Lane:
        lane = self._lanes.get(account.name)
        if lane is None:
            lane = self._lanes[account.name] = Lane(
                account,
                relay=self._make_relay(account),
                spool=self._spool,
                # The spool may hold deliveries that this process does not know of yet.
                agenda=Agenda(beyond=0.0),
                pace=Pace(account, self._mail_ends.get(account.name)),
                clock=self._clock,
                open_content=self._open_content,
                redirect=self._redirect,
                conclude=lambda delivery, attempt: self._go_on_with(
                    self._settle(delivery, attempt)
                ),
            )
            lane.go()
        return lane

    def _open_content(self, message: Message) -> IContent:
        return self._held.open(message.number) or self._spool.content(message)

    def _announce(self, deliveries: Iterable[Delivery]) -> None:
        """Put deliveries that are in the spool on the agendas of their accounts."""
        for delivery in deliveries:
            account = self._account(delivery.account)
            if self._ready and account is not None and self._lane(account).add(delivery):
                continue
            self._held.let_go(delivery.message.number)

    async def _move_all(self, name: str) -> None:
        """Find other accounts for the mail of one that is not in use any more."""
        stuck = 0
        while not self._stopping:
            waiting = await self._waiting(name, stuck + MOVED_AT_ONCE)
            for delivery in waiting[stuck:]:
                moved = await adopted(delivery, self._registry, self._spool)
                if moved is None:
                    stuck += 1
                    continue
                await self._make_durable(Settlement(delivery=delivery, remaining=moved))
                self._announce([moved])
            if len(waiting) <= stuck:
                break
        if stuck:
            self.log.error(
                "{count} deliveries wait for account {name}, which is not in use, and no other "
                "account takes them: add one that does",
                count=stuck,
                name=name,
            )

    async def _waiting(self, name: str, limit: int) -> tuple[Delivery, ...]:
        return await self._patience.ask(
            lambda: self._spool.waiting(name, limit),
            f"the mail of account {name} cannot be read",
        )

    # Messages come in.

    def draft(self) -> IDraft:
        """Begin a message: see `IIntake`."""
        return self._spool.draft()

    def commit(
        self,
        draft: IDraft,
        envelope: Envelope,
        header_size: int,
        parcels: tuple[Parcel, ...],
    ) -> Deferred[None]:
        """Take a message over: see `IIntake`."""
        committed = draft.commit(envelope, header_size, parcels)
        return committed.addCallback(self._committed, draft.held)

    def _committed(self, deliveries: tuple[Delivery, ...], content: bytes | None) -> None:
        message = deliveries[0].message
        self.log.info(
            "{id}: accepted from <{sender}>, {size} bytes, for {routes}",
            id=message.id,
            sender=message.envelope.reverse_path,
            size=message.size,
            routes=Routes(deliveries),
        )
        if content is not None:
            self._held.keep(message.number, content, len(deliveries))
        self._announce(deliveries)

    # Deliveries end.

    async def _settle(self, delivery: Delivery, attempt: Attempt) -> None:
        message = delivery.message
        now = self._clock.seconds()
        self._held.let_go(message.number)
        if self._stopping and attempt.fault and not _uncertain(attempt):
            # It is we who have hung up; that is no reason to wait, to move or to give up.
            await self._make_durable(
                Settlement(delivery=delivery, remaining=delivery, mail_ended=attempt.mail_ended)
            )
            return
        # The way back to an account that is not in use any more is closed.
        tried = tuple(name for name in delivery.tried if self._account_in_use(name))
        delivery = attrs.evolve(delivery, tried=tried)
        fallback = None
        if attempt.fault and attempt.fault.action is not FollowUp.SLOW:
            fallback = self._fallback(delivery)
        judgement = judge(
            delivery,
            attempt,
            now=now,
            settings=self._settings,
            jitter=random(),
            fallback=fallback,
        )
        self._tell(delivery, attempt, judgement)
        remaining = judgement.remaining
        reports = [
            *await self._report(Action.FAILED, delivery, judgement.failed, now),
            *await self._report(Action.DELAYED, remaining or delivery, judgement.delayed, now),
        ]
        announced = await self._make_durable(
            Settlement(
                delivery=delivery,
                remaining=remaining,
                reports=tuple(reports),
                mail_ended=attempt.mail_ended,
            )
        )
        moved = remaining is not None and remaining.account != delivery.account
        self._lanes[delivery.account].settled(delivery, None if moved else remaining)
        if moved and remaining is not None:
            self._announce([remaining])
        for report in announced:
            self.log.info(
                "{id}: report on {about}, for {routes}",
                id=report.message.id,
                about=message.id,
                routes=Routes((report,)),
            )
        self._announce(announced)

    def _fallback(self, delivery: Delivery) -> str | None:
        return self._registry.fallback(
            delivery.account,
            delivery.tried,
            delivery.message.envelope.reverse_path,
            [recipient.address for recipient in delivery.recipients],
        )

    def _redirect(self, delivery: Delivery) -> bool:
        """Move a delivery away from an account that rests, to one that does not."""
        name = None if delivery.uncertain else self._fallback(delivery)
        lane = self._lanes.get(name or "")
        if name is None or (lane and lane.pace.fault):
            return False
        self._go_on_with(self._move(delivery, name))
        return True

    async def _move(self, delivery: Delivery, name: str) -> None:
        tried = (*delivery.tried, delivery.account)
        moved = attrs.evolve(delivery, account=name, tried=tried)
        await self._make_durable(Settlement(delivery=delivery, remaining=moved))
        self.log.info(
            "{id}: goes to account {account}, since {rests} rests",
            id=delivery.message.id,
            account=name,
            rests=delivery.account,
        )
        self._lanes[delivery.account].settled(delivery, None)
        self._announce([moved])

    async def _report(
        self, action: Action, delivery: Delivery, outcomes: tuple[Outcome, ...], now: float
    ) -> tuple[Submission, ...]:
        if not outcomes:
            return ()
        account = self._account(delivery.account)
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

    async def _make_durable(self, settlement: Settlement) -> tuple[Delivery, ...]:
        """Write a settlement; as long as the spool cannot take it, nothing is sent again."""
        return await self._patience.ask(
            lambda: self._spool.settle(settlement),
            f"{settlement.delivery.message.id}: what came of it cannot be written",
        )

    # What an admin reads.

    def _tell(self, delivery: Delivery, attempt: Attempt, judgement: Judgement) -> None:
        for outcome in attempt.outcomes:
            failed = outcome in judgement.failed
            self.log.info(
                "{id}: <{recipient}> {verdict} by account {account}: {reply}{session}{next}",
                id=delivery.message.id,
                recipient=outcome.recipient.address,
                verdict=(Verdict.FAILED if failed else outcome.verdict).value,
                account=delivery.account,
                reply=str(outcome.reply),
                session=f" ({attempt.session})" if attempt.session else "",
                next=_what_next(delivery, outcome, judgement, self._clock.seconds()),
            )


def _uncertain(attempt: Attempt) -> bool:
    return any(outcome.verdict is Verdict.UNCERTAIN for outcome in attempt.outcomes)


class Routes:
    """The accounts of a message's recipients, put into words only when a log line is written."""

    def __init__(self, deliveries: tuple[Delivery, ...]) -> None:
        self.deliveries = deliveries

    def __str__(self) -> str:
        return ", ".join(
            f"<{recipient.address}> by {delivery.account} ({recipient.reason})"
            for delivery in self.deliveries
            for recipient in delivery.recipients
        )


def _what_next(delivery: Delivery, outcome: Outcome, judgement: Judgement, now: float) -> str:
    remaining = judgement.remaining
    if outcome.verdict is Verdict.DELIVERED or outcome in judgement.failed or remaining is None:
        return ""
    if remaining.account != delivery.account:
        return f"; goes to account {remaining.account}"
    return f"; again in {remaining.due - now:.0f} s"
