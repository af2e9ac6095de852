"""How many mails of an account may be under way: its connections, or what its server allows.

An account at fault gets them back one by one.  A server that refuses a further connection while
others work says how many it allows; that is kept for a while.  Pure: `now` is an argument.
"""

from __future__ import annotations

#: Seconds until one connection more is tried than the server has allowed.
KEPT = 15 * 60.0


class Connections:
    """One account's connections.

    :param configured: as many as the account may have.
    :ivar under_way: attempts that have begun and not ended.
    :ivar most: as many may be under way now.
    :ivar allowed: as many the server has allowed when it last refused one; ``None`` when it has
        refused none for long.
    """

    def __init__(self, configured: int) -> None:
        self._configured = configured
        self._limit = configured
        #: Mails that have to go well until it is known that a refusal was about the number.
        self._unproven = 0
        self._one_more_at = 0.0
        self.under_way = 0
        self.most = configured
        self.allowed: int | None = None

    @property
    def are_fewer(self) -> bool:
        """There are fewer now than configured."""
        return self.most < self._configured

    def recover(self, now: float) -> None:
        """A mail has met no fault."""
        if self._limit < self._configured:
            self._learn(now)
        # One more for each success doubles them with each round, as TCP's slow start does.
        self.most = min(self.most + 1, self._limit)

    def _learn(self, now: float) -> None:
        if self._unproven:
            self._unproven -= 1
            if not self._unproven:
                self.allowed = self._limit
        elif now >= self._one_more_at:
            self._one_more_at = now + KEPT
            self._limit += 1
            if self._limit == self._configured:
                self.allowed = None

    def fail(self) -> None:
        """The account has a fault: it is probed by one mail at a time."""
        self.most = 1
        if self._unproven:
            # None of the others has worked: it was not about their number.
            self._unproven = 0
            self._limit = self.allowed or self._configured

    def refuse(self, working: int, now: float) -> None:
        """The server wants no further connection beside those that work."""
        self.most = self._limit = self._unproven = working
        self._one_more_at = now + KEPT
