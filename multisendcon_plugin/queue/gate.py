"""The interface of a gate: one reason for which a lane may not begin a mail now.

Gates are pure: they look at no clock, and do nothing but count what they are told.  Times are
seconds since the epoch.

They are told of the ends of attempts, not of mails.  An attempt may begin no mail
(`Attempt.mail_ended`), or several in a row, unless its account has a minimum wait or quotas.  After
a crash no `state` is read.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ..mail.message import Delivery
from ..outcome.attempt import Attempt


class Ended(NamedTuple):
    """An attempt that has ended, as the next gate is told of it.

    :param attempt: as it is to be judged, by what the gates before have found.
    :param under_way: other attempts that are, each of which may still go well.
    :param working: if it has met a fault: other sessions that the server counts, see
        `connections.others`.
    :param jitter: 0 to 1, lengthens a rest.
    :param one_too_many: the server wanted no further connection beside those that work: this
        says nothing about the account or the mail, which is due as it was.
    """

    delivery: Delivery
    attempt: Attempt
    under_way: int
    working: int
    now: float
    jitter: float
    one_too_many: bool = False


class Gate(Protocol):
    """One reason for which a lane may not begin a mail now.

    :ivar name: the name under which its `state` is stored.
    :ivar opens_at: when the next attempt may begin; ``math.inf``: when one that is under way has
        ended.  Changed by what the gate is told: a lane asks more often than it tells.
    :ivar state: what has to survive a restart: the gate is made from it again; ``None``: nothing.
    """

    name: str
    opens_at: float
    state: float | None

    def ended(self, ended: Ended, /) -> Ended:
        """An attempt has ended.

        :return: the same, as the next gate is to be told of it.
        """
