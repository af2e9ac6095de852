"""Deliveries as an admin sees them.  Pure but for the words of the standard library's e-mail."""

from __future__ import annotations

from collections.abc import Callable, Set
from email.errors import HeaderParseError
from email.header import decode_header

import attrs

from ..mail.message import Delivery
from ..outcome.condition import Condition, Rest, State
from ..times import Time
from .values import DeliveryState, WaitingDelivery, WaitingRecipient

_SENDS = {State.OK: DeliveryState.WAITING, State.QUOTA: DeliveryState.QUOTA}


@attrs.frozen
class Present:
    """What is so now, beside what the spool knows.

    :param condition: of an account, by its name; ``None``: it is not configured.
    :param under_way: numbers of the deliveries that are being tried.
    :param rest: returns the rest of a destination of an account, by their names.
    :param set_by: seconds by which the clock on the wall differs from that of the spool.
    """

    condition: Callable[[str], Condition | None]
    under_way: Set[int]
    rest: Callable[[str, str], Rest | None]
    set_by: float = 0.0

    def state(self, delivery: Delivery) -> DeliveryState:
        """Return what a delivery waits for."""
        if delivery.number in self.under_way:
            return DeliveryState.ACTIVE
        if delivery.held:
            return DeliveryState.HELD
        condition = self.condition(delivery.account)
        if condition is None:
            return DeliveryState.RESTING
        if self._rest(delivery) is not None:
            return DeliveryState.RESTING
        return _SENDS.get(condition.state, DeliveryState.RESTING)

    def _rest(self, delivery: Delivery) -> Rest | None:
        return self.rest(delivery.account, delivery.destination) if delivery.destination else None

    def row(self, delivery: Delivery) -> WaitingDelivery:
        """Return a delivery as a row of the queue."""
        message = delivery.message
        envelope = message.envelope
        rest = self._rest(delivery)
        return WaitingDelivery(
            id=message.id,
            account=delivery.account,
            destination=delivery.destination,
            state=self.state(delivery),
            sender=envelope.reverse_path,
            recipients=tuple(
                [
                    WaitingRecipient(
                        address=each.address, reason=each.reason, last_reply=delivery.last_reply
                    )
                    for each in delivery.recipients
                ]
            ),
            size=message.size - message.dots,
            arrived=Time(message.arrived + self.set_by),
            due=Time(delivery.due + self.set_by),
            attempts=delivery.attempts,
            last_reply=delivery.last_reply,
            message_id=envelope.message_id,
            subject=shown(envelope.subject),
            tried=delivery.tried,
            fault=rest.fault if rest else "",
            until=Time(rest.until + self.set_by) if rest else None,
        )


def shown(text: str) -> str:
    """Return the text of a header field as people read it (RFC 2047)."""
    try:
        parts = decode_header(text)
    except HeaderParseError:
        return text
    return "".join(
        [part if isinstance(part, str) else _decoded(part, charset) for part, charset in parts]
    )


def _decoded(octets: bytes, charset: str | None) -> str:
    try:
        return octets.decode(charset or "utf-8", "replace")
    except LookupError:
        return octets.decode("ascii", "replace")
