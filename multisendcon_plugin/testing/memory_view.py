"""What a selection admits of the spool in memory: what `spool.view` finds, without SQL."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import attrs

from ..mail.address import matching_form
from ..mail.message import Delivery
from ..mail.selection import Selection, Total


def selected(deliveries: dict[int, Delivery], selection: Selection, after: int) -> list[Delivery]:
    """Return the deliveries that are selected, in order of their numbers."""
    return [
        deliveries[number]
        for number in sorted(deliveries)
        if number > after and _admits(selection, deliveries[number])
    ]


def totals(deliveries: dict[int, Delivery]) -> dict[str, Total]:
    """Return what waits for each account."""
    by_account: dict[str, list[Delivery]] = {}
    for each in deliveries.values():
        by_account.setdefault(each.account, []).append(each)
    return {
        account: Total(
            sum(not each.held for each in some),
            sum(each.held for each in some),
            min((each.message.arrived for each in some if not each.held), default=None),
        )
        for account, some in by_account.items()
    }


def ages(deliveries: dict[int, Delivery], moments: Sequence[float]) -> dict[str, tuple[int, ...]]:
    """Return how many deliveries of each account arrived when."""
    counts: dict[str, list[int]] = {}
    for each in deliveries.values():
        counts.setdefault(each.account, [0] * (len(moments) + 1))[
            bisect_right(moments, each.message.arrived)
        ] += 1
    return {account: tuple(some) for account, some in counts.items()}


def _admits(selection: Selection, delivery: Delivery) -> bool:
    message = delivery.message
    facts: dict[str, object] = {
        "message": message.number,
        "account": delivery.account,
        "destination": delivery.destination,
        "held": delivery.held,
    }
    said = attrs.asdict(selection)
    if any(said[name] not in (None, fact) for name, fact in facts.items()):
        return False
    if selection.arrived_before is not None and message.arrived >= selection.arrived_before:
        return False
    if selection.arrived_since is not None and message.arrived < selection.arrived_since:
        return False
    sender, recipient = selection.sender, selection.recipient
    if sender is not None and not _match(sender, message.envelope.reverse_path):
        return False
    return recipient is None or any(_match(recipient, each.address) for each in delivery.recipients)


def _match(one: str, other: str) -> bool:
    return matching_form(one) == matching_form(other)
