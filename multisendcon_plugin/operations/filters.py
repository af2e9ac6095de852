"""Which deliveries are meant, as the spool is asked for them.  Pure."""

from __future__ import annotations

from ..mail.selection import Selection
from .moments import moment
from .values import DeliveryState, Filter


def selection(asked: Filter, now: float) -> Selection:
    """Return what the spool is asked for.

    :param now: by its clock, in seconds since the epoch.
    :raise BadRequestError: a time cannot be read.
    """
    return Selection(
        account=asked.account,
        destination=asked.destination,
        sender="" if asked.sender == "<>" else asked.sender,
        recipient=asked.recipient,
        held=None if asked.state is None else _HELD.get(asked.state),
        arrived_before=None if asked.older_than is None else moment(asked.older_than, now),
    )


#: What is being tried may have been held meanwhile.
_HELD = {
    DeliveryState.HELD: True,
    DeliveryState.WAITING: False,
    DeliveryState.RESTING: False,
    DeliveryState.QUOTA: False,
}
