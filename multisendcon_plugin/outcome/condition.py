"""How an account is, as an admin is told.  Pure values."""

from __future__ import annotations

import enum

import attrs


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


@attrs.frozen(kw_only=True)
class Condition:
    """How an account is now.  Times are seconds since the epoch, by the clock on the wall.

    :param fault: what is wrong with it, in words; ``""``: nothing.
    :param since: when it came into this state; ``None``: not while the relay has been running.
    :param until: it begins no mail before; ``None``: that is not known.
    :param active: deliveries that are being tried.
    :param connections: sessions that are open, idle ones too.
    """

    account: str
    state: State
    fault: str = ""
    since: float | None = None
    until: float | None = None
    active: int = 0
    connections: int = 0
