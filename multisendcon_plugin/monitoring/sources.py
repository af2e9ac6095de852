"""Where the figures of the relay are, and how they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import attrs
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..errors import SpoolError
from ..logins import LoginStanding
from ..mail.selection import StoreFigures, Total
from ..operations.values import Alarm
from ..outcome.condition import Condition
from ..routing.account import Account
from .counters import Counters

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Sources:
    """Where the figures of the relay are.

    :param conditions: of all accounts, now.
    :param totals: of what waits.
    :param figures: of the spool.
    :param alarms: those that are not over.
    :param logins: of the accounts that have one.
    :param clock: the spool's, in seconds since the epoch.
    :param wall: tells the time that people read, likewise.
    """

    counters: Counters
    conditions: Callable[[], Sequence[Condition]]
    totals: Callable[[], Deferred[dict[str, Total]]]
    figures: Callable[[], Deferred[StoreFigures]]
    alarms: Callable[[], Iterable[Alarm]]
    logins: Callable[[], Iterable[tuple[Account, LoginStanding]]]
    clock: IReactorTime
    wall: Callable[[], float]


async def told(ask: Callable[[], Deferred[T]], within: float, clock: IReactorTime) -> T | None:
    """Ask the spool; ``None``: there is no answer in so many seconds."""
    try:
        return await ask().addTimeout(within, clock)
    except (SpoolError, defer.TimeoutError):
        return None
