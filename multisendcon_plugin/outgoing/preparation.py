"""From a message to the mail that leaves by an account: its reverse-path, header and body.

The content leaves as it lies in the spool, in wire form; only a fixed sender changes its header
block.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..errors import AddressError, SpoolError
from ..interfaces import IContent
from ..mail.address import ascii_domain
from ..mail.fixed_sender import replace_sender
from ..mail.header import is_private
from ..mail.message import Message
from ..routing.account import Account, NullSender

#: What ends a header for every reader; also for those that go on behind a line that is no field.
_EMPTY_LINE = b"\r\n"


@attrs.frozen
class OutgoingMail:
    """A mail as it leaves by an account.

    :param start: the first octets of the content in wire form, the header block at least.
    :param rest: what follows `start`; to be closed by whoever reads it.
    :param header_size: octets of the header block at the beginning of `start`.
    :param size: octets of the whole content, without the dots that SMTP adds.
    :param own_sender: the reverse-path is the client's, not a fixed one.
    :param utf8: header or reverse-path may go beyond ASCII (RFC 6532).
    :param separated: its header ended at a line that is no field, so an empty line was put before
        that line.
    """

    reverse_path: str
    start: bytes
    rest: IContent
    header_size: int
    size: int
    own_sender: bool
    utf8: bool
    separated: bool


async def prepare(
    account: Account, message: Message, open_content: Callable[[], IContent], *, utf8: bool
) -> OutgoingMail:
    """Read the header of a message, and make what an account wants of it.

    :param open_content: begins to read the message.
    :param utf8: what follows the account takes header fields beyond ASCII (RFC 6532); else those
        that are added have none, as far as there is another way to write them.
    :raise SpoolError: the content could not be read.
    """
    content = open_content()
    try:
        header_size = message.header_size
        start = await _read_to(content, header_size, b"")
        header = start[:header_size]
        envelope = message.envelope
        reverse_path = envelope.reverse_path
        separator = b""
        if account.fixed_sender and not (
            account.fixed_sender_unless_private and is_private(header)
        ):
            fixed = _as_ascii(account.fixed_sender)
            header = replace_sender(
                header,
                fixed,
                hidden=reverse_path,
                removes=account.fixed_sender_removes,
                ascii_only=envelope.utf8 and not utf8,
            )
            if reverse_path or account.null_sender is NullSender.REPLACE:
                reverse_path = fixed
            body_begun = min(header_size + len(_EMPTY_LINE), message.size)
            start = await _read_to(content, body_begun, start)
            if body_begun > header_size and not start.startswith(_EMPTY_LINE, header_size):
                separator = _EMPTY_LINE
        return OutgoingMail(
            reverse_path,
            header + separator + start[header_size:],
            content,
            len(header),
            message.size - message.dots + len(header) + len(separator) - header_size,
            reverse_path == envelope.reverse_path,
            envelope.utf8 or not reverse_path.isascii(),
            bool(separator),
        )
    except BaseException:
        content.close()
        raise


async def next_piece(content: IContent) -> bytes:
    """Read on; ``b""`` at the end.

    :raise SpoolError: it could not be read.
    """
    piece = content.read()
    return piece if isinstance(piece, bytes) else await piece


async def _read_to(content: IContent, octets: int, start: bytes) -> bytes:
    """Return the start of the content, with so many octets at least."""
    while len(start) < octets:
        piece = await next_piece(content)
        if not piece:
            raise SpoolError("the content is shorter than its header")
        start += piece
    return start


def _as_ascii(address: str) -> str:
    try:
        return ascii_domain(address)
    except AddressError:
        return address
