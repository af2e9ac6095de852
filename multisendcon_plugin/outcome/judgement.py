"""Decides what follows from an attempt: a delivery ends, is deferred, moves or expires.

Pure: `now` is an argument.  Delivered -> done; deferred -> due again by the retry
schedule, or the next account; failed or expired -> reported.
"""

from __future__ import annotations

import attrs

from ..mail.message import Delivery, Recipient
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..settings.values import DeliverySettings
from .attempt import AccountFault, Attempt, Outcome, Verdict, all_deferred
from .backoff import retry_pause
from .failure import Action
from .telling import NOTHING, Telling, tell, tell_all

_FAILURES_BEFORE_EXPIRY = 2
"""A mail that waited long while its account rested, or we were off, gets a second chance.

An account at fault is probed with one mail, so the others may have waited for days without an
attempt of their own.
"""


@attrs.frozen(kw_only=True)
class Judgement:
    """What becomes of each recipient of an attempt.

    Every recipient is in exactly one of `remaining` or its `parts`, `delivered` and `failed`.

    :param remaining: the delivery as it goes on; ``None`` when it has ended.
    :param parts: further deliveries into which it is divided, since it moves: each goes on too.
    :param failed: final: refused (verdict FAILED), or expired (any other).
    :param delayed: recipients in `remaining` of whose delay the sender is to be told now.
    :param told: of what else they are to be told now.
    """

    remaining: Delivery | None
    delivered: tuple[Outcome, ...] = ()
    failed: tuple[Outcome, ...] = ()
    delayed: tuple[Outcome, ...] = ()
    told: Telling = NOTHING
    parts: tuple[Delivery, ...] = ()


def waited(delivery: Delivery, *, now: float, started: float) -> float:
    """Return how long a delivery has waited, in seconds, while the relay was running.

    Time during which nobody could have tried it is no reason to give it up; and after a restart
    the clock may tell another time than when the delivery was written.

    :param started: when the relay was started.
    """
    # RFC 5321 section 4.5.4.1 has days of attempts in mind, not days of being switched off.
    since = delivery.tried_at or delivery.message.arrived
    if not started <= since <= now:
        since = started
    return delivery.waited + max(0.0, now - since)


def judge(
    delivery: Delivery,
    attempt: Attempt,
    *,
    now: float,
    started: float,
    settings: DeliverySettings,
    jitter: float,
    fallback: str | None = None,
    stays: bool = False,
) -> Judgement:
    """Decide what follows from an attempt.

    A fault of the account says nothing about the mail: it never fails a recipient, but moves
    the delivery to the fallback account or defers it, until it expires; and it does not expire by a
    fault as long as another account would take it.  Whom the account does not take, though it takes
    others, fails when no account is left.

    :param delivery: as it was before the attempt.
    :param now: seconds since the epoch.
    :param started: when the relay was started.
    :param jitter: 0 to 1, see `retry_pause`.
    :param fallback: the account that takes over: if this one had a fault that `Attempt.moves` the
        mail, or before the mail would expire by any fault.
    :param stays: the account had a fault, but the mail waits for it: no attempt is counted.
    :raise ValueError: the attempt speaks of other recipients than the delivery has.
    """
    delivered, refused, waiting = _divided(delivery, attempt, fallback)
    if not waiting:
        told = tell(delivery, attempt, None, refused, delivered)
        return Judgement(remaining=None, delivered=delivered, failed=refused, told=told)

    # They come first: those who were not asked, since they were too many, do not wait for others.
    # Behind those who are put off, they could be kept waiting by them for days.
    split = tuple(each for each in waiting if each.action is Action.SPLIT)
    others = tuple(each for each in waiting if each.action is not Action.SPLIT)
    # What may have arrived by one account must not arrive again from another sender address: the
    # same account tries it again, for good.
    uncertain = delivery.uncertain or attempt.uncertain
    remaining = attrs.evolve(
        delivery,
        uncertain=uncertain,
        recipients=tuple(outcome.recipient for outcome in split + others),
        last_reply=_last_reply(attempt, waiting),
        tried_at=now,
        waited=waited(delivery, now=now, started=started),
    )
    failures = delivery.attempts + 1
    expires = failures >= _FAILURES_BEFORE_EXPIRY and remaining.waited >= settings.give_up_after
    moves = attempt.moves or (expires and attempt.fault is not None)

    if stays:
        remaining = attrs.evolve(remaining, due=now)
    elif moves and fallback is not None and not uncertain:
        tried = (*delivery.tried, delivery.account)
        remaining = attrs.evolve(remaining, account=fallback, tried=tried, due=now)
    elif split and len(waiting) < len(attempt.outcomes):
        # The next transaction takes them (RFC 5321 section 4.5.3.1.10), at once and without
        # counting an attempt.  This one has brought the mail on, so it will end: somebody has it,
        # or is refused for good.  What came of it is on disk before the next begins.
        remaining = attrs.evolve(remaining, due=now)
    elif expires:
        given_up = tuple(each for each in attempt.outcomes if each.verdict is not Verdict.DELIVERED)
        told = tell(delivery, attempt, None, given_up, delivered)
        return Judgement(remaining=None, delivered=delivered, failed=given_up, told=told)
    else:
        pause = retry_pause(settings.retry, failures, jitter)
        remaining = attrs.evolve(remaining, attempts=failures, due=now + pause)
        if (attempt.fault or attempt.moves) and not uncertain:
            # No account is left: it waits for the one that was meant for it, and then may move
            # again.
            first_choice = (*delivery.tried, delivery.account)[0]
            remaining = attrs.evolve(remaining, account=first_choice, tried=())

    # Once: RFC 5321 section 4.5.4.1 wants mail tried for days, and each report is one mail more.
    delayed: tuple[Outcome, ...] = ()
    if not delivery.warned and 0 < settings.warn_after <= remaining.waited:
        remaining = attrs.evolve(remaining, warned=True)
        delayed = waiting
    told = tell(delivery, attempt, remaining, refused, delivered)
    return Judgement(
        remaining=attrs.evolve(remaining, untold=told.later),
        delivered=delivered,
        failed=refused,
        delayed=delayed,
        told=told,
    )


