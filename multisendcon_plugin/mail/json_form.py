"""Envelopes, recipients and what became of them as JSON: how they are stored, and cross a channel.

A text is made once, where a message comes in, and stored as it is.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from json import JSONDecoder, JSONEncoder
from typing import Any

from .dsn import Notify, Return
from .envelope import Client, Envelope
from .message import Parcel, Recipient, Untold
from .phase import Phase
from .reply import Reply

#: Address, reason, what `notify` stands for, original address.
Plain = tuple[str, str, int | None, str]
#: Items of one.
LENGTH = 4

#: The texts of a message: of its envelope, and of the recipients of each parcel.
Texts = tuple[str, list[str]]

# Prepared: `json.dumps` and `json.loads` look through their options each time.
encode = JSONEncoder().encode
decode = JSONDecoder().decode


def texts_of(envelope: Envelope, parcels: Iterable[Parcel]) -> Texts:
    """Return the texts of a new message."""
    return envelope_text(envelope), [recipients_text(each.recipients) for each in parcels]


def envelope_text(envelope: Envelope) -> str:
    """Return an envelope as JSON, in ASCII and without line ends."""
    returns = envelope.returns
    return encode(
        (
            envelope.reverse_path,
            envelope.recipients,
            envelope.eight_bit,
            envelope.utf8,
            None if returns is None else returns.value,
            envelope.envelope_id,
            envelope.author,
            envelope.client,
            envelope.message_id,
            envelope.subject,
        )
    )


def envelope_of(listed: list[Any]) -> Envelope:
    """Return the envelope again, from its list.

    :raise ValueError: it cannot be read.
    """
    reverse_path, recipients, eight_bit, utf8, returns, envelope_id, author, *more = listed
    client, message_id, subject = more
    return Envelope(
        reverse_path=reverse_path,
        recipients=tuple(recipients),
        eight_bit=eight_bit,
        utf8=utf8,
        returns=None if returns is None else Return(returns),
        envelope_id=envelope_id,
        author=author,
        client=None if client is None else Client(*client),
        message_id=message_id,
        subject=subject,
    )


def recipients_text(recipients: Iterable[Recipient], untold: Iterable[Untold] = ()) -> str:
    """Return the recipients of a delivery as JSON, in ASCII and without line ends.

    :param untold: those who are settled, but not told of.
    """
    return encode([*map(plain, recipients), *map(plain_untold, untold)])


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


def untold_of(*listed: Any) -> Untold:
    """Return it again.

    :raise ValueError: it cannot be read.
    """
    *recipient, delivered, phase, code, enhanced, text = listed
    return Untold(
        recipient=recipient_of(*recipient),
        delivered=delivered,
        phase=Phase(phase),
        reply=Reply(code, enhanced, text),
    )
