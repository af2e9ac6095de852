"""Tells of an account what its gates have learned."""

from __future__ import annotations

from ..events import (
    AccountFaulted,
    AccountRecovered,
    ConnectionsLimited,
    Publisher,
    QuotaUsedUp,
)
from ..times import Time
from .connections import KEPT
from .gates import Gates, LaneCondition
from .quota_gate import Closed, QuotaGate


def tell_of_change(
    events: Publisher, gates: Gates, before: LaneCondition, now: float, ahead: float
) -> bool:
    """Tell of a condition that is another one than before.

    :param ahead: seconds by which the clock on the wall is ahead of `now`.
    :return: the account is in another state now.
    """
    condition = gates.condition
    name, fault, allowed = gates.account.name, condition.fault, condition.allowed
    if allowed is not None and allowed != before.allowed:
        configured = gates.connections.configured
        events.publish(ConnectionsLimited(name, allowed, configured, lasts=KEPT))
    if fault is None:
        if before.fault is not None:
            events.publish(AccountRecovered(name))
        return before.fault is not None
    changed = before.fault is None or fault.action is not before.fault.action
    if changed or condition.rests_until != before.rests_until:
        until = max(now, condition.rests_until) + ahead
        events.publish(AccountFaulted(name, fault, until, changed=changed))
    return changed


def tell_of_quota(
    events: Publisher, gate: QuotaGate, closed: Closed, now: float, ahead: float
) -> None:
    """Tell of a quota that is used up while mail is due, if that is news.

    :param ahead: as above.
    """
    if gate.is_news(closed, now):
        until = Time(closed.until + ahead)
        events.publish(QuotaUsedUp(gate.account.name, str(closed.quota), until))
