"""How an account is, from what its lanes know: what an admin is told.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ..outcome.condition import Condition, State
from ..outcome.failure import Action
from ..routing.account import Account
from ..settings.quota import Quota
from .lane import Lane
from .quota_gate import QuotaGate

_STATES = {Action.SLOW: State.SLOW, Action.QUOTA: State.QUOTA, Action.ALARM: State.LOGIN}


def condition(
    account: Account,
    lanes: Sequence[Lane],
    paused: float | None,
    quota: QuotaGate | None,
    *,
    now: float,
    ahead: float,
) -> Condition:
    """Return how an account is.

    :param lanes: of its destinations; the one that rests longest speaks for all.
    :param paused: since when it is; ``None``: it is not.
    :param quota: a gate of its quotas, if it has any.
    :param now: by the clock of the lanes.
    :param ahead: seconds by which the clock on the wall is ahead of that one.
    """
    worst = max(
        lanes,
        key=lambda lane: (lane.gates.condition.fault is not None, lane.gates.condition.rests_until),
        default=None,
    )
    fault = worst.gates.condition.fault if worst else None
    since = worst.since if worst else None
    full = [closed for lane in lanes if (closed := lane.full(now)) is not None]
    if not full and quota is not None and (closed := quota.closed(None, now)) is not None:
        full = [closed]
    closed = max(full, key=lambda each: each.until, default=None)
    rests_until = worst.gates.condition.rests_until if worst else 0.0
    text = "" if fault is None else str(fault)
    used_up: Quota | None = None
    if not account.enabled:
        state, since = State.OFF, None
    elif paused is not None:
        state, since = State.PAUSED, paused
    elif fault is not None:
        state = _STATES.get(fault.action, State.RESTING)
    elif closed is not None:
        state, since, text = State.QUOTA, closed.since, str(closed)
        used_up, rests_until = closed.quota, closed.until
    else:
        state = State.OK
    rests = state not in (State.OK, State.PAUSED) and now < rests_until < inf
    return Condition(
        account=account.name,
        state=state,
        fault=text,
        used_up=used_up,
        since=None if since is None else since + ahead,
        until=rests_until + ahead if rests else None,
        active=sum(lane.gates.connections.under_way for lane in lanes),
        connections=sum({id(lane.relay): lane.relay.connections for lane in lanes}.values()),
        quotas=() if quota is None else quota.uses(now, ahead),
    )
