"""Decides whether a refusal that speaks of the account is about one mail after all.

A server says "Relay access denied" to all mail of an account that may not send, and also to one
recipient for whom it does not relay.  What it does with other mail tells the two apart.  Within one
transaction, `outcomes` decides: where the server takes other recipients, the refused one fails
alone.  Pure.
"""

from __future__ import annotations

import attrs

from ..mail.message import Delivery
from ..outcome.attempt import AccountFault, Attempt, Verdict
from ..outcome.failure import TRANSACTION, Action

#: Deliveries that are remembered; beyond that, the oldest is forgotten, and may be tried again.
_REMEMBERED = 1000


class RefusalReview:
    """Counts what one account's server has taken, and which mails it has refused in between.

    :ivar taken: how many mails it has taken.
    """

    def __init__(self) -> None:
        self.taken = 0
        self._taken_before_fault = 0
        #: By the number of the delivery: how many mails had been taken when it was first refused.
        self._refused: dict[int, int] = {}

    def review(self, delivery: Delivery, attempt: Attempt) -> Attempt:
        """Return an attempt, without its account fault where that concerns this mail only.

        The fault stands where the server has taken no mail since the last one, or has refused
        another mail alike since it took one.  Else another account may take the mail over; where
        none can, it is tried again, and fails when the server has taken other mail in between.
        """
        fault = attempt.fault
        if fault is None or not _may_be_about_the_mail(fault):
            return attempt
        taken_then = self._refused.pop(delivery.number, self.taken)
        others = any(taken == self.taken for taken in self._refused.values())
        if others or self.taken == self._taken_before_fault:
            self._taken_before_fault = self.taken
            return attempt
        # Also for what is left of a mail that fails, which need not wait for others once more.
        self._refused[delivery.number] = taken_then
        if len(self._refused) > _REMEMBERED:
            del self._refused[next(iter(self._refused))]
        again = taken_then < self.taken
        verdict = Verdict.FAILED if again and fault.reply.permanent else Verdict.DEFERRED
        outcomes = tuple(
            each
            if each.action is Action.SPLIT  # left to the next transaction, which was not refused
            else attrs.evolve(
                each, verdict=verdict, phase=fault.phase, reply=fault.reply, action=Action.MOVE
            )
            for each in attempt.outcomes
        )
        return attrs.evolve(attempt, fault=None, outcomes=outcomes)


def _may_be_about_the_mail(fault: AccountFault) -> bool:
    return (
        fault.phase in TRANSACTION
        # Used-up quotas and throttling are always about the account.
        and fault.action in (Action.REST, Action.ALARM)
        and fault.reply.code >= 400  # said by the server
    )
