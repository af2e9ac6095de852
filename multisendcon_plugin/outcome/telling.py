"""Decides when the sender is told what became of recipients: not after each transaction.

A server may take one recipient in a transaction, and refuse another: the others go on at once, a
thousand times.  So what is to be told waits in the delivery, and is stored with it: failures until
the delivery pauses, successes until it ends; both no longer than one account has it, whose server
has said it.  Pure.
"""

from __future__ import annotations

import attrs

from ..mail.dsn import Notify
from ..mail.message import LONGEST_TOLD, MOST_TOLD_REPLIES, Delivery, Untold
from .attempt import Attempt, Outcome, Verdict


@attrs.frozen
class Telling:
    """What is told now, and what later.

    :param failed: outcomes that mean a failure.
    :param later: what waits in the delivery.
    """

    failed: tuple[Outcome, ...] = ()
    delivered: tuple[Outcome, ...] = ()
    later: tuple[Untold, ...] = ()


#: Nearly always.
NOTHING = Telling()


def tell(
    delivery: Delivery,
    attempt: Attempt,
    remaining: Delivery | None,
    failed: tuple[Outcome, ...],
    delivered: tuple[Outcome, ...],
) -> Telling:
    """Decide what is told after an attempt.

    :param remaining: the delivery as it goes on; ``None`` when it has ended.
    :param failed: final outcomes of this attempt.
    :param delivered: the same.
    """
    # A server without DSN tells nobody of success, so we say that the mail was relayed there (RFC
    # 3461 section 5.2.2); nor can one tell the sender whom a fixed sender has replaced.
    wanted: list[Outcome] = []
    if not attempt.reports_success:
        for outcome in delivered:
            notify = outcome.recipient.notify
            if notify is not None and Notify.SUCCESS in notify:
                wanted.append(outcome)
    if not (delivery.untold or failed or wanted):
        return NOTHING
    failures = (*_earlier(delivery, Verdict.FAILED), *failed)
    successes = (*_earlier(delivery, Verdict.DELIVERED), *wanted)
    if remaining is None or remaining.account != delivery.account:
        # A report names one server as the one that has said it all (Remote-MTA, RFC 3464).
        return Telling(failures, successes)
    if remaining.attempts != delivery.attempts:
        return Telling(failures, later=_kept(successes))
    return Telling(later=_kept((*failures, *successes)))


def tell_all(delivery: Delivery) -> Telling:
    """Return what is told of a delivery that leaves its account without an attempt."""
    return Telling(_earlier(delivery, Verdict.FAILED), _earlier(delivery, Verdict.DELIVERED))


def _earlier(delivery: Delivery, verdict: Verdict) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(recipient=each.recipient, verdict=verdict, phase=each.phase, reply=each.reply)
        for each in delivery.untold
        if each.delivered is (verdict is Verdict.DELIVERED)
    )


def _kept(outcomes: tuple[Outcome, ...]) -> tuple[Untold, ...]:
    """Return what is stored: of most replies the code, since no report would have room for more."""
    untold = []
    for n, outcome in enumerate(outcomes):
        reply = outcome.reply
        most = LONGEST_TOLD if n < MOST_TOLD_REPLIES else 0
        if len(reply.text) > most:
            reply = attrs.evolve(reply, text=reply.text[:most])
        untold.append(
            Untold(
                # Why its account carried it is of no use any more.
                recipient=attrs.evolve(outcome.recipient, reason=""),
                delivered=outcome.verdict is Verdict.DELIVERED,
                phase=outcome.phase,
                reply=reply,
            )
        )
    return tuple(untold)
