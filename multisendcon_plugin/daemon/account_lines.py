"""What the log says of accounts: see `log_lines`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from .. import events
from ..interfaces.policies import PolicyName
from ..outcome.failure import Action
from ..settings.commands import account_test
from .log_line import ERROR, INFO, WARN, Fields, Line, filled_in

_WAITS = "; it rests until {until}; its mail waits"
_WAITS_OR_MOVES = f"{_WAITS} unless a fallback account takes it"
_PAUSED = {
    Action.REST: "account {account} cannot be used: {fault}" + _WAITS_OR_MOVES,
    Action.SLOW: "account {account} is throttled: the server asks us to slow down ({fault})"
    + _WAITS,
    Action.QUOTA: "account {account} has used up its quota: {fault}" + _WAITS_OR_MOVES,
    Action.ALARM: "account {account} cannot be used: {fault}"
    + _WAITS_OR_MOVES
    + "; {test} says what to do",
}


def _account_faulted(event: events.AccountFaulted) -> list[Line]:
    fields: Fields = {
        "account": event.account,
        "fault": str(event.fault),
        "until": event.until,
        "alarm": event.fault.action is Action.ALARM,
    }
    until = time.strftime("%H:%M:%S", time.localtime(event.until))
    words = {**fields, "until": until, "test": account_test(event.account)}
    text = _PAUSED[event.fault.action].format_map(words)
    return [(ERROR if event.changed else INFO, text, fields)]


def _account_recovered(event: events.AccountRecovered) -> list[Line]:
    what = "has another server or login and is tried anew" if event.unproven else "works again"
    return [(INFO, f"account {event.account} {what}", {"account": event.account})]


def _connections_limited(event: events.ConnectionsLimited) -> list[Line]:
    text = (
        f"account {event.account}: the server allows {event.allowed} connections at a time, not"
        f" {event.configured}; set max_connections = {event.allowed} (one more is tried every"
        f" {event.lasts / 60:.0f} minutes)"
    )
    fields: Fields = {
        "account": event.account,
        "allowed": event.allowed,
        "configured": event.configured,
    }
    return [(WARN, text, fields)]


def _quota_used_up(event: events.QuotaUsedUp) -> list[Line]:
    # The windows that are told of are up to a month long.
    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.until))
    text = (
        f"account {event.account}: its quota of {event.quota} is used up until {until}; its mail"
        " waits unless a fallback account takes it"
    )
    return [(WARN, text, attrs.asdict(event))]


def _tls_policy_applied(event: events.TlsPolicyApplied) -> list[Line]:
    if event.result is None:
        return []  # the line of the attempt says which policy it was
    if event.policy == PolicyName.OPPORTUNISTIC and not event.result.of_policy:
        return []  # nobody demands TLS of this server, and many have none
    follows = ""
    if event.testing:
        follows = "; the domain is testing its policy, and the mail is sent all the same"
    text = (
        f"account {event.account}: TLS with {event.server} for mail to {event.recipient_domain}"
        f" ({event.policy}): {event.reason}{follows}"
    )
    return [(WARN, text, attrs.asdict(event))]


ACCOUNT_LINES: Mapping[type, Callable[[Any], Iterable[Line]]] = {
    events.AccountFaulted: _account_faulted,
    events.AccountRecovered: _account_recovered,
    events.AccountPaused: filled_in(
        WARN, "account {account} is it rests until somebody resumes it; its mail waits"
    ),
    events.AccountResumed: filled_in(INFO, "account {account} is resumed"),
    events.ConnectionsLimited: _connections_limited,
    events.QuotaUsedUp: _quota_used_up,
    events.TlsPolicyApplied: _tls_policy_applied,
}
