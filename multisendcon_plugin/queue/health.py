"""Whether an account can be used; if not, what is wrong with it, and until when it rests.

An account at fault rests, 30 seconds at first and twice as long each time, up to an hour.  Then
one mail probes it: only the mails that do so count a failed attempt.  Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ..outcome.attempt import AccountFault
from ..outcome.backoff import rest
from ..outcome.failure import Action, is_one_too_many
from ..settings.quota import Quota
from .gate import Ended
from .used_up import used_up_for

#: Different mails in a row that have to get a reply that may be about one mail (greylisting) or
#: about all (throttling), until it is about all: `Action.DEFER_THEN_SLOW`.
HEARD_BY = 5
#: After so many pauses in a row, or so many seconds, a server that asks us to slow down is out of
#: service: the fallback takes over.
SLOW_PAUSES = 3
SLOW_SECONDS = 15 * 60.0


class Health:
    """One account's health: see `Gate`.

    :ivar quotas: of the account, as they are configured.
    :ivar fault: what is wrong with it now, with the action that follows now; ``None``: nothing.
    :ivar opens_at: the end of its rest.
    :ivar pauses: how many rests there were in a row, this one included.
    """

    name = "health"
    #: After a restart the first mail tells.
    state: float | None = None

    def __init__(self, quotas: Sequence[Quota] = ()) -> None:
        self.quotas = quotas
        self.fault: AccountFault | None = None
        self.opens_at = 0.0
        self._since = 0.0
        self.pauses = 0
        self._heard_by: set[int] = set()

    @property
    def suspected(self) -> bool:
        """Some mails have heard what would be a fault if more of them did."""
        return bool(self._heard_by)

    def probe(self) -> None:
        """End the rest: an account at fault has one mail under way at a time, see `Connections`."""
        self.opens_at = 0.0

    def ended(self, ended: Ended) -> Ended:
        """An attempt has ended.

        :return: with the attempt blamed on the account, if that has a fault now; or
            `one_too_many`.
        """
        attempt = ended.attempt
        if attempt.inconclusive:
            return ended
        fault = attempt.fault
        if fault is not None:
            others_work = ended.working and self.fault is None
            if others_work and is_one_too_many(fault.phase, fault.reply):
                return ended._replace(one_too_many=True)
            self._fail(fault, ended)
        elif (possible := attempt.possible_fault) is not None:
            self._suspect(possible, ended)
        else:
            # A mail has met no fault.
            self.fault = None
            self.opens_at = 0.0
            self.pauses = 0
            self._heard_by.clear()
            return ended
        if self.fault is None:
            return ended
        return ended._replace(attempt=attempt.blamed_on(self.fault))

    def _fail(self, fault: AccountFault, ended: Ended) -> None:
        """The account has a fault."""
        now = ended.now
        if self.fault is None:
            self._since = now
        if now >= self.opens_at:
            # Several sessions that break together are one fault.
            self.pauses += 1
            if fault.action is Action.QUOTA:
                # No earlier probe would get through.
                self.opens_at = now + used_up_for(fault.reply, self.quotas)
            else:
                self.opens_at = now + rest(self.pauses, ended.jitter)
        self.fault = self._at(now, fault)

    def _suspect(self, fault: AccountFault, ended: Ended) -> None:
        """A mail has heard what is a fault of the account if other mails hear it as well."""
        now = ended.now
        if self.fault is None:
            self._heard_by.add(ended.delivery.number)
            # Of those under way, each may still go well.
            if len(self._heard_by) < max(HEARD_BY, ended.under_way + 1):
                return
            self._since = now
        if now >= self.opens_at:
            # It may be about this mail alone: that is no reason for a longer rest.
            self.opens_at = now + rest(1, ended.jitter)
            self.fault = self._at(now, fault)

    def _at(self, now: float, fault: AccountFault) -> AccountFault:
        """Return a fault with the action that follows from it by now."""
        lasts = self.pauses > SLOW_PAUSES or now - self._since >= SLOW_SECONDS
        if fault.action is Action.SLOW and lasts:
            return attrs.evolve(fault, action=Action.REST)
        return fault
