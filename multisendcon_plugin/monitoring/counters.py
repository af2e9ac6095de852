"""Counts what happens to mails: by account what came of them, by reason what was refused.

Who publishes an event only has it put into a list; it is counted later, many at a time, so that a
mail waits for no figure.  Nothing here is ever set back, and nothing that a stranger says becomes
the name of a figure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..events import (
    AttemptEnded,
    CommandRefused,
    ConfigurationChanged,
    EventsLeftOut,
    MailAccepted,
    MailNotStored,
    Publisher,
)
from ..operations.values import AccountCounts
from ..outcome.attempt import Verdict
from ..outcome.failure import Action
from ..settings.quantities import MINUTE
from ..times import Time

#: Seconds after which events are counted at the latest; until then, they take memory.
COUNTED_EVERY = 1.0
#: Seconds of which the rate of an account is told.
RATE_OVER = 300.0
#: Minutes of which is told how many mails an account has sent in each.
MINUTES = 60
#: Seconds from the arrival of a mail to its delivery: upper ends of the buckets.
SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)

#: Why a mail or a recipient was refused, by code and enhanced code of our reply (`edge.replies`).
#: What is missing here is about no mail.
_REASONS = {
    "550 5.7.1": "not_permitted",
    "554 5.7.1": "not_permitted",
    "530 5.7.0": "no_login",
    "451 4.7.1": "rate",
    "501 5.1.3": "address",
    "501 5.1.7": "address",
    "553 5.6.7": "address",
    "552 5.3.4": "size",
    "550 5.6.11": "content",
    "554 5.4.6": "loop",
    "452 4.3.1": "no_room",
    "451 4.3.0": "spool",
}
REASONS = tuple(dict.fromkeys(_REASONS.values()))


@attrs.frozen
class Tally:
    """What came of the mail of an account since the start, by outcome.

    :param recipients: who had it at an attempt; one who is deferred counts at each.
    :param attempts: tries of deliveries: delivered to somebody, else uncertain, deferred or failed.
    """

    recipients: Mapping[str, int]
    attempts: Mapping[str, int]


@attrs.frozen
class Histogram:
    """How many values there were up to each of some bounds.

    :param bounds: upper ends of the buckets, which a value may have; one more has no end.
    :param counts: values in each bucket; those of the ones before are not in it.
    :param sum: of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


OUTCOMES = (Verdict.DELIVERED, Verdict.UNCERTAIN, Verdict.DEFERRED, Verdict.FAILED)


