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
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from ..account import Account
from ..attempt import Attempt, Outcome, Verdict
from ..configuration import Configuration
from ..envelope import Envelope
from ..errors import SpoolError
from ..interfaces import IAccountRegistry, IContent, IDraft, IIntake, IRelay, ISpool
from ..message import Delivery, Message, Parcel, Submission
from ..ndr import Action, Facts
from ..settle import Judgement, Settlement, judge, retry_until
from .agenda import Agenda
from .held import HeldContent
from .lane import Lane
from .pace import Pace
from .reports import REPORTS_ACCOUNT, ReportDesk, reports_account

#: Seconds that a mail which is on its way may take when the relay stops.
GRACE = 10.0
#: Seconds after which a settlement is tried again that the spool did not take.
SETTLE_AGAIN = 10.0
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
        self._pauses: set[Deferred[None]] = set()
        self._ready = False
        self._stopping = False

    # Start and stop.

    def startService(self) -> None:
        """Pick up everything that waits in the spool, which is open."""
        super().startService()
        self._go_on_with(self._pick_up())

    async def _pick_up(self) -> None:
        if self._spool.clean:
            self._mail_ends = await self._spool.mail_ends()
        else:
            # After a crash the end of the last mails may be missing; it was not later than now.
            now = self._clock.seconds()
            self._mail_ends = {account.name: now for account in self._registry}
        # What is committed before this is found in the spool, what comes after it is announced.
        self._ready = True
        for name, count in (await self._spool.lanes()).items():
            self.log.info("{count} deliveries wait for account {name}", count=count, name=name)
            account = self._account(name)
            if account is None or not account.enabled:
                await self._move_all(name)
            else:
                self._lane(account).go()

    def stopService(self) -> Deferred[Any]:
        """Let the mails that are on their way finish, and their outcomes become durable."""
        super().stopService()
        self._stopping = True
        for pause in tuple(self._pauses):
            pause.cancel()
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
        while True:
            waiting = await self._spool.waiting(name, stuck + MOVED_AT_ONCE)
            for delivery in waiting[stuck:]:
                sender = delivery.message.envelope.reverse_path
                find = self._registry.route if sender else self._registry.route_null
                route = find(sender, delivery.recipients[0].address)
                if route is None:
                    stuck += 1
                    continue
                moved = attrs.evolve(delivery, account=route.account, tried=())
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
        fallback = None
        if attempt.fault:
            fallback = self._registry.fallback(
                delivery.account,
                delivery.tried,
                message.envelope.reverse_path,
                [recipient.address for recipient in delivery.recipients],
            )
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
        while True:
            try:
                return await self._spool.settle(settlement)
            except SpoolError:
                self.log.failure(
                    "{id}: what came of it cannot be written", id=settlement.delivery.message.id
                )
                if self._stopping:
                    raise
            pause: Deferred[None] = deferLater(self._clock, SETTLE_AGAIN)
            self._pauses.add(pause)
            try:
                await pause
            finally:
                self._pauses.discard(pause)

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
