"""Which mails are meant, as spool and history are asked for them."""

from __future__ import annotations

import datetime

from ..history import Search
from ..mail.address import destination_of
from ..mail.message import number_of
from ..mail.selection import Selection
from ..settings.quantities import duration
from ..settings.words import InvalidValueError, shown
from .errors import BadRequestError
from .values import DeliveryState, Filter, HistoryFilter


def selection(asked: Filter, now: float) -> Selection:
    """Return what the spool is asked for.

    :param now: by its clock, in seconds since the epoch.
    :raise BadRequestError: a time cannot be read.
    """
    return Selection(
        account=asked.account,
        destination=asked.destination and destination_of(f"@{asked.destination}"),
        sender="" if asked.sender == "<>" else asked.sender,
        recipient=asked.recipient,
        held=None if asked.state is None else _HELD.get(asked.state),
        arrived_before=None if asked.older_than is None else moment(asked.older_than, now),
        arrived_since=None if asked.younger_than is None else moment(asked.younger_than, now),
    )


#: What is being tried may have been held meanwhile.
_HELD = {
    DeliveryState.HELD: True,
    DeliveryState.WAITING: False,
    DeliveryState.RESTING: False,
    DeliveryState.QUOTA: False,
}


def search_of(asked: HistoryFilter, now: float) -> Search | None:
    """Return what the history is asked for; ``None``: no mail has such an id.

    :param now: by the clock on the wall.
    :raise BadRequestError: a time cannot be read.
    """
    number = None if asked.id is None else number_of(asked.id)
    if asked.id is not None and number is None:
        return None
    return Search(
        number=number,
        sender="" if asked.sender == "<>" else asked.sender,
        recipient=asked.recipient,
        message_id=asked.message_id,
        account=asked.account,
        since=None if asked.since is None else moment(asked.since, now),
        until=None if asked.until is None else moment(asked.until, now),
    )


def moment(text: str, now: float) -> float:
    """Return the time that a text means, in seconds since the epoch.

    :param text: so long ago, such as ``"1h"``; or ISO 8601, in UTC unless it says otherwise.
    :raise BadRequestError: it means none.
    """
    try:
        return now - duration(text)
    except InvalidValueError:
        pass
    try:
        written = datetime.datetime.fromisoformat(text)
        if written.tzinfo is None:
            written = written.replace(tzinfo=datetime.UTC)
        return written.timestamp()
    except (ValueError, OverflowError):
        raise BadRequestError(
            f'{shown(text)} is no time; write for example "90s", "5m", "4h" or "3d" for so long'
            ' ago, or "2026-01-31T12:00:00Z"'
        ) from None
