"""What an admin reads: one event for each fact, with its fields.

The texts are put together here: filling fields into a format is what Twisted's log takes longest
for.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.logger import Logger

from ..attempt import Attempt, Outcome, Verdict
from ..message import Delivery
from ..settle import Judgement

_log = Logger()

#: Lines that are written without a pause: some milliseconds.
LINES_AT_ONCE = 100


def accepted(deliveries: tuple[Delivery, ...]) -> None:
    """A message is ours."""
    message = deliveries[0].message
    sender, routes = message.envelope.reverse_path, Routes(deliveries)
    _tell(
        f"{message.id}: accepted from <{sender}>, {message.size} bytes, for {routes}",
        id=message.id,
        sender=sender,
        size=message.size,
        routes=routes,
    )


def reported(about: Delivery, report: Delivery) -> None:
    """A report on a message waits to be delivered."""
    routes = Routes((report,))
    _tell(
        f"{report.message.id}: report on {about.message.id}, for {routes}",
        id=report.message.id,
        about=about.message.id,
        routes=routes,
    )


def moved(delivery: Delivery, account: str) -> None:
    """A delivery goes to another account, since its own one rests."""
    _tell(
        f"{delivery.message.id}: goes to account {account}, since {delivery.account} rests",
        id=delivery.message.id,
        account=account,
        rests=delivery.account,
    )


def ended(delivery: Delivery, attempt: Attempt, judgement: Judgement, now: float) -> Iterator[None]:
    """An attempt has ended.

    :return: yields now and then, so that others get their turn: a mail may have thousands of
        recipients, and each of them has its line.
    """
    message, account = delivery.message.id, delivery.account
    session = f" ({attempt.session})" if attempt.session else ""
    failed = frozenset(judgement.failed)
    for n, outcome in enumerate(attempt.outcomes, 1):
        final = outcome in failed
        recipient, reply = outcome.recipient.address, str(outcome.reply)
        verdict = (Verdict.FAILED if final else outcome.verdict).value
        following = "" if final else _what_next(delivery, outcome, judgement, now)
        _tell(
            f"{message}: <{recipient}> {verdict} by account {account}: {reply}{session}{following}",
            id=message,
            recipient=recipient,
            verdict=verdict,
            account=account,
            reply=reply,
            session=session,
            next=following,
        )
        if n % LINES_AT_ONCE == 0:
            yield


def _tell(text: str, **fields: object) -> None:
    _log.info("{text}", text=text, **fields)


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
    if outcome.verdict is Verdict.DELIVERED or remaining is None:
        return ""
    if remaining.account != delivery.account:
        return f"; goes to account {remaining.account}"
    return f"; again in {remaining.due - now:.0f} s"
