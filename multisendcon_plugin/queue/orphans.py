"""Deliveries whose account is not in use any more: which account takes them over.

The account was removed from the configuration, or disabled, while their mail was waiting.
"""

from __future__ import annotations

import attrs

from ..mail.address import matching_form
from ..mail.message import Delivery
from ..routing.account import Account
from ..routing.registry import AccountRegistry


def account_in_use(registry: AccountRegistry, name: str) -> Account | None:
    """Return the account of that name, unless it is not enabled."""
    account = registry.account(name)
    return account if account is not None and account.enabled else None


def in_use(registry: AccountRegistry) -> list[Account]:
    """Return the accounts that are enabled, in order of priority."""
    return [account for account in registry if account.enabled]


def adopted(delivery: Delivery, registry: AccountRegistry, now: float) -> Delivery | None:
    """Return the delivery as it goes on, at once, by the account that would take it now.

    :return: ``None`` when no account takes all of its recipients: then it stays, since its account
        may come back, and the log says so.
    """
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
            return attrs.evolve(
                delivery,
                account=route.account,
                due=min(delivery.due, now),
                tried=(),
                recipients=tuple(attrs.evolve(each, reason=by.reason) for each, by in reasons),
            )
    return None


def _takes_all(registry: AccountRegistry, name: str, recipients: list[str]) -> bool:
    account = registry.account(name)
    return account is not None and all(
        account.recipients.match(matching_form(recipient)) for recipient in recipients
    )
