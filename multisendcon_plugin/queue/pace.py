"""When an account may begin its next mail: its connections, its minimum wait, its health.

Pure: `now` and the jitter are arguments; times are seconds since the epoch.
"""

from __future__ import annotations

from ..account import Account
from ..attempt import AccountFault
from ..backoff import LONGEST_REST, rest
from ..failure import Action


class Pace:
    """One account's pace.

    :param mail_ended: when its last mail ended, or may have ended at the latest.
    :ivar fault: what is wrong with the account now; ``None`` when nothing is.
    """

    def __init__(self, account: Account, mail_ended: float | None = None) -> None:
        self._account = account
        self._free_at = 0.0 if mail_ended is None else mail_ended + account.minimum_wait
        self._rests_until = 0.0
        self._faults = 0
        self._active = 0
        self._most = account.connections
        self.fault: AccountFault | None = None

    def opens_at(self) -> float | None:
        """Return when the next attempt may begin; ``None``: when one that is under way has ended.

        An account at fault is probed by one mail at a time; when that has gone through, by two,
        and so on, until it has its connections back.
        """
        if self._active >= self._most:
            return None
        return max(self._free_at, self._rests_until)

    def begun(self) -> None:
        """An attempt begins."""
        self._active += 1

    def ended(
        self, *, now: float, mail_ended: float | None, fault: AccountFault | None, jitter: float
    ) -> None:
        """An attempt has ended.

        :param mail_ended: when its mail ended, if it got as far as MAIL FROM.
        :param jitter: 0 to 1, lengthens the rest after a fault.
        """
        self._active -= 1
        if mail_ended is not None:
            self._free_at = max(self._free_at, mail_ended + self._account.minimum_wait)
        if fault is None:
            self._faults = 0
            self._rests_until = 0.0
            # One more for each success doubles them with each round, as TCP's slow start does.
            self._most = min(self._most + 1, self._account.connections)
            self.fault = None
            return
        self.fault = fault
        self._most = 1
        if now >= self._rests_until:
            # Several sessions that break together are one fault.
            self._faults += 1
            quota = fault.action is Action.QUOTA
            self._rests_until = now + (LONGEST_REST if quota else rest(self._faults, jitter))
