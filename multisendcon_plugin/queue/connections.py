"""How many mails of an account may be under way: its connections, or what its server allows.

An account at fault is probed by one mail at a time; when that has gone through, by two, and so on,
until it has its connections back.  A server that refuses a further connection while others work
says how many it allows; that is kept for a while, and then one more is tried.  If it refuses all of
them, it has said nothing about their number, and that is a fault like others.

Of an account with many servers more mails are under way than it has connections, which its relay
sees to: one that waits for the DNS has none yet, and one whose server is silent loses it.  Pure.
"""

from __future__ import annotations

from math import inf

from .gate import Ended

#: Seconds until one connection more is tried than the server has allowed.
KEPT = 15 * 60.0


def others(under_way: int, idle: int, unsettled: int) -> int:
    """Return how many sessions a server counted when it refused one more, as far as is known.

    :param under_way: mails, with the one that was refused.
    :param idle: sessions that are kept: of mails whose outcomes are being recorded, each of several
        may have had the same one.
    :param unsettled: mails that are under way, or are being recorded: of these, the last session
        may have been closed so shortly before that the server still counted it.
    """
    return under_way - 1 + idle or min(unsettled - 1, 1)


class Connections:
    """One account's connections: see `Gate`.

    :param configured: as many mails as may be under way: `Account.under_way`.
    :ivar under_way: attempts that have begun and not ended.
    :ivar most: as many may be under way now.
    :ivar allowed: as many the server has allowed when it last refused one; ``None`` when it has
        refused none for long.
    """

    name = "connections"
    #: What a server allows is learned anew after a restart.
    state: float | None = None

    def __init__(self, configured: int) -> None:
        self.configured = configured
        self.under_way = 0
        self.most = configured
        self.allowed: int | None = None
        self.opens_at = 0.0
        self._limit = configured
        #: Mails that have to go well until it is known that a refusal was about the number.
        self._unproven = 0
        self._one_more_at = 0.0

    def configure(self, configured: int) -> None:
        """Have as many as are configured now, but no more than the server has allowed."""
        limited = self._limit < self.configured
        probing = self.most < self._limit
        self._limit = min(self._limit, configured) if limited else configured
        self.most = min(self.most, configured) if probing else self._limit
        self.configured = configured
        if self.allowed is not None and self.allowed >= configured:
            self.allowed = None
        self._look()

    def begin_anew(self) -> None:
        """Forget what the server has allowed; one that was at fault is still probed."""
        probing = self.most < self._limit
        self._limit = self.configured
        self.most = 1 if probing else self.configured
        self._unproven = 0
        self.allowed = None

    def _look(self) -> None:
        self.opens_at = inf if self.under_way >= self.most else 0.0

    def begun(self) -> None:
        """An attempt begins."""
        self.under_way += 1
        if self.under_way >= self.most:
            self.opens_at = inf

    def ended(self, ended: Ended) -> Ended:
        """An attempt has ended, and health has judged it."""
        self.under_way -= 1
        if ended.one_too_many:
            self._refuse(ended.working, ended.now)
        elif not ended.attempt.inconclusive:
            if ended.attempt.fault is not None:
                self._fail()
            elif self.most < self.configured and not ended.attempt.possible_fault:
                self._recover(ended.now)
        self.opens_at = inf if self.under_way >= self.most else 0.0
        return ended

    def _recover(self, now: float) -> None:
        """A mail has met no fault."""
        if self._limit < self.configured:
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
            if self._limit == self.configured:
                self.allowed = None

    def _fail(self) -> None:
        """The account has a fault."""
        self.most = 1
        if self._unproven:
            # None of the others has worked: it was not about their number.
            self._unproven = 0
            self._limit = self.allowed or self.configured

    def _refuse(self, working: int, now: float) -> None:
        """The server wants no further connection beside those that work."""
        self.most = self._limit = self._unproven = working
        self._one_more_at = now + KEPT
