"""From events to records: what the history keeps of each, as JSON.

A batch of events becomes, for each message, the records of a new piece of its story; `telling` has
the way back.  Runs in the thread of the history: here is no attribute of a service.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from ..events import (
    AttemptEnded,
    DeliveryDeleted,
    DeliveryHeld,
    DeliveryMoved,
    DeliveryReleased,
    MailAccepted,
    ReportQueued,
)
from ..mail.message import Delivery, Recipient
from .marks import Mark, account_mark, marks
from .story import Kind

#: One thing that happened, as JSON has it; the first item is a word of `Kind`, or `QUEUED`.
Record = list[Any]
#: In place of ``accepted``: the history knows of the message only from the queue.
QUEUED = "queued"


Undated = DeliveryMoved | DeliveryHeld | DeliveryReleased | DeliveryDeleted


@attrs.frozen
class Dated:
    """An event that does not say when it happened.

    :param at: seconds since the epoch, by the clock of the spool.
    """

    at: float
    event: Undated


Fact = MailAccepted | AttemptEnded | ReportQueued | Dated


@attrs.define(eq=False)
class News:
    """What is new of one message.

    :param delivery: of it, as an event has it.
    :param arrived: microseconds since the epoch.
    :param accepted: its arrival is among the records.
    :param marks: new ones by which it is found.
    """

    delivery: Delivery
    arrived: int
    accepted: bool = False
    records: list[Record] = attrs.field(factory=list)
    marks: list[Mark] = attrs.field(factory=list)


@attrs.define(eq=False)
class Batch:
    """Facts that are written together.

    :param set_by: seconds by which the clock on the wall differs from that of the spool.
    :param subjects: those of mails are kept.
    :ivar news: by number of the message.
    """

    _set_by: float
    _subjects: bool
    news: dict[int, News] = attrs.field(factory=dict, init=False)

    def add(self, facts: Iterable[Fact]) -> None:
        """Take note of facts, in any order."""
        for fact in facts:
            match fact:
                case MailAccepted(deliveries):
                    self._accepted(deliveries)
                case AttemptEnded():
                    self._attempt_ended(fact)
                case ReportQueued(about, report):
                    self._report_queued(about, report)
                case Dated(at, event):
                    self._dated(at, event)

    def begin(self, news: News, word: str, deliveries: Iterable[Delivery]) -> None:
        """Let a story begin with what is known of a message by its deliveries."""
        message = news.delivery.message
        envelope = message.envelope
        everyone = envelope.recipients
        accounts: set[str] = set()
        groups: dict[tuple[str, str], list[str]] = {}
        for delivery in deliveries:
            account = delivery.account
            accounts.add(account)
            for recipient in delivery.recipients:
                groups.setdefault((account, recipient.reason), []).append(recipient.address)
        record = [
            word,
            message.arrived + self._set_by,
            message.size - message.dots,
            envelope.reverse_path,
            everyone,
            envelope.message_id,
            envelope.subject if self._subjects else "",
            envelope.client,
            # Nobody asks for that of other mail.
            *([] if envelope.reverse_path else [envelope.author]),
            [(*group, _who(addresses, everyone)) for group, addresses in groups.items()],
        ]
        news.records.insert(0, record)
        news.marks += marks(envelope, accounts)

    def _news(self, delivery: Delivery) -> News:
        message = delivery.message
        news = self.news.get(message.number)
        if news is None:
            arrived = int((message.arrived + self._set_by) * 1_000_000)
            news = self.news[message.number] = News(delivery, arrived)
        return news

    def _accepted(self, deliveries: tuple[Delivery, ...]) -> None:
        news = self._news(deliveries[0])
        news.accepted = True
        self.begin(news, Kind.ACCEPTED, deliveries)

    def _attempt_ended(self, event: AttemptEnded) -> None:
        delivery, remaining = event.delivery, event.judgement.remaining
        everyone = delivery.message.envelope.recipients
        fault = event.attempt.fault
        news = self._news(delivery)
        moved = ""
        if remaining is not None and remaining.account != delivery.account:
            moved = remaining.account
            news.marks.append(account_mark(moved))
        news.records.append(
            [
                Kind.ATTEMPT,
                event.at + self._set_by,
                delivery.account,
                event.attempt.session,
                "" if fault is None else str(fault),
                [
                    (each.verdict, each.reply, each.waits, _who(each.recipients, everyone))
                    for each in event.results
                ],
                None if remaining is None else remaining.due + self._set_by,
                moved,
                remaining.last_reply if remaining is not None and moved else "",
                *filter(None, (event.attempt.policy,)),  # accounts with a server have none
            ]
        )

    def _report_queued(self, about: Delivery, report: Delivery) -> None:
        # The report is a mail of its own, of which nothing else tells that it is there.
        self._accepted((report,))
        message = report.message
        self._put(about, Kind.REPORTED, message.arrived, message.id, ())

    def _dated(self, at: float, event: Undated) -> None:
        recipients = event.delivery.recipients
        match event:
            case DeliveryMoved(delivery, account, reason):
                why = reason or f"account {delivery.account} rests"
                news = self._put(delivery, Kind.MOVED, at, (account, why), recipients)
                news.marks.append(account_mark(account))
            case DeliveryDeleted(delivery, notified):
                self._put(delivery, Kind.DELETED, at, notified, recipients)
            case DeliveryHeld(delivery):
                self._put(delivery, Kind.HELD, at, None, recipients)
            case DeliveryReleased(delivery):
                self._put(delivery, Kind.RELEASED, at, None, recipients)

    def _put(
        self, delivery: Delivery, kind: Kind, at: float, more: object, whom: Iterable[Recipient]
    ) -> News:
        news = self._news(delivery)
        who = _who([each.address for each in whom], delivery.message.envelope.recipients)
        news.records.append([kind, at + self._set_by, delivery.account, who, more])
        return news


def _who(addresses: list[str], everyone: tuple[str, ...]) -> list[str] | None:
    """Return addresses as they are kept; ``None``: all of the mail, as nearly always."""
    return None if tuple(addresses) == everyone else addresses
