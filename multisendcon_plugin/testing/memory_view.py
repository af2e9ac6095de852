"""The queue view of the spool in memory: what `spool.view` does, without SQL."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..mail.address import matching_form
from ..mail.message import Delivery, LaneKey
from ..mail.selection import Selection

Deliveries = dict[int, Delivery]


def selected(deliveries: Deliveries, selection: Selection, after: int) -> list[Delivery]:
    """Return the deliveries that are selected, in order of their numbers."""
    return [
        deliveries[number]
        for number in sorted(deliveries)
        if number > after and _admits(selection, deliveries[number])
    ]


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
    sender, recipient = selection.sender, selection.recipient
    if sender is not None and not _match(sender, message.envelope.reverse_path):
        return False
    return recipient is None or any(_match(recipient, each.address) for each in delivery.recipients)


def _match(one: str, other: str) -> bool:
    return matching_form(one) == matching_form(other)


def hold(deliveries: Deliveries, numbers: Iterable[int], *, held: bool) -> tuple[int, ...]:
    """Hold deliveries, or release them; return those that were otherwise."""
    changed = []
    for number in numbers:
        delivery = deliveries.get(number)
        if delivery is not None and delivery.held is not held:
            deliveries[number] = attrs.evolve(delivery, held=held)
            changed.append(number)
    return tuple(changed)


def retry(deliveries: Deliveries, numbers: Iterable[int], due: float) -> tuple[int, ...]:
    """Let deliveries be due by then; return those that were due later, and are not held."""
    changed = []
    for number in numbers:
        delivery = deliveries.get(number)
        if delivery is not None and not delivery.held and delivery.due > due:
            deliveries[number] = attrs.evolve(delivery, due=due)
            changed.append(number)
    return tuple(changed)


def move(
    deliveries: Deliveries, numbers: Iterable[int], lane: LaneKey, reason: str, due: float
) -> tuple[int, ...]:
    """Move deliveries to another lane, due at once; return those that were in others."""
    moved = []
    for number in numbers:
        delivery = deliveries.get(number)
        if delivery is not None and delivery.lane != lane:
            deliveries[number] = delivery.moved_to(lane, reason, due)
            moved.append(number)
    return tuple(moved)