def delayed_by(
    delivery: Delivery,
    fault: AccountFault,
    *,
    now: float,
    started: float,
    settings: DeliverySettings,
) -> Judgement | None:
    """Decide whether the sender is to be told of a mail that waits for an account at fault.

    Nothing was tried, but the sender waits all the same (RFC 3461 section 5.2.5).

    :return: ``None`` when not, or not now.
    """
    waits = waited(delivery, now=now, started=started)
    if delivery.warned or not 0 < settings.warn_after <= waits:
        return None
    return Judgement(
        remaining=attrs.evolve(delivery, warned=True, due=now, last_reply=str(fault)),
        delayed=all_deferred(delivery.recipients, fault.phase, fault.reply, fault.action),
    )


#: RFC 3463 section 3.8: a matter of policy, which fits no narrower code.
DELETED = Reply(0, "5.7.0", "deleted from the queue by an administrator")


def deleted(delivery: Delivery) -> Judgement:
    """Decide what the sender is told of a delivery that somebody has deleted."""
    earlier = tell_all(delivery)
    failed = tuple(
        # It has no phase: no server was asked.
        Outcome(recipient=each, verdict=Verdict.FAILED, phase=Phase.CONNECT, reply=DELETED)
        for each in delivery.recipients
    )
    told = Telling(failed=(*earlier.failed, *failed), delivered=earlier.delivered)
    return Judgement(remaining=None, failed=failed, told=told)


def retry_until(
    delivery: Delivery, *, now: float, started: float, settings: DeliverySettings
) -> float:
    """Return when a delivery will be given up if all its attempts fail.

    :return: seconds since the epoch; not before the next attempt.
    """
    left = settings.give_up_after - waited(delivery, now=now, started=started)
    return max(now + left, delivery.due)


def _divided(
    delivery: Delivery, attempt: Attempt, fallback: str | None
) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...], tuple[Outcome, ...]]:
    """Return the outcomes of those who have the mail, who never will, and who wait."""
    recipients: list[Recipient] = []
    delivered: list[Outcome] = []
    refused: list[Outcome] = []
    waiting: list[Outcome] = []
    for outcome in attempt.outcomes:
        recipients.append(outcome.recipient)
        if outcome.verdict is Verdict.DELIVERED:
            delivered.append(outcome)
        elif _is_refused(outcome, attempt, fallback):
            refused.append(outcome)
        else:
            waiting.append(outcome)
    if tuple(recipients) != delivery.recipients and set(recipients) != set(delivery.recipients):
        raise ValueError("an attempt must have an outcome for each recipient of its delivery")
    return tuple(delivered), tuple(refused), tuple(waiting)


def _is_refused(outcome: Outcome, attempt: Attempt, fallback: str | None) -> bool:
    if outcome.verdict is not Verdict.FAILED or attempt.fault:
        return False
    # Beside others that wait for this account, it cannot move yet: a delivery moves as a whole.
    return outcome.action is not Action.MOVE or (attempt.moves and fallback is None)


def _last_reply(attempt: Attempt, waiting: tuple[Outcome, ...]) -> str:
    if attempt.fault:
        return str(attempt.fault)
    return f"{waiting[0].phase.value}: {waiting[0].reply}"
