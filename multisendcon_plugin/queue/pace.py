"""When an account may begin its next mail: its connections, its minimum wait, its health.

Pure: `now` and the jitter are arguments; times are seconds since the epoch.
"""

from __future__ import annotations

from typing import NamedTuple

from ..outcome.attempt import AccountFault, Attempt
from ..outcome.failure import is_one_too_many
from ..routing.account import Account
from .connections import Connections
from .health import Health

#: The name of the end of an account's last mail in its `AccountState`.
MINIMUM_WAIT = "minimum_wait"


class State(NamedTuple):
    """How an account is.

    :param fault: what is wrong with it; ``None``: nothing.
    :param rests_until: it begins no mail before.
    :param allowed: how many connections its server has allowed, if fewer than configured.
    """

    fault: AccountFault | None
    rests_until: float
    allowed: int | None


class Pace:
    """One account's pace.

    :param mail_ended: when its last mail ended, or may have ended at the latest.
    :ivar state: how the account is now.
    """

    def __init__(self, account: Account, mail_ended: float | None = None) -> None:
        self._minimum_wait = account.minimum_wait
        self._free_at = 0.0 if mail_ended is None else mail_ended + account.minimum_wait
        self._connections = Connections(account.connections)
        self._health = Health()
        #: There is something to recover from: a mail that goes well need not ask.
        self._troubled = False
        self.state = State(None, 0.0, None)

    @property
    def fault(self) -> AccountFault | None:
        """What is wrong with the account now; ``None`` when nothing is."""
        return self.state.fault

    def opens_at(self) -> float | None:
        """Return when the next attempt may begin; ``None``: when one that is under way has ended.

        An account at fault is probed by one mail at a time; when that has gone through, by two,
        and so on, until it has its connections back.
        """
        if self._connections.under_way >= self._connections.most:
            return None
        return max(self._free_at, self.state.rests_until)

    def begun(self) -> None:
        """An attempt begins."""
        self._connections.under_way += 1

    def ended(
        self, number: int, attempt: Attempt, *, working: int, now: float, jitter: float
    ) -> Attempt | None:
        """An attempt has ended.

        :param number: of its delivery.
        :param working: others that are under way, or have ended and are being recorded: their
            sessions are kept, and count for the server.
        :param jitter: 0 to 1, lengthens the rest after a fault.
        :return: the attempt as it is to be judged; ``None``: it was one connection too many, and
            says nothing about the account or the mail, which is due as it was.
        """
        self._connections.under_way -= 1
        if attempt.mail_ended is not None:
            self._free_at = max(self._free_at, attempt.mail_ended + self._minimum_wait)
        possible = attempt.possible_fault
        if attempt.fault is None and possible is None and not self._troubled:
            return attempt
        self._troubled = True
        judged = self._judged(number, attempt, possible, working=working, now=now, jitter=jitter)
        health = self._health
        self.state = State(health.fault, health.rests_until, self._connections.allowed)
        return judged

    def _judged(
        self,
        number: int,
        attempt: Attempt,
        possible: AccountFault | None,
        *,
        working: int,
        now: float,
        jitter: float,
    ) -> Attempt | None:
        connections, health, fault = self._connections, self._health, attempt.fault
        if fault is not None:
            others_work = working and health.fault is None
            if others_work and is_one_too_many(fault.phase, fault.reply):
                connections.refuse(working, now)
                return None
            health.fail(fault, now=now, jitter=jitter)
        elif possible is not None:
            under_way = connections.under_way
            health.suspect(number, possible, under_way=under_way, now=now, jitter=jitter)
        else:
            health.recover()
            connections.recover(now)
            self._troubled = connections.are_fewer
            return attempt
        if health.fault is None:
            return attempt
        connections.fail()
        return attempt.blamed_on(health.fault)
