"""How an account is, from what its gates and its lane know: what an admin is told.  Pure."""

from __future__ import annotations

from math import inf

from ..outcome.condition import Condition, State
from ..outcome.failure import Action
from ..routing.account import Account
from ..settings.quota import Quota
from .lane import Lane
from .quota_gate import QuotaGate
from .ways import Way

_STATES = {Action.SLOW: State.SLOW, Action.QUOTA: State.QUOTA, Action.ALARM: State.LOGIN}


def condition(
    account: Account,
    way: Way | None,
    lane: Lane | None,
    paused: float | None,
    quota: QuotaGate | None,
    *,
    now: float,
    ahead: float,
    resting: int = 0,
) -> Condition:
    """Return how an account is.

    :param way: to its server; ``None``: it has had no mail.
    :param lane: its lane, if it has one that is the only one.
    :param paused: since when it is; ``None``: it is not.
    :param quota: a gate of its quotas, if it has any.
    :param now: by the clock of the lanes.
    :param ahead: seconds by which the clock on the wall is ahead of that one.
    :param resting: destinations of it that rest: it goes on with all others.
    """
    gates = lane.gates.of_account if lane else way.gates if way else None
    relays = {id(each.relay): each.relay for each in (way, lane) if each is not None}
    fault = gates.condition.fault if gates else None
    since = gates.since if gates else None
    closed = lane.full(now) if lane else None
    if closed is None and quota is not None:
        closed = quota.closed(None, now)
    rests_until = gates.condition.rests_until if gates else 0.0
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
        active=gates.connections.under_way if gates else 0,
        connections=sum(relay.connections for relay in relays.values()),
        quotas=() if quota is None else quota.uses(now, ahead),
        resting_destinations=resting,
    )
