"""Whether an account is fit for mail; if not, what is wrong with it, and until when it rests.

Pure: `now` and the jitter are arguments; times are seconds since the epoch.
"""

from __future__ import annotations

import attrs

from ..outcome.attempt import AccountFault
from ..outcome.backoff import LONGEST_REST, rest
from ..outcome.failure import Action

#: Different mails in a row that have to hear what may be about one mail (greylisting) or about all
#: (throttling), until it is about all.
HEARD_BY = 5
#: After so many pauses in a row, or so many seconds, a server that asks us to slow down is out of
#: service: the fallback takes over.
SLOW_PAUSES = 3
SLOW_SECONDS = 15 * 60.0


class Health:
    """One account's health.

    :ivar fault: what is wrong with it now, with the action that follows now; ``None``: nothing.
    :ivar rests_until: no attempt begins before.
    """

    def __init__(self) -> None:
        self.fault: AccountFault | None = None
        self.rests_until = 0.0
        self._since = 0.0
        self._pauses = 0
        self._heard_by: set[int] = set()

    def recover(self) -> None:
        """A mail has met no fault."""
        self.fault = None
        self.rests_until = 0.0
        self._pauses = 0
        self._heard_by.clear()

    def fail(self, fault: AccountFault, *, now: float, jitter: float) -> None:
        """The account has a fault.

        :param jitter: 0 to 1, lengthens the rest.
        """
        if self.fault is None:
            self._since = now
        if now >= self.rests_until:
            # Several sessions that break together are one fault.
            self._pauses += 1
            quota = fault.action is Action.QUOTA
            self.rests_until = now + (LONGEST_REST if quota else rest(self._pauses, jitter))
        self.fault = self._at(now, fault)

    def suspect(
        self, number: int, fault: AccountFault, *, under_way: int, now: float, jitter: float
    ) -> None:
        """A mail has heard what is a fault of the account if other mails hear it as well.

        :param number: of the delivery.
        :param under_way: other attempts, each of which may still go well.
        """
        if self.fault is None:
            self._heard_by.add(number)
            if len(self._heard_by) < max(HEARD_BY, under_way + 1):
                return
            self._since = now
        if now >= self.rests_until:
            # It may be about this mail alone: that is no reason for a longer rest.
            self.rests_until = now + rest(1, jitter)
            self.fault = self._at(now, fault)

    def _at(self, now: float, fault: AccountFault) -> AccountFault:
        """Return a fault with the action that follows from it by now."""
        lasts = self._pauses > SLOW_PAUSES or now - self._since >= SLOW_SECONDS
        if fault.action is Action.SLOW and lasts:
            return attrs.evolve(fault, action=Action.REST)
        return fault
