"""What an admin reads: one event for each fact, with its fields.

The texts are put together here: filling fields into a format is what Twisted's log takes longest
for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from twisted.logger import Logger, LogLevel

from ..attempt import Attempt, Verdict
from ..message import Delivery
from ..reply import Reply
from ..settle import Judgement

_log = Logger()

#: Recipients of whom the same is said in one line, and octets that they may take there: what is
#: said of them has to find room, too (see `log`).
MOST_IN_A_LINE, MOST_OCTETS = 50, 4_000
#: Lines that are written without a pause: some milliseconds.
LINES_AT_ONCE = 100


def accepted(deliveries: tuple[Delivery, ...]) -> None:
    """A message is ours."""
    message = deliveries[0].message
    sender, routes = message.envelope.reverse_path, Routes(deliveries)
    for some in in_lines(list(routes)):
        _tell(
            f"{message.id}: accepted from <{sender}>, {message.size} bytes, for {', '.join(some)}",
            id=message.id,
            sender=sender,
            size=message.size,
            routes=routes,
        )


def reported(about: Delivery, report: Delivery) -> None:
    """A report on a message waits to be delivered."""
    routes = Routes((report,))
    _tell(
        f"{report.message.id}: report on {about.message.id}, for {', '.join(routes)}",
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
    """An attempt has ended; recipients of whom the same is to be said share a line.

    :return: yields now and then, so that others get their turn: a mail may have thousands of
        recipients, and each of them an answer of its own.
    """
    message, account = delivery.message.id, delivery.account
    session = f" ({attempt.session})" if attempt.session else ""
    failed = frozenset(judgement.failed)
    said: dict[tuple[Verdict, Reply, str], list[str]] = {}
    for outcome in attempt.outcomes:
        verdict, following = outcome.verdict, ""
        if verdict is not Verdict.DELIVERED:
            if outcome in failed:
                verdict = Verdict.FAILED
            else:
                following = _what_next(delivery, judgement, now)
        same = said.setdefault((verdict, outcome.reply, following), [])
        same.append(outcome.recipient.address)
    lines = [(what, some) for what, all_of_them in said.items() for some in in_lines(all_of_them)]
    for n, ((verdict, reply, following), recipients) in enumerate(lines, 1):
        who = ", ".join(f"<{recipient}>" for recipient in recipients)
        answer = str(reply)
        _tell(
            f"{message}: {who} {verdict.value} by account {account}: {answer}{session}{following}",
            id=message,
            recipients=recipients,
            verdict=verdict.value,
            account=account,
            reply=answer,
            session=session,
            next=following,
        )
        if n % LINES_AT_ONCE == 0:
            yield


def in_lines(pieces: list[str]) -> Iterator[list[str]]:
    """Share out what is said of each recipient, as many as fit into each line."""
    if len(pieces) == 1:  # nearly all
        yield pieces
        return
    some: list[str] = []
    octets = 0
    for piece in pieces:
        size = len(piece.encode("utf-8", "backslashreplace"))
        if some and (len(some) == MOST_IN_A_LINE or octets + size > MOST_OCTETS):
            yield some
            some, octets = [], 0
        some.append(piece)
        octets += size
    if some:
        yield some


def _tell(text: str, **fields: object) -> None:
    """Publish an event, as `Logger.info` does, which first looks through all levels for this one.

    Its text is the format itself, with nothing to fill in: that is quicker than to fill it into
    another.
    """
    _log.observer(
        fields
        | {
            "log_logger": _log,
            "log_level": LogLevel.info,
            "log_namespace": _log.namespace,
            "log_source": None,
            "log_format": text.replace("{", "{{").replace("}", "}}"),
            "log_time": time.time(),
            "text": text,
        }
    )


class Routes:
    """The accounts of a message's recipients, and why these."""

    def __init__(self, deliveries: tuple[Delivery, ...]) -> None:
        self.deliveries = deliveries

    def __iter__(self) -> Iterator[str]:
        for delivery in self.deliveries:
            for recipient in delivery.recipients:
                yield f"<{recipient.address}> by {delivery.account} ({recipient.reason})"


def _what_next(delivery: Delivery, judgement: Judgement, now: float) -> str:
    remaining = judgement.remaining
    if remaining is None:
        return ""
    if remaining.account != delivery.account:
        return f"; goes to account {remaining.account}"
    return f"; again in {remaining.due - now:.0f} s"
