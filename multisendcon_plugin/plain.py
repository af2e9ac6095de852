"""Recipients as plain lists, which JSON can hold.  Pure."""

from __future__ import annotations

from .dsn import Notify
from .message import Recipient

#: Address, reason, what `notify` stands for, original address.
Plain = tuple[str, str, int | None, str]


def plain(recipient: Recipient) -> Plain:
    """Return a recipient as a list."""
    notify = recipient.notify
    value = None if notify is None else notify.value
    return recipient.address, recipient.reason, value, recipient.original


def recipient_of(address: str, reason: str, notify: int | None, original: str) -> Recipient:
    """Return the recipient again.

    :raise ValueError: there is no such way to notify.
    """
    return Recipient(
        address=address,
        reason=reason,
        notify=None if notify is None else Notify(notify),
        original=original,
    )
