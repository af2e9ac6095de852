"""From a delivery to the mail that leaves by its account: the envelope, and the header.

The content leaves as it lies in the spool, in wire form; only a fixed sender changes its header
block.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import AddressError, SpoolError
from ..interfaces import IContent
from ..mail.address import ascii_domain
from ..mail.fixed_sender import replace_sender
from ..mail.header import is_private
from ..mail.message import Delivery
from ..routing.account import Account, NullSender
from .mail import Mail

#: What ends a header for every reader; also for those that go on behind a line that is no field.
_EMPTY_LINE = b"\r\n"

_log = Logger()


async def prepare(
    account: Account, delivery: Delivery, content: IContent, *, smtputf8: bool
) -> Mail:
    """Read the header of a delivery, and make what its account wants of it.

    :param content: at its beginning; the mail goes on with what is left of it.
    :param smtputf8: the server takes what is beyond ASCII.
    :raise SpoolError: the content could not be read.
    """
    message = delivery.message
    header_size = message.header_size
    start = await _read_to(content, header_size, b"")
    header = start[:header_size]
    envelope = message.envelope
    reverse_path = envelope.reverse_path
    separator = b""
    if account.fixed_sender and not (account.fixed_sender_unless_private and is_private(header)):
        fixed = _as_ascii(account.fixed_sender)
        header = replace_sender(
            header,
            fixed,
            hidden=reverse_path,
            removes=account.fixed_sender_removes,
            ascii_only=envelope.utf8 and not smtputf8,
        )
        if reverse_path or account.null_sender is NullSender.REPLACE:
            reverse_path = fixed
        body_begun = min(header_size + len(_EMPTY_LINE), message.size)
        start = await _read_to(content, body_begun, start)
        if body_begun > header_size and not start.startswith(_EMPTY_LINE, header_size):
            separator = _EMPTY_LINE
            _tell_of_separator(account, delivery)
    return Mail(
        reverse_path,
        tuple((n, recipient.address) for n, recipient in enumerate(delivery.recipients)),
        header + separator + start[header_size:],
        header_size=len(header),
        size=message.size - message.dots + len(header) + len(separator) - header_size,
        utf8=envelope.utf8 or not reverse_path.isascii(),
        own_sender=reverse_path == envelope.reverse_path,
    )


async def next_piece(content: IContent) -> bytes:
    """Read on; ``b""`` at the end.

    :raise SpoolError: it could not be read.
    """
    piece = content.read()
    return await piece if isinstance(piece, Deferred) else piece


async def _read_to(content: IContent, octets: int, start: bytes) -> bytes:
    """Return the start of the content, with so many octets at least."""
    while len(start) < octets:
        piece = await next_piece(content)
        if not piece:
            raise SpoolError("the content is shorter than its header")
        start += piece
    return start


def _tell_of_separator(account: Account, delivery: Delivery) -> None:
    if not delivery.attempts:
        _log.warn(
            "{id}: its header ends at a line that is no field; account {account} has a fixed"
            " sender, so an empty line goes before that line, and what follows it is body",
            id=delivery.message.id,
            account=account.name,
        )


def _as_ascii(address: str) -> str:
    try:
        return ascii_domain(address)
    except AddressError:
        return address
