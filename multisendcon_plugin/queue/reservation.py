"""One attempt of an account with quotas: its mail counts before it begins.

It is in the spool that the mail counts before the relay may say MAIL; when it has ended, at which
time the server has counted it.  A mail with more recipients than a quota has is tried for the first
ones; the others are left to the next attempt, which has its own reservation.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred

from ..errors import SpoolError
from ..mail.message import Delivery
from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Attempt, all_deferred
from .quota_gate import QuotaGate

_NOT_BEGUN = Reply(0, "4.3.2", "the attempt was put off before it began")


async def reserved_attempt(
    delivery: Delivery,
    quota: QuotaGate,
    begin: Callable[[Delivery], Deferred[Attempt] | None],
    now: Callable[[], float],
) -> Attempt:
    """Try a delivery, or the first of its recipients.

    :param begin: has it carried; ``None``: nothing may begin any more.
    :return: the attempt of the whole delivery; inconclusive: it was not begun.
    """
    recipients = quota.part(delivery, now())
    reservation = quota.reserve(recipients)
    part = delivery
    if recipients < len(delivery.recipients):
        part = attrs.evolve(delivery, recipients=delivery.recipients[:recipients])
    try:
        await quota.keeper.written()
        under_way = begin(part)
    except SpoolError:
        under_way = None
    if under_way is None:
        outcomes = all_deferred(delivery.recipients, Phase.CONNECT, _NOT_BEGUN)
        attempt = Attempt(outcomes=outcomes, inconclusive=True)
        quota.conclude(reservation, attempt, now())
        return attempt
    try:
        attempt = await under_way
    except BaseException:
        quota.conclude(reservation, None, now())
        raise
    quota.conclude(reservation, attempt, now())
    text = f"no more than {recipients} recipients at a time, by the quota of the account"
    return attempt.of_whole(delivery.recipients, Reply(0, "4.5.3", text))
