"""From a message to the mail that leaves by an account: its reverse-path, header and body.

The content leaves as it lies in the spool, in wire form; only a fixed sender changes its header
block.
"""

from __future__ import annotations

import attrs

from ..errors import AddressError
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

    :param start: the first octets of the content in wire form, the header block at least; what
        follows them is that of the message.
    :param header_size: octets of the header block at the beginning of `start`.
    :param size: octets of the whole content, without the dots that SMTP adds.
    :param own_sender: the reverse-path is the client's, not a fixed one.
    :param utf8: header or reverse-path may go beyond ASCII (RFC 6532).
    :param separated: its header ended at a line that is no field, so an empty line was put before
        that line.
    """

    reverse_path: str
    start: bytes
    header_size: int
    size: int
    own_sender: bool
    utf8: bool
    separated: bool


def prepare(account: Account, message: Message, start: bytes, *, utf8: bool) -> OutgoingMail | None:
    """Make what an account wants of a message.

    :param start: the first octets of its content.
    :param utf8: what follows the account takes header fields beyond ASCII (RFC 6532); else those
        that are added have none, as far as there is another way to write them.
    :return: ``None``: more of the content is needed for it.
    """
    header_size = message.header_size
    if len(start) < header_size:
        return None
    envelope = message.envelope
    reverse_path = envelope.reverse_path
    own_size = header_size
    separator = b""
    if account.fixed_sender:
        header = start[:header_size]
        if not (account.fixed_sender_unless_private and is_private(header)):
            body_begun = min(header_size + len(_EMPTY_LINE), message.size)
            if len(start) < body_begun:
                return None
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
            if body_begun > header_size and not start.startswith(_EMPTY_LINE, header_size):
                separator = _EMPTY_LINE
            start = header + separator + start[header_size:]
            own_size = len(header)
    return OutgoingMail(
        reverse_path,
        start,
        own_size,
        message.size - message.dots + own_size + len(separator) - header_size,
        reverse_path == envelope.reverse_path,
        envelope.utf8 or not reverse_path.isascii(),
        bool(separator),
    )


def _as_ascii(address: str) -> str:
    try:
        return ascii_domain(address)
    except AddressError:
        return address
