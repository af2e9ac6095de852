"""What an admin reads: one event for each fact, with its fields.

The texts are put together only when somebody writes them down.
"""

from __future__ import annotations

from twisted.logger import Logger

from ..attempt import Attempt, Outcome, Verdict
from ..message import Delivery
from ..settle import Judgement

_log = Logger()


def accepted(deliveries: tuple[Delivery, ...]) -> None:
    """A message is ours."""
    message = deliveries[0].message
    _log.info(
        "{id}: accepted from <{sender}>, {size} bytes, for {routes}",
        id=message.id,
        sender=message.envelope.reverse_path,
        size=message.size,
        routes=Routes(deliveries),
    )


def reported(about: Delivery, report: Delivery) -> None:
    """A report on a message waits to be delivered."""
    _log.info(
        "{id}: report on {about}, for {routes}",
        id=report.message.id,
        about=about.message.id,
        routes=Routes((report,)),
    )


def moved(delivery: Delivery, account: str) -> None:
    """A delivery goes to another account, since its own one rests."""
    _log.info(
        "{id}: goes to account {account}, since {rests} rests",
        id=delivery.message.id,
        account=account,
        rests=delivery.account,
    )


def ended(delivery: Delivery, attempt: Attempt, judgement: Judgement, now: float) -> None:
    """An attempt has ended."""
    for outcome in attempt.outcomes:
        failed = outcome in judgement.failed
        _log.info(
            "{id}: <{recipient}> {verdict} by account {account}: {reply}{session}{next}",
            id=delivery.message.id,
            recipient=outcome.recipient.address,
            verdict=(Verdict.FAILED if failed else outcome.verdict).value,
            account=delivery.account,
            reply=str(outcome.reply),
            session=f" ({attempt.session})" if attempt.session else "",
            next=_what_next(delivery, outcome, judgement, now),
        )


class Routes:
    """The accounts of a message's recipients, and why these."""

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
