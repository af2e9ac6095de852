"""Completes mail that comes directly from a mail program or device (RFC 6409, section 8).

Adds what is missing or empty in the header block, and removes what nobody but its author may see.
Works on octets in wire form: what need not change stays as it is, byte for byte.  Never touches
what a signature covers, and never sees the body or the envelope.
"""

from __future__ import annotations

from .header import edited, fields, signed_fields
from .tokens import is_blank

#: RFC 5322 sections 3.6.3 and 3.6.6; RFC 5321 section 4.4 for the last one.
_NOT_TO_BE_SEEN = frozenset({"bcc", "resent-bcc", "return-path"})
_SIGNATURES = frozenset({"dkim-signature", "arc-message-signature"})


def complete(block: bytes, *, author: str, date: str, message_id: str) -> bytes:
    """Return the header block with ``From:``, ``Date:`` and ``Message-ID:``, without ``Bcc:``.

    ``Resent-Bcc:`` and ``Return-Path:`` go too.  A field that a signature names stays as it is,
    also when it is missing: then the signature says that it has to be (RFC 6376, section 5.4).

    :param block: the whole header block without the empty line, not empty; see `header.header_end`.
    :param author: the address for a ``From:``; ``""``: there is none, so none is added.
    :param message_id: with its angle brackets.
    """
    every = fields(block)
    # What a signature names must not change; other fields of a signed mail are completed.
    signed = frozenset[str]().union(
        *(signed_fields(block, field) for field in every if field.name in _SIGNATURES)
    )
    edits = {field: b"" for field in every if field.name in _NOT_TO_BE_SEEN - signed}
    added = b""
    for name, value in (("From", author), ("Date", date), ("Message-ID", message_id)):
        present = [field for field in every if field.name == name.lower()]
        empty = all(is_blank(block, field.value_start, field.end) for field in present)
        if value and empty and name.lower() not in signed:
            line = f"{name}: {value}\r\n".encode()
            edits |= dict.fromkeys(present, b"")
            if present:
                edits[present[0]] = line
            else:
                added += line
    return edited(block, edits) + added
