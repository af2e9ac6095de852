"""The fixed sender: another originator in the header block of a message.

RFC 5322, section 3.6.2.  Replaces the addresses in ``From:`` and ``Sender:``, and adds the
``Reply-To:`` that leads back to the author.  Works on octets in wire form: what need not change
stays as it is, byte for byte.  Never sees the body or the envelope, never decides whether the
sender is replaced, never touches ``Resent-`` fields (section 3.6.6) or ARC sets (RFC 8617).
"""

from __future__ import annotations

from .header import Field, Mailbox, edited, fields, is_blank, mailboxes, signed_fields

#: Octets of a line without its CRLF (RFC 5322, section 2.1.1).
LONGEST_LINE = 998


def replace_sender(block: bytes, fixed: str) -> bytes:
    """Return the header block with the fixed sender as its only author and sender.

    * ``From:`` keeps its first mailbox, with another address; other mailboxes, groups and
      further ``From:`` fields go.  If it is missing, one is added.  ``Sender:`` likewise, but
      none is added.
    * The first mailbox of ``From:`` becomes ``Reply-To:``, unless there is one or the address is
      the fixed sender already (compared without case).
    * A ``DKIM-Signature:`` over a field that changed is removed (RFC 6376, section 3.7).

    :param block: the whole header block without the empty line; see `header.header_end`.
    :param fixed: an addr-spec, ASCII or UTF-8, that was validated before.
    """
    every = fields(block)
    authors = [field for field in every if field.name == "from"]
    senders = [field for field in every if field.name == "sender"]
    edits = _edits(block, authors, fixed) | _edits(block, senders, fixed)
    changed = {field.name for field in edits}
    added = b""
    if not authors:
        changed.add("from")
        added = _plain("from", fixed)
    elif not any(field.name == "reply-to" for field in every):
        original = mailboxes(block, authors[0].value_start, authors[0].end)
        if original and original[0].address and not _same(original[0].address, fixed):
            edits[authors[0]] += _reply_to(block, original[0])
    for field in every:
        # A signature covers "From:" whether it says so or not.
        if field.name == "dkim-signature" and changed & {"from", *signed_fields(block, field)}:
            edits[field] = b""
    return edited(block, edits) + added


def _edits(block: bytes, alike: list[Field], fixed: str) -> dict[Field, bytes]:
    """Say what becomes of fields of one name, of which one may be: those that change."""
    edits = dict.fromkeys(alike[1:], b"")
    for field in alike[:1]:
        new = _replaced(block, field, fixed)
        if new != block[field.start : field.end]:
            edits[field] = new
    return edits


def _replaced(block: bytes, field: Field, fixed: str) -> bytes:
    listed = mailboxes(block, field.value_start, field.end)
    if not listed:
        return _plain(field.name, fixed)
    first = listed[0]
    blank_before = is_blank(block, field.value_start, first.start)
    blank_after = is_blank(block, first.end, field.end)
    if blank_before and blank_after and _same(first.address, fixed):
        return block[field.start : field.end]
    new = b"".join(
        (
            block[field.start : field.value_start],
            block[field.value_start : first.start] if blank_before else b" ",
            block[first.start : first.address_start],
            fixed.encode(),
            block[first.address_end : first.end],
            block[first.end : field.end] if blank_after else b"\r\n",
        )
    )
    fits = all(len(line) <= LONGEST_LINE for line in new.split(b"\r\n"))
    return new if fits else _plain(field.name, fixed)


def _plain(name: str, address: str) -> bytes:
    return f"{name.title()}: {address}\r\n".encode()


def _reply_to(block: bytes, mailbox: Mailbox) -> bytes:
    for value in (block[mailbox.start : mailbox.end], mailbox.address.encode()):
        line = b"Reply-To: " + value
        if len(line) <= LONGEST_LINE and b"\r\n" not in value:
            return line + b"\r\n"
    return b""


def _same(address: str, fixed: str) -> bool:
    return address.lower() == fixed.lower()
