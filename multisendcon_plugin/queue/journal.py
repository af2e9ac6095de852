"""What an admin reads: one event for each fact, with its fields.

The texts are put together here: filling fields into a format is what Twisted's log takes longest
for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from twisted.logger import Logger, LogLevel

from ..mail.message import Delivery
from ..mail.reply import Reply
from ..outcome.attempt import AccountFault, Attempt, Verdict
from ..outcome.failure import Action
from ..outcome.judgement import Judgement
from .connections import KEPT

_log = Logger()

#: Recipients of whom the same is said in one line, and octets that they may take there: what is
#: said of them has to find room, too (see `log`).
MOST_IN_A_LINE, MOST_OCTETS = 50, 4_000
#: Lines that are written without a pause: some milliseconds.
LINES_AT_ONCE = 100
_SPLIT = "left to another transaction"

_WAITS = "; paused until {until}; its mail waits"
_WAITS_OR_MOVES = f"{_WAITS} unless a fallback account takes it"
_PAUSED = {
    Action.REST: "account {account} cannot be used: {fault}" + _WAITS_OR_MOVES,
    Action.SLOW: "account {account} is throttled: the server asks us to slow down ({fault})"
    + _WAITS,
    Action.QUOTA: "account {account} has used up its quota: {fault}" + _WAITS_OR_MOVES,
    Action.ALARM: "account {account} cannot be used: {fault}"
    + _WAITS_OR_MOVES
    + "; check its username and password, and whether the provider has blocked it",
}


def accepted(deliveries: tuple[Delivery, ...]) -> None:
    """A message is ours."""
    message = deliveries[0].message
    sender, routes = message.envelope.reverse_path, Routes(deliveries)
    client = message.envelope.client
    by = f" ({client})" if client else ""
    for some in in_lines(list(routes)):
        _tell(
            f"{message.id}: accepted from <{sender}>{by}, {message.size} bytes, for"
            f" {', '.join(some)}",
            id=message.id,
            sender=sender,
            client=client._asdict() if client else None,
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
        f"{delivery.message.id}: moved to account {account}, since account {delivery.account} "
        "is paused",
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
    said: dict[tuple[str, Reply, str], list[str]] = {}
    for outcome in attempt.outcomes:
        verdict, following = outcome.verdict.value, ""
        if outcome.verdict is not Verdict.DELIVERED:
            if outcome in failed:
                verdict = Verdict.FAILED.value
            else:
                following = _what_next(delivery, judgement, now)
                if outcome.action is Action.SPLIT:
                    verdict = _SPLIT
                elif outcome.action is Action.MOVE:
                    verdict = Verdict.DEFERRED.value
        same = said.setdefault((verdict, outcome.reply, following), [])
        same.append(outcome.recipient.address)
    lines = [(what, some) for what, whose in said.items() for some in _shared(whose, *what)]
    for n, ((verdict, reply, following), recipients) in enumerate(lines, 1):
        who = ", ".join(f"<{recipient}>" for recipient in recipients)
        if verdict == _SPLIT:
            who = f"{len(recipients)} recipient{'s' * (len(recipients) > 1)}"
        answer = str(reply)
        _tell(
            f"{message}: {who} {verdict} by account {account}: {answer}{session}{following}",
            id=message,
            recipients=recipients,
            verdict=verdict,
            account=account,
            reply=answer,
            session=session,
            next=following,
        )
        if n % LINES_AT_ONCE == 0:
            yield


def _shared(recipients: list[str], verdict: str, *_: object) -> Iterable[list[str]]:
    # Those of a split mail are counted only: they are in the lines of the transactions to come.
    return [recipients] if verdict == _SPLIT else in_lines(recipients)


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


def account_rests(name: str, fault: AccountFault, until: float, *, changed: bool) -> None:
    """An account at fault begins no mail for a while.

    :param until: by the clock on the wall, in seconds since the epoch.
    :param changed: it was fit before, or the fault was of another kind.
    """
    tell = _log.error if changed else _log.info
    tell(
        _PAUSED[fault.action],
        account=name,
        fault=str(fault),
        until=time.strftime("%H:%M:%S", time.localtime(until)),
        alarm=fault.action is Action.ALARM,
    )


def account_works(name: str) -> None:
    """An account has recovered."""
    _log.info("account {account} works again", account=name)


def account_narrowed(name: str, allowed: int, configured: int) -> None:
    """A server refuses more connections than these."""
    _log.warn(
        "account {account}: the server allows {allowed} connections at a time, not {configured}; "
        "set max_connections = {allowed} (one more is tried every {minutes:.0f} minutes)",
        account=name,
        allowed=allowed,
        configured=configured,
        minutes=KEPT / 60,
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
        return f"; moved to account {remaining.account}"
    return f"; next attempt in {remaining.due - now:.0f} s"
