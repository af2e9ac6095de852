"""How an account is, as an admin is told.  Pure values."""

from __future__ import annotations

import enum

import attrs

from ..settings.quota import Quota


class State(enum.Enum):
    """Whether an account sends mail, and if not, why."""

    OK = "ok"
    SLOW = "slow"
    """Its server asks us to slow down."""
    RESTING = "resting"
    """It cannot be used, and rests until it is probed."""
    LOGIN = "login"
    """It cannot log in, or may not send."""
    QUOTA = "quota"
    """Its quota is used up."""
    PAUSED = "paused"
    """Somebody has paused it."""
    OFF = "off"
    """It is not enabled."""


@attrs.frozen
class QuotaUse:
    """How much of a quota is used up, by our count, which is never behind the server's.

    :param used: mails or recipients of the window that ends now, with those that are under way.
    :param left: as many may begin at once, if nothing else keeps them.
    :param opens: when one more may begin, by the clock on the wall; ``None``: now, or as soon as
        something that is under way has ended.
    """

    quota: Quota
    used: int
    left: int
    opens: float | None = None


@attrs.frozen
class Rest:
    """The rest of one destination of an account that delivers directly.

    :param fault: why it rests, in words.
    :param until: it is sent no mail before, by the clock of the queue.
    """

    fault: str
    until: float


@attrs.frozen(kw_only=True)
class Condition:
    """How an account is now.  Times are seconds since the epoch, by the clock on the wall.

    :param fault: what is wrong with it, in words; ``""``: nothing.
    :param used_up: the quota that is, by our own count; ``None``: none is, or its server says so.
    :param since: when it came into this state; ``None``: not while the relay has been running.
    :param until: it begins no mail before; ``None``: that is not known.
    :param active: deliveries that are being tried.
    :param connections: sessions that are open, idle ones too.
    :param quotas: of the account, in the order in which they are configured.
    :param resting_destinations: how many destinations of an account that delivers directly rest,
        each after a fault of its own: the account goes on with all others.
    """

    account: str
    state: State
    fault: str = ""
    used_up: Quota | None = None
    since: float | None = None
    until: float | None = None
    active: int = 0
    connections: int = 0
    quotas: tuple[QuotaUse, ...] = ()
    resting_destinations: int = 0
