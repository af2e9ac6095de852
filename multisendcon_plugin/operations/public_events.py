"""Events as other programs see them: the names are those of the JSON, and of stories.

What happens to mails is told as in the history; what happens to an account, by its state; all else
under the name of its class, with the fields of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from .. import events
from ..history import StoryEvent
from ..history.records import Batch, Dated, Fact
from ..history.telling import events_of
from ..outcome.condition import Condition, State
from ..times import Time, iso
from .json_form import to_json
from .values import FLAT


@attrs.frozen(kw_only=True)
class MailEvent:
    """Something that has happened to a mail; in JSON, the fields of `happened` are its own.

    :param id: of the message.
    :param sender: reverse-path; ``""`` is the null one.
    """

    id: str
    sender: str
    message_id: str
    happened: StoryEvent = attrs.field(metadata=FLAT)


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
            case events.MailAccepted() | events.AttemptEnded() | events.ReportQueued():
                yield from self._mail(event)
            case (
                events.DeliveryMoved()
                | events.DeliveryHeld()
                | events.DeliveryReleased()
                | events.DeliveryDeleted()
            ):
                yield from self._mail(Dated(self._now - self._set_by, event))
            case (
                events.AccountFaulted(account)
                | events.AccountRecovered(account)
                | events.AccountPaused(account)
                | events.AccountResumed(account)
            ):
                yield from self._account(account)
            case events.FailureUntold() | events.ReportWithheld():
                pass  # of the mail, it has been told that it failed
            case events.AlarmTold():
                yield self._other("alarm", event)
            case _:
                yield self._other(_snake(type(event).__name__), event)

    def _other(self, name: str, event: events.Event) -> dict[str, Any]:
        dated = {"time": self._now, "time_at": iso(self._now)}
        return {"event": name, **dated, **to_json(event)}

    def _mail(self, fact: Fact) -> Iterator[dict[str, Any]]:
        batch = Batch(self._set_by, subjects=False)
        batch.add([fact])
        for news in batch.news.values():
            message = news.delivery.message
            envelope = message.envelope
            for record in news.records:
                for happened in events_of(record, envelope.recipients):
                    yield to_json(
                        MailEvent(
                            id=message.id,
                            sender=envelope.reverse_path,
                            message_id=envelope.message_id,
                            happened=happened,
                        )
                    )

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


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
