"""The keys of rows.

What belongs to a message has the message's number times 65536, plus its own place, as key.  Pure.
"""

from __future__ import annotations

from ..errors import SpoolError
from ..interfaces import Commit
from ..mail.message import PLACES, Delivery, Message, NewMessage

#: Above this, keys would not fit into SQLite's integers.
MOST_NUMBERS = 2**63 // PLACES

#: Octets of content in one row; a message that is not longer is kept in memory as well.
PIECE = 128 * 1024


def place(message: int, n: int) -> int:
    """Return the key of the nth piece of content or delivery of a message.

    :raise SpoolError: there is no such place; the key would belong to another message.
    """
    if n >= PLACES:
        raise SpoolError("the message is longer than the spool can hold")
    return message * PLACES + n


def message_of(key: int) -> int:
    """Return the number of the message that a key belongs to."""
    return key // PLACES


def span(message: int) -> tuple[int, int]:
    """Return the lowest and the highest key of a message."""
    return message * PLACES, message * PLACES + PLACES - 1


def pieces(message: int, content: bytes) -> list[tuple[int, bytes]]:
    """Cut content into pieces of at most `PIECE` octets, each with its key.

    There is one at least: the first one is what a second message with this number meets.
    """
    return [
        (place(message, n), content[start : start + PIECE])
        for n, start in enumerate(range(0, len(content) or 1, PIECE))
    ]


def new_deliveries(
    number: int, mail: Commit | NewMessage, *, size: int, dots: int, arrived: float
) -> tuple[Delivery, ...]:
    """Make the deliveries of a new message, all due at once."""
    message = Message(
        number=number,
        envelope=mail.envelope,
        size=size,
        header_size=mail.header_size,
        arrived=arrived,
        dots=dots,
    )
    deliveries = []
    for n, parcel in enumerate(mail.parcels):
        delivery = Delivery(
            number=place(number, n),
            message=message,
            account=parcel.account,
            destination=parcel.destination,
            recipients=parcel.recipients,
            due=arrived,
        )
        deliveries.append(delivery)
    return tuple(deliveries)
