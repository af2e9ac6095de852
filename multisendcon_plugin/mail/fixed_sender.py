"""The fixed sender: another originator in the header block of a message.

RFC 5322, section 3.6.2.  Puts it into the fields that name an originator, removes what else shows
the replaced one, and adds the ``Reply-To:`` that leads back to the authors.  Works on octets in
wire form: what need not change stays as it is, byte for byte.  Never sees the body or the
envelope, never decides whether the sender is replaced, never touches ARC sets (RFC 8617).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from ..errors import AddressError
from .address import ascii_domain
from .display_name import shows
from .header import ORIGINATORS, Field, edited, fields, insertion_point, signed_fields
from .mailboxes import Mailbox, mailboxes

#: Octets of a line without its CRLF (RFC 5322, section 2.1.1).
LONGEST_LINE = 998
#: There may be only one of each (section 3.6; RFC 9057); a mail that was sent again has more of
#: the others.
_ONLY_ONE = frozenset({"from", "sender", "author"})


def replace_sender(
    block: bytes,
    fixed: str,
    *,
    hidden: str = "",
    removes: Iterable[str] = (),
    ascii_only: bool = False,
) -> bytes:
    """Return the header block with the fixed sender as its only author and sender.

    * ``From:`` keeps the name of its first mailbox, with another address; other mailboxes,
      comments, groups and further ``From:`` fields go.  If it is missing, one is added.
      ``Sender:``, ``Author:``, ``Resent-From:`` and ``Resent-Sender:`` likewise, but none is added.
    * A name that shows an address which is replaced goes, too.
    * The authors become ``Reply-To:``, unless one with an address is there, or the fixed sender
      is the only one (compared without case).
    * ``Return-Path:``, an mbox line and the fields that `removes` names are removed.
    * A ``DKIM-Signature:`` over a field that changed is removed (RFC 6376, section 3.7).

    :param block: the whole header block without the empty line; see `header.header_end`.
    :param fixed: an addr-spec, ASCII or UTF-8, that was validated before.
    :param hidden: the reverse-path that the fixed sender replaces, too; ``""``: none.
    :param removes: names of fields, in any case.
    :param ascii_only: ``Reply-To:`` is to name only authors that ASCII can name.
    """
    every = fields(block)
    listed = {field: _read(block, field) for field in every if field.name in ORIGINATORS}
    authors = next((boxes for field, boxes in listed.items() if field.name == "from" and boxes), ())
    # Whoever reads the header is not to learn any of these.
    replaced = {hidden, *(box.address for boxes in listed.values() for box in boxes)}
    replaced = {address for address in replaced if address and not _same(address, fixed)}
    unwanted = {"return-path", *map(str.lower, removes)}
    edits = {field: b"" for field in every if field.name in unwanted}
    only: dict[str, Field] = {}
    for field, boxes in listed.items():
        # Which of two a reader shows, nobody knows.
        if field.name in _ONLY_ONE and only.setdefault(field.name, field) is not field:
            edits[field] = b""
            continue
        first = next(iter(authors if field.name == "from" else boxes), None)
        if not (first and _stays(block, field, first, fixed, replaced)):
            name = first.name if first and not shows(first.name, replaced) else b""
            edits[field] = _written(field.name, name, fixed)
    changed = {field.name for field in edits}
    added = b""
    if "from" not in only:
        # There has to be one (RFC 5322, section 3.6).
        changed.add("from")
        added = _written("from", b"", fixed)
    elif reply_to := _reply_to(authors, fixed, ascii_only=ascii_only):
        # The authors' own wish counts, if it leads anywhere.
        present = [field for field in every if field.name == "reply-to"]
        if not any(box.address for field in present for box in _boxes(block, field)):
            edits |= dict.fromkeys(present, b"")
            edits[only["from"]] += reply_to
    for field in every:
        # A signature covers "From:" whether it says so or not (RFC 6376, section 5.4).  One that
        # does not verify is worse than none to some filters, though section 6.1 says it is the
        # same.
        if field.name == "dkim-signature" and changed & {"from", *signed_fields(block, field)}:
            edits[field] = b""
    return edited(block, edits)[insertion_point(block) :] + added


def _boxes(block: bytes, field: Field) -> Iterator[Mailbox]:
    return mailboxes(block, field.value_start, field.end)


def _read(block: bytes, field: Field) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a field of an originator, as far as they are wanted."""
    return tuple(islice(_boxes(block, field), None if field.name == "from" else 1))


def _stays(
    block: bytes, field: Field, first: Mailbox, fixed: str, replaced: Collection[str]
) -> bool:
    """Tell whether a field names the fixed sender already, and nobody else in any reading."""
    if not _same(first.address, fixed) or shows(first.name, replaced):
        return False
    body = block[field.value_start : field.end]
    octets = first.address.encode()
    forms = [first.name + b"<" + octets + b">"] + [octets] * (not first.name)
    unblank = field.value_start == field.start + len(field.name) + 1
    return unblank and _squeezed(body) in map(_squeezed, forms)


def _squeezed(octets: bytes) -> bytes:
    return b"".join(octets.split())


def _written(name: str, display_name: bytes, address: str) -> bytes:
    """Return a field with one mailbox; without its display name where that makes it too long."""
    label = name.title().encode() + b": "
    field = label + _mailbox(display_name, address.encode()) + b"\r\n"
    return field if _fits(field) else label + address.encode() + b"\r\n"


def _mailbox(display_name: bytes, address: bytes) -> bytes:
    return display_name + b" <" + address + b">" if display_name else address


def _fits(octets: bytes, limit: int = LONGEST_LINE) -> bool:
    return all(len(line) <= limit for line in octets.split(b"\r\n"))


def _reply_to(authors: tuple[Mailbox, ...], fixed: str, *, ascii_only: bool) -> bytes:
    """Return the field that leads back to the authors; ``b""`` when it would lead to none."""
    # Each on a line of its own must fit, with the comma behind it (RFC 5322, section 2.1.1): a
    # server may cut a longer one, and a name is worth less than the address.
    limit = LONGEST_LINE - len("Reply-To: ") - (len(authors) > 1)
    written: dict[str, bytes] = {}
    for name, address in map(_in_ascii, authors) if ascii_only else authors:
        octets = address.encode()
        for value in (_mailbox(name, octets), octets):
            if octets and _fits(value, limit):
                written.setdefault(address.lower(), value)
                break
    if written.keys() <= {fixed.lower()}:
        return b""
    field = b"Reply-To: " + b", ".join(written.values()) + b"\r\n"
    if not _fits(field):
        field = b"Reply-To: " + b",\r\n ".join(written.values()) + b"\r\n"
    return field


def _in_ascii(author: Mailbox) -> Mailbox:
    """Return an author as ASCII can name them, without an address where it cannot.

    A `Reply-To:` that we add must not be what makes a mail need SMTPUTF8: it would come back from a
    server that has taken it without (RFC 6531, section 3.2).
    """
    try:
        address = ascii_domain(author.address)
    except AddressError:
        address = ""
    return Mailbox(author.name if author.name.isascii() else b"", address)


def _same(address: str, fixed: str) -> bool:
    return address.lower() == fixed.lower()
