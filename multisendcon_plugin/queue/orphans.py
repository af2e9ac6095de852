"""Deliveries whose account is not in use any more: which account takes them over.

The account was removed from the configuration, or disabled, while their mail was waiting.
"""

from __future__ import annotations

import attrs

from ..address import matching_form
from ..header import first_address
from ..interfaces import IAccountRegistry, ISpool
from ..message import Delivery
from .reports import read_start


async def adopted(delivery: Delivery, registry: IAccountRegistry, spool: ISpool) -> Delivery | None:
    """Return the delivery as it goes on by an account that admits it.

    :return: ``None`` when no account takes all of its recipients.
    """
    sender = delivery.message.envelope.reverse_path
    recipients = [recipient.address for recipient in delivery.recipients]
    if sender:
        routes = [registry.route(sender, recipient) for recipient in recipients]
    else:
        message = delivery.message
        header_from = first_address(await read_start(spool, message, message.header_size))
        routes = [registry.route_null(header_from, recipient) for recipient in recipients]
    for route in routes:
        if route and _takes_all(registry, route.account, recipients):
            return attrs.evolve(delivery, account=route.account, tried=())
    return None


def _takes_all(registry: IAccountRegistry, name: str, recipients: list[str]) -> bool:
    account = registry.account(name)
    return account is not None and all(
        account.recipients.match(matching_form(recipient)) for recipient in recipients
    )
