"""From a judgement to the reports that it calls for: read the original, build, route.

Builds nothing itself (`ndr` does) and sends nothing: a report is one more message in the spool.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..errors import SpoolError
from ..events import FailureUntold, Publisher, ReportUnroutable, ReportWithheld
from ..interfaces import IStore
from ..mail.address import destination_of
from ..mail.message import Delivery, Message, NewMessage, Parcel, Recipient
from ..ndr import Facts, Report, ReportAction, addressees, report, returned_size, summary, wanted
from ..outcome.attempt import Outcome, Verdict
from ..outcome.judgement import Judgement, retry_until
from ..routing.account import REPORTS_ACCOUNT
from .allowance import HOUR, Allowance
from .orphans import account_in_use
from .policy import InForce

#: Puts a new message into the spool.
HandIn = Callable[[NewMessage], Deferred[None]]

_log = Logger()


async def _read_start(spool: IStore, message: Message, size: int) -> bytes:
    """Return so many octets of a stored message, or as many of them as can be read."""
    content = spool.content(message)
    start = b""
    try:
        while len(start) < size:
            piece = content.read()
            octets = await piece if isinstance(piece, Deferred) else piece
            if not octets:
                break
            start += octets
    except SpoolError:
        _log.failure("{id}: content not read from the spool", id=message.id)
    finally:
        content.close()
    return start[:size]


@attrs.define(eq=False, repr=False, slots=False)
class ReportWriter:
    """Makes the reports of one relay.

    :param events: is told of reports that nobody gets.
    :param clock: is never set, see `clock`.
    :param wall: tells the time that people read.
    :param hand_in: for what reports on no delivery.
    """

    log = Logger()

    _in_force: InForce
    _spool: IStore
    _events: Publisher
    _clock: IReactorTime
    _wall: Callable[[], float]
    _hand_in: HandIn

    def __attrs_post_init__(self) -> None:
        self._allowance = Allowance()
        self._sum_up_later: IDelayedCall | None = None

    async def write(
        self, delivery: Delivery, judgement: Judgement, started: float
    ) -> tuple[NewMessage, ...]:
        """Return the reports that a judgement calls for, ready for the spool.

        :param started: when the relay was started.
        """
        remaining = judgement.remaining or delivery
        calls = (
            (ReportAction.FAILED, delivery, judgement.told.failed),
            (ReportAction.DELAYED, remaining, judgement.delayed),
            (ReportAction.RELAYED, delivery, judgement.told.delivered),
        )
        reports: tuple[NewMessage, ...] = ()
        for action, about, outcomes in calls:
            if outcomes := wanted(action, outcomes):
                reports += await self._write(action, about, outcomes, started, judgement.server)
        return reports

    async def _write(
        self,
        action: ReportAction,
        delivery: Delivery,
        outcomes: tuple[Outcome, ...],
        started: float,
        server: str,
    ) -> tuple[NewMessage, ...]:
        now = self._clock.seconds()
        policy = self._in_force.policy
        account = account_in_use(policy.registry, delivery.account)
        facts = Facts(
            action=action,
            message=delivery.message,
            outcomes=outcomes,
            hostname=policy.hostname,
            server=server or (account.server if account else "") or delivery.destination,
            now=now,
            retry_until=retry_until(delivery, now=now, started=started, settings=policy.delivery),
        )
        # The clock on the wall may have been set since the relay was started.
        facts = facts.later_by(self._wall() - now)
        # Behind an account at fault they would wait, with what they are about.
        works = all(outcome.verdict is Verdict.FAILED for outcome in outcomes)
        return await self._build(facts, avoid=None if works else delivery.account)

    async def _build(self, facts: Facts, *, avoid: str | None) -> tuple[NewMessage, ...]:
        message, settings = facts.message, self._in_force.policy.ndr
        recipients = addressees(facts, settings)
        if not recipients:
            if facts.action is ReportAction.FAILED:
                self._events.publish(FailureUntold(message, facts.outcomes))
            return ()
        recipients = tuple(each for each in recipients if self._may_get_one(each, message))
        if not recipients:
            return ()
        size = returned_size(facts)
        original = await _read_start(self._spool, message, max(size, message.header_size))
        made = (
            report(facts, original, settings=settings, recipient=recipient)
            for recipient in recipients
        )
        submissions = (self._submission(each, message.id, avoid) for each in made)
        return tuple(each for each in submissions if each)

    def _may_get_one(self, recipient: str, message: Message) -> bool:
        per_hour = self._in_force.policy.ndr.max_per_hour
        if self._allowance.take(recipient, per_hour, self._clock.seconds()):
            return True
        self._events.publish(ReportWithheld(message, recipient, per_hour))
        if self._sum_up_later is None:
            self._sum_up_later = self._clock.callLater(HOUR, self._sum_up)
        return False

    def stop(self) -> Deferred[None]:
        """Tell the postmaster now what they would be told within the hour.

        :return: fires when that is in the spool.
        """
        if self._sum_up_later is None:
            return succeed(None)
        self._sum_up_later.cancel()
        return self._sum_up()

    def _sum_up(self) -> Deferred[None]:
        self._sum_up_later = None
        left_out = self._allowance.sum_up()
        self.log.warn(
            "{count} reports were not sent since the last of these lines: see ndr.max_per_hour",
            count=left_out.total(),
        )
        policy = self._in_force.policy
        if not policy.ndr.postmaster:
            return succeed(None)
        made = summary(left_out, settings=policy.ndr, hostname=policy.hostname, now=self._wall())
        submission = self._submission(made, "the sum of reports that were not sent", None)
        if submission is None:
            return succeed(None)
        handed_in = self._hand_in(submission)
        return handed_in.addErrback(
            lambda failure: self.log.failure("the postmaster is not told of it", failure)
        )

    def _submission(self, made: Report, about: str, avoid: str | None) -> NewMessage | None:
        address = made.envelope.recipients[0]
        registry, settings = self._in_force.policy.registry, self._in_force.policy.ndr
        destination = ""
        if registry.account(REPORTS_ACCOUNT):
            account, reason = REPORTS_ACCOUNT, "a report"
        elif route := registry.route_null(settings.sender, address, avoid):
            account, reason = route.account, route.reason
            if route.direct:
                destination = destination_of(address)
        else:
            self._events.publish(ReportUnroutable(about, settings.sender, address))
            return None
        recipient = Recipient(address=address, reason=reason)
        return NewMessage(
            envelope=made.envelope,
            content=made.content,
            header_size=made.header_size,
            parcels=(Parcel(account=account, recipients=(recipient,), destination=destination),),
        )