class _Account:
    """The counts of one account."""

    def __init__(self) -> None:
        self.recipients: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self.attempts: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self.last_success: Time | None = None
        self.last_failure: Time | None = None
        #: When how many mails were sent, in the time of which the rate is told.
        self._sent: deque[tuple[float, int]] = deque()
        #: The minutes in which mails were sent, and how many.
        self._minutes: deque[tuple[int, int]] = deque(maxlen=MINUTES + 1)

    def count_others(self, event: AttemptEnded, ahead: float) -> None:
        """Count the recipients of an attempt who have not got the mail; and it, if nobody has."""
        judgement = event.judgement
        settled = frozenset(judgement.delivered + judgement.failed)
        failed, uncertain, deferred = len(judgement.failed), 0, 0
        for outcome in event.attempt.outcomes:
            if outcome in settled:
                continue
            if outcome.verdict is Verdict.UNCERTAIN:
                uncertain += 1
            elif outcome.action is not Action.SPLIT:  # of those, nothing was said
                deferred += 1
        self.recipients[Verdict.FAILED] += failed
        self.recipients[Verdict.UNCERTAIN] += uncertain
        self.recipients[Verdict.DEFERRED] += deferred
        if judgement.delivered:
            return
        self.last_failure = Time(event.at + ahead)
        worst = Verdict.FAILED if failed and not deferred else Verdict.DEFERRED
        self.attempts[Verdict.UNCERTAIN if uncertain else worst] += 1

    def sent(self, mails: int, now: float) -> None:
        """Note that mails were delivered."""
        self._sent.append((now, mails))
        self.sent_lately(now)
        minute, before = int(now // MINUTE), 0
        if self._minutes and self._minutes[-1][0] == minute:
            before = self._minutes.pop()[1]
        self._minutes.append((minute, before + mails))

    def by_minute(self, now: float) -> tuple[int, ...]:
        """Return how many mails were sent in each of the last whole minutes."""
        known = dict(self._minutes)
        this = int(now // MINUTE)
        return tuple(known.get(each, 0) for each in range(this - MINUTES, this))

    def sent_lately(self, now: float) -> int:
        """Return how many mails were delivered in the time of which the rate is told."""
        while self._sent and self._sent[0][0] <= now - RATE_OVER:
            self._sent.popleft()
        return sum(mails for _, mails in self._sent)


class Counters(Service):
    """What has been counted since the start of the relay.

    :param events: tells what is counted.
    :param clock: is never set; events have its times.
    :param wall: tells the time that people read, in seconds since the epoch.
    """

    def __init__(
        self, events: Publisher, *, clock: IReactorTime, wall: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._started = clock.seconds()
        self._accepted = 0
        self._refused = dict.fromkeys(REASONS, 0)
        self._accounts: dict[str, _Account] = {}
        self._waited = [0] * (len(SECONDS) + 1)
        self._waited_sum = 0.0
        self._timer: IDelayedCall | None = None
        # Their `append` is no function in Python: for a mail, there is none to be called.
        self._mails: list[MailAccepted] = []
        self._attempts: list[AttemptEnded] = []
        self._subscriptions = [
            events.subscribe(MailAccepted, self._mails.append),
            events.subscribe(AttemptEnded, self._attempts.append),
            events.subscribe(CommandRefused, self._command_refused),
            events.subscribe(MailNotStored, self._not_stored),
            events.subscribe(EventsLeftOut, self._left_out),
            events.subscribe(ConfigurationChanged, self._forget_removed),
        ]

    def startService(self) -> None:
        """Count from time to time."""
        super().startService()
        self._tick()

    def _tick(self) -> None:
        self._count()
        self._timer = self._clock.callLater(COUNTED_EVERY, self._tick)

    def stopService(self) -> None:
        """Count no more."""
        super().stopService()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for unsubscribe in self._subscriptions:
            unsubscribe()

    # What has been counted.

    @property
    def accepted(self) -> int:
        """Mails that became ours."""
        self._count()
        return self._accepted

    @property
    def refused(self) -> Mapping[str, int]:
        """Mails and recipients that were refused, by reason; each of `REASONS` is there."""
        return self._refused

    @property
    def delivery_seconds(self) -> Histogram:
        """How long recipients have waited for their mail."""
        self._count()
        return Histogram(SECONDS, tuple(self._waited), self._waited_sum)

    def tallies(self) -> dict[str, Tally]:
        """Return what came of the mail of each account that has had any, by name."""
        self._count()
        return {
            name: Tally(dict(each.recipients), dict(each.attempts))
            for name, each in self._accounts.items()
        }

    def counts(self, name: str) -> AccountCounts:
        """Return what is shown of an account."""
        self._count()
        account = self._accounts.get(name)
        if account is None:
            return AccountCounts()
        now = self._clock.seconds()
        minutes = min(max(now - self._started, MINUTE), RATE_OVER) / MINUTE
        return AccountCounts(
            delivered=account.recipients[Verdict.DELIVERED],
            deferred=account.recipients[Verdict.DEFERRED],
            failed=account.recipients[Verdict.FAILED],
            last_success=account.last_success,
            last_failure=account.last_failure,
            rate=account.sent_lately(now) / minutes,
        )

    def by_minute(self, name: str) -> tuple[int, ...]:
        """Return how many mails of an account left in each of the last 60 whole minutes."""
        self._count()
        account = self._accounts.get(name)
        return account.by_minute(self._clock.seconds()) if account else ()

    # Counting.

    def _count(self) -> None:
        self._accepted += len(self._mails)
        self._mails.clear()
        if not self._attempts:
            return
        now = self._clock.seconds()
        # A time of the clock's, told by the one on the wall.
        ahead = self._wall() - now
        fresh: dict[str, int] = {}
        for event in self._attempts:
            name = event.delivery.account
            account = self._accounts.get(name)
            if account is None:
                account = self._accounts[name] = _Account()
            delivered = len(event.judgement.delivered)
            if delivered:
                account.attempts[Verdict.DELIVERED] += 1
                account.recipients[Verdict.DELIVERED] += delivered
                account.last_success = Time(event.at + ahead)
                fresh[name] = fresh.get(name, 0) + 1
                waited = max(0.0, event.at - event.delivery.message.arrived)
                self._waited[bisect_left(SECONDS, waited)] += delivered
                self._waited_sum += delivered * waited
            if delivered < len(event.attempt.outcomes):
                account.count_others(event, ahead)
        self._attempts.clear()
        for name, mails in fresh.items():
            self._accounts[name].sent(mails, now)

    def _command_refused(self, event: CommandRefused) -> None:
        self._refuse(f"{event.reply.code} {event.reply.enhanced}")

    def _not_stored(self, event: MailNotStored) -> None:
        self._refuse(f"{event.reply.code} {event.reply.enhanced}")

    def _left_out(self, event: EventsLeftOut) -> None:
        if event.kind == CommandRefused.__name__:
            self._refuse(event.detail, event.count)

    def _refuse(self, code: str, count: int = 1) -> None:
        reason = _REASONS.get(code)
        if reason is not None:
            self._refused[reason] += count

    def _forget_removed(self, event: ConfigurationChanged) -> None:
        self._count()
        for name in event.removed:
            self._accounts.pop(name, None)
