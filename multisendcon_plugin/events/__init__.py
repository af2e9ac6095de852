"""What the rooms tell of mails and accounts: one value for each fact, and who is told of it.

A room publishes a fact once, where it knows it.  What is made of it, a line of the log
(`daemon.log_lines`) or a picture for people, is for those to say who subscribe.  Times are seconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import attrs
from twisted.logger import Logger

from ..mail.message import Delivery, Message
from ..outcome.attempt import Attempt, Outcome, Verdict
from ..outcome.failure import Action
from ..outcome.judgement import Judgement
from .accounts import (
    AccountFaulted,
    AccountPaused,
    AccountRecovered,
    AccountResumed,
    ConnectionsLimited,
    QuotaUsedUp,
)
from .clients import (
    ClientEvent,
    ClientRefused,
    CommandRefused,
    EventsLeftOut,
    LimitReached,
    LoginAccepted,
    LoginRefused,
    MailNotStored,
    ProxyRefused,
    SessionEnded,
)
from .program import (
    AdminActed,
    AdminRefused,
    AdminSignedIn,
    AlarmTold,
    ArchiveFailed,
    ArchiveRecovered,
    ConfigurationChanged,
    FrontProcessEnded,
    FrontProcessStarted,
    HistoryInterrupted,
    HistoryResumed,
    SpoolBroken,
    SpoolFull,
    SpoolHasRoom,
    TokenNotStored,
    TokenRefreshed,
    TokenRefused,
    TokenStored,
)
from .tls import TlsPolicyApplied

__all__ = [
    "AccountFaulted",
    "AccountPaused",
    "AccountRecovered",
    "AccountResumed",
    "AdminActed",
    "AdminRefused",
    "AdminSignedIn",
    "AlarmTold",
    "ArchiveFailed",
    "ArchiveRecovered",
    "AttemptEnded",
    "ClientEvent",
    "ClientRefused",
    "CommandRefused",
    "ConfigurationChanged",
    "ConnectionsLimited",
    "DeliveryDeleted",
    "DeliveryHeld",
    "DeliveryMoved",
    "DeliveryReleased",
    "Event",
    "EventsLeftOut",
    "FailureUntold",
    "FrontProcessEnded",
    "FrontProcessStarted",
    "HistoryInterrupted",
    "HistoryResumed",
    "LimitReached",
    "LoginAccepted",
    "LoginRefused",
    "MailAccepted",
    "MailNotStored",
    "ProxyRefused",
    "Publisher",
    "QuotaUsedUp",
    "ReportQueued",
    "ReportUnroutable",
    "ReportWithheld",
    "Result",
    "SessionEnded",
    "SpoolBroken",
    "SpoolFull",
    "SpoolHasRoom",
    "TlsPolicyApplied",
    "TokenNotStored",
    "TokenRefreshed",
    "TokenRefused",
    "TokenStored",
]

# Mails.


@attrs.frozen
class MailAccepted:
    """A message is ours, and durable.

    :param deliveries: of one message; with its recipients, their accounts, and why these.
    """

    deliveries: tuple[Delivery, ...]


@attrs.frozen
class Result:
    """What an attempt came to for some recipients.

    :param reply: as text.
    :param waits: it goes on for them.
    :param split: they were too many for this transaction, and are left to another one.
    """

    verdict: Verdict
    reply: str
    waits: bool
    split: bool
    recipients: list[str]


@attrs.frozen
class AttemptEnded:
    """A delivery was tried.

    :param delivery: as it was before.
    :param judgement: what follows; the spool has it soon, if it can.
    :ivar results: what became of the recipients; those of whom the same is to be said are one.
    """

    delivery: Delivery
    attempt: Attempt
    judgement: Judgement
    at: float
    # Once for all who are told: the log, the history, and who follows what happens.
    results: list[Result] = attrs.field(init=False, eq=False, repr=False)

    @results.default
    def _results(self) -> list[Result]:
        failed = frozenset(self.judgement.failed)
        found: dict[tuple[Verdict, str, bool, bool], Result] = {}
        for outcome in self.attempt.outcomes:
            verdict, waits = outcome.verdict, False
            if verdict is not Verdict.DELIVERED:
                waits = outcome not in failed
                if not waits:
                    verdict = Verdict.FAILED
                elif outcome.action is Action.MOVE:
                    verdict = Verdict.DEFERRED
            same = verdict, str(outcome.reply), waits, waits and outcome.action is Action.SPLIT
            result = found.get(same)
            if result is None:
                result = found[same] = Result(*same, [])
            result.recipients.append(outcome.recipient.address)
        return list(found.values())


@attrs.frozen
class DeliveryMoved:
    """A delivery goes to another account.

    :param delivery: as it was before.
    :param account: where it goes.
    :param reason: why, if somebody wants it; ``""``: its own account rests.
    """

    delivery: Delivery
    account: str
    reason: str = ""


@attrs.frozen
class DeliveryHeld:
    """A delivery waits until somebody releases it, since somebody wants that."""

    delivery: Delivery


@attrs.frozen
class DeliveryReleased:
    """A delivery that was held waits in its lane again."""

    delivery: Delivery


@attrs.frozen
class DeliveryDeleted:
    """A delivery is gone, since somebody wants that.

    :param notified: its sender gets a report.
    """

    delivery: Delivery
    notified: bool


@attrs.frozen
class ReportQueued:
    """A report on a message waits to be delivered.

    :param about: a delivery of that message.
    :param report: the delivery of the report.
    """

    about: Delivery
    report: Delivery


@attrs.frozen
class FailureUntold:
    """A mail has failed for some recipients, and there is nobody to be told."""

    message: Message
    outcomes: tuple[Outcome, ...]


@attrs.frozen
class ReportWithheld:
    """Who would get a report has had as many in the last hour as ``max_per_hour`` allows."""

    message: Message
    recipient: str
    per_hour: int


@attrs.frozen
class ReportUnroutable:
    """No account takes a report.

    :param about: the id of the message that it reports on, or what else it is about.
    """

    about: str
    sender: str
    recipient: str


Event = (
    MailAccepted
    | AttemptEnded
    | DeliveryMoved
    | DeliveryHeld
    | DeliveryReleased
    | DeliveryDeleted
    | ReportQueued
    | FailureUntold
    | ReportWithheld
    | ReportUnroutable
    | AccountFaulted
    | AccountRecovered
    | AccountPaused
    | AccountResumed
    | ConnectionsLimited
    | QuotaUsedUp
    | TlsPolicyApplied
    | SpoolBroken
    | SpoolFull
    | SpoolHasRoom
    | ArchiveFailed
    | ArchiveRecovered
    | HistoryInterrupted
    | HistoryResumed
    | ConfigurationChanged
    | AdminActed
    | AdminRefused
    | AdminSignedIn
    | FrontProcessEnded
    | FrontProcessStarted
    | AlarmTold
    | TokenRefreshed
    | TokenRefused
    | TokenNotStored
    | TokenStored
    | ClientEvent
)

E = TypeVar("E", bound=Event)


class Publisher:
    """Tells each event to those who have subscribed to its class, at once and in their order.

    One that fails harms neither the others nor the room that publishes, which does not wait for
    them either: whoever has much to do with an event does it later.
    """

    log = Logger()

    def __init__(self) -> None:
        self._subscribers: dict[type, tuple[Callable[[Any], object], ...]] = {}
        self._failed: list[Callable[[Any], object]] = []

    def subscribe(self, kind: type[E], subscriber: Callable[[E], object]) -> Callable[[], None]:
        """Have each event of a class told.

        :return: ends that.
        """
        self._subscribers[kind] = (*self._subscribers.get(kind, ()), subscriber)
        return partial(self._unsubscribe, kind, subscriber)

    def _unsubscribe(self, kind: type, subscriber: Callable[[Any], object]) -> None:
        self._subscribers[kind] = tuple(
            each for each in self._subscribers[kind] if each is not subscriber
        )

    def publish(self, event: Event) -> None:
        """Tell an event."""
        for subscriber in self._subscribers.get(type(event), ()):
            try:
                subscriber(event)
            except Exception:
                self._tell_of_failure(subscriber, event)

    def _tell_of_failure(self, subscriber: Callable[[Any], object], event: Event) -> None:
        # Once for each: what fails may do so with every mail.
        if subscriber not in self._failed:
            self._failed.append(subscriber)
            self.log.failure(
                "internal error of a subscriber to {event} (a bug); traceback follows",
                event=type(event).__name__,
            )
