"""Recipients, and what became of them, as plain lists, which JSON can hold.  Pure."""

from __future__ import annotations

from typing import Any

from .dsn import Notify
from .message import Recipient, Untold
from .phase import Phase
from .reply import Reply

#: Address, reason, what `notify` stands for, original address.
Plain = tuple[str, str, int | None, str]
#: Items of one.
LENGTH = 4


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


def plain_untold(untold: Untold) -> tuple[object, ...]:
    """Return a recipient, and what became of them, as a list; it is longer than a recipient's."""
    reply = untold.reply
    outcome = untold.delivered, untold.phase.value, reply.code, reply.enhanced, reply.text
    return *plain(untold.recipient), *outcome


def untold_of(
    address: str,
    reason: str,
    notify: int | None,
    original: str,
    *outcome: Any,
) -> Untold:
    """Return it again.

    :raise ValueError: it cannot be read.
    """
    delivered, phase, code, enhanced, text = outcome
    return Untold(
        recipient=recipient_of(address, reason, notify, original),
        delivered=delivered,
        phase=Phase(phase),
        reply=Reply(code, enhanced, text),
    )
