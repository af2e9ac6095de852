"""Events as other programs see them: the names are those of the JSON, and of stories.

What happens to mails is told as in the history; what happens to an account, by its state; all else
under the name of its class, with the fields of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

import attrs

from .. import events
from ..mail.message import Delivery, Recipient
from ..outcome.condition import Condition, State
from ..times import Time
from .json_form import iso, to_json


@attrs.frozen(kw_only=True)
class MailEvent:
    """Something that has happened to a mail.

    :param event: ``accepted``, ``attempt``, ``delivered``, ``deferred``, ``failed``,
        ``uncertain``, ``moved``, ``held``, ``released``, ``deleted`` or ``reported``.
    :param id: of the message.
    :param account: the one that it happened with.
    :param recipients: whom it concerns.
    :param reply: of the server, or ours about a connection; ``""``: there was none.
    :param session: over which it was tried, in words.
    :param reason: why this account took them, or why they were moved.
    :param to_account: where they were moved.
    :param due: not tried again before; ``None``: that is not known, or never.
    :param report: the id of the report.
    :param notified: the sender of a deleted mail gets a report.
    """

    event: str
    time: Time
    id: str
    sender: str
    account: str
    recipients: tuple[str, ...]
    reply: str = ""
    session: str = ""
    reason: str = ""
    to_account: str = ""
    due: Time | None = None
    report: str = ""
    notified: bool = False


@attrs.frozen(kw_only=True)
class AccountEvent:
    """An account is in another state, or knows more about it; see `Condition`."""

    event: str
    time: Time
    account: str
    state: State
    fault: str
    since: Time | None
    until: Time | None


@attrs.frozen
class Public:
    """Makes public what happens.

    :param now: by the clock on the wall.
    :param set_by: seconds by which that differs from the clock of the spool.
    :param conditions: returns how the accounts are.
    """

    _now: Time
    _set_by: float
    _conditions: Callable[[], list[Condition]]

    def told(self, event: events.Event) -> Iterator[dict[str, Any]]:
        """Yield what there is to say of an event, as objects of JSON."""
        match event:
            case events.MailAccepted(deliveries):
                for delivery in deliveries:
                    for reason, group in groupby(delivery.recipients, _reason):
                        yield self._mail("accepted", delivery, group, reason=reason)
            case events.AttemptEnded():
                yield from self._attempt(event)
            case events.ReportQueued(about, report):
                yield self._mail("reported", about, (), report=report.message.id)
            case (
                events.DeliveryMoved()
                | events.DeliveryHeld()
                | events.DeliveryReleased()
                | events.DeliveryDeleted()
            ):
                yield self._delivery(event)
            case (
                events.AccountFaulted(account)
                | events.AccountRecovered(account)
                | events.AccountPaused(account)
                | events.AccountResumed(account)
            ):
                yield from self._account(account)
            case events.FailureUntold() | events.ReportWithheld():
                pass  # of the mail, it has been told that it failed
            case _:
                yield {"event": _snake(type(event).__name__), **_dated(self._now), **to_json(event)}

    def _delivery(
        self,
        event: events.DeliveryMoved
        | events.DeliveryHeld
        | events.DeliveryReleased
        | events.DeliveryDeleted,
    ) -> dict[str, Any]:
        delivery = event.delivery
        whom = delivery.recipients
        match event:
            case events.DeliveryMoved(_, account, reason):
                why = reason or f"account {delivery.account} rests"
                return self._mail("moved", delivery, whom, to_account=account, reason=why)
            case events.DeliveryHeld():
                return self._mail("held", delivery, whom)
            case events.DeliveryReleased():
                return self._mail("released", delivery, whom)
            case events.DeliveryDeleted(_, notified):
                return self._mail("deleted", delivery, whom, notified=notified)

    def _attempt(self, event: events.AttemptEnded) -> Iterator[dict[str, Any]]:
        delivery, remaining = event.delivery, event.judgement.remaining
        due = None if remaining is None else Time(remaining.due + self._set_by)
        session, fault = event.attempt.session, event.attempt.fault
        results = event.results()
        said = str(fault or results[0].reply) if fault or results else ""
        whom = delivery.recipients
        yield self._mail("attempt", delivery, whom, reply=said, session=session, due=due)
        waiting: list[str] = []
        for result in results:
            if result.waits:
                waiting += result.recipients
            yield self._mail(
                result.verdict.value,
                delivery,
                result.recipients,
                reply=str(result.reply),
                session=session,
                due=due if result.waits else None,
            )
        if remaining is not None and remaining.account != delivery.account:
            to, why = remaining.account, remaining.last_reply
            yield self._mail("moved", delivery, waiting, to_account=to, reason=why)

    def _mail(
        self, event: str, delivery: Delivery, whom: Iterable[Recipient | str], **more: Any
    ) -> dict[str, Any]:
        plain: dict[str, Any] = to_json(
            MailEvent(
                event=event,
                time=self._now,
                id=delivery.message.id,
                sender=delivery.message.envelope.reverse_path,
                account=delivery.account,
                recipients=tuple(
                    [each if isinstance(each, str) else each.address for each in whom]
                ),
                **more,
            )
        )
        return plain

    def _account(self, name: str) -> Iterator[dict[str, Any]]:
        for condition in self._conditions():
            if condition.account == name:
                since, until = condition.since, condition.until
                yield to_json(
                    AccountEvent(
                        event="account",
                        time=self._now,
                        account=name,
                        state=condition.state,
                        fault=condition.fault,
                        since=None if since is None else Time(since),
                        until=None if until is None else Time(until),
                    )
                )


def _reason(recipient: Recipient) -> str:
    return recipient.reason


def _dated(now: Time) -> dict[str, Any]:
    return {"time": now, "time_at": iso(now)}


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
