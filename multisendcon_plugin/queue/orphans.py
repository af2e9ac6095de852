"""Deliveries that move to another account, or have lost theirs: which takes them, and how.

An account was removed from the configuration, or disabled, or is of another type now, while its
mail was waiting.  Pure.
"""

from __future__ import annotations

import attrs

from ..mail.address import matching_form
from ..mail.message import Delivery, LaneKey
from ..routing.account import Account
from ..routing.registry import AccountRegistry


def account_in_use(registry: AccountRegistry, name: str) -> Account | None:
    """Return the account of that name, unless it is not enabled."""
    account = registry.account(name)
    return account if account is not None and account.enabled else None


def in_use(registry: AccountRegistry) -> list[Account]:
    """Return the accounts that are enabled, in order of priority."""
    return [account for account in registry if account.enabled]


def fits(lane: LaneKey, registry: AccountRegistry) -> bool:
    """Tell whether mail can leave from a lane: its account is in use, and of the lane's kind."""
    account = account_in_use(registry, lane[0])
    return account is not None and account.direct == bool(lane[1])


def placed(delivery: Delivery, registry: AccountRegistry) -> tuple[Delivery, ...]:
    """Return a delivery by the destinations of its recipients within its account.

    To one server they leave together; of a direct account, each domain is a delivery of its own.
    """
    account = registry.account(delivery.account)
    return (delivery,) if account is None else delivery.divided(account.destination)


def adopted(
    delivery: Delivery, registry: AccountRegistry, now: float
) -> tuple[Delivery, ...] | None:
    """Return the delivery as it goes on, at once, by the account that would take it now.

    :return: by destination; ``None`` when no account takes all of its recipients: then it stays,
        since its account may come back, and the log says so.
    """
    if account_in_use(registry, delivery.account) is not None:
        return placed(delivery, registry)
    envelope = delivery.message.envelope
    recipients = [recipient.address for recipient in delivery.recipients]
    if envelope.reverse_path:
        routes = [registry.route(envelope.reverse_path, recipient) for recipient in recipients]
    else:
        routes = [registry.route_null(envelope.author, recipient) for recipient in recipients]
    for route in routes:
        if route and _takes_all(registry, route.account, recipients):
            own = [each if each and each.account == route.account else route for each in routes]
            reasons = zip(delivery.recipients, own, strict=True)
            moved = attrs.evolve(
                delivery,
                account=route.account,
                due=min(delivery.due, now),
                tried=(),
                recipients=tuple(attrs.evolve(each, reason=by.reason) for each, by in reasons),
            )
            return placed(moved, registry)
    return None


def _takes_all(registry: AccountRegistry, name: str, recipients: list[str]) -> bool:
    account = registry.account(name)
    return account is not None and all(
        account.recipients.match(matching_form(recipient)) for recipient in recipients
    )
