"""How accounts are: what queue, counters and logins know of each, put together.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ..logins.standing import LoginStanding
from ..mail.selection import Total
from ..outcome.condition import Condition
from ..routing.account import Account
from ..routing.registry import AccountRegistry
from ..times import Time
from .values import AccountCounts, AccountStatus, Login, Quota

_NOTHING = Total(0, 0, None)


def statuses(
    registry: AccountRegistry,
    conditions: Iterable[Condition],
    totals: Mapping[str, Total],
    *,
    counts: Callable[[str], AccountCounts],
    logins: Callable[[Account], LoginStanding],
    set_by: float,
) -> tuple[AccountStatus, ...]:
    """Tell how each account is, in order of priority.

    :param totals: of what waits, by the name of its account.
    :param counts: of an account, by its name.
    :param set_by: seconds by which the clock on the wall differs from that of the spool.
    """
    found = []
    for condition in conditions:
        account = registry.account(condition.account)
        if account is not None:
            total = totals.get(account.name, _NOTHING)
            oldest = None if total.oldest is None else Time(total.oldest + set_by)
            found.append(
                AccountStatus(
                    name=account.name,
                    type=account.type.value,
                    enabled=account.enabled,
                    state=condition.state,
                    fault=condition.fault,
                    since=_time(condition.since),
                    until=_time(condition.until),
                    waiting=total.waiting,
                    held=total.held,
                    oldest=oldest,
                    active=condition.active,
                    connections=condition.connections,
                    counts=counts(account.name),
                    quota=quotas_of(condition),
                    resting_destinations=condition.resting_destinations,
                    login=_login(account, logins(account)) if account.logs_in else None,
                )
            )
    return tuple(found)


def quotas_of(condition: Condition) -> tuple[Quota, ...]:
    """Return how much of each quota of an account is used."""
    return tuple(
        Quota(quota=str(each.quota), used=each.used, left=each.left, opens=_time(each.opens))
        for each in condition.quotas
    )


def _login(account: Account, standing: LoginStanding) -> Login:
    return Login(
        kind=standing.kind,
        mailbox=account.sasl_user,
        valid_until=standing.valid_until,
        refreshed=standing.refreshed,
        unused_since=standing.unused_since,
        expires=standing.expires,
        trouble=standing.trouble,
    )


def _time(time: float | None) -> Time | None:
    return None if time is None else Time(time)
