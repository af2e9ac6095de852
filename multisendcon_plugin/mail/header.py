"""The header block of a message, as byte ranges of the content.

Finds where the block ends, its fields, and what some of them say: RFC 5322, sections 2.2, 3.6 and
4.  Content is in wire form.

Never parses and writes anew, never decodes an encoded word (RFC 2047), never looks at the body,
and never uses the package ``email``: what that finds depends on the version of Python.  Nothing
here raises on any octets, and every function takes time linear in what it is given.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import attrs

from .mailboxes import mailboxes
from .tokens import tokens

# Up to Python 3.11.4 a possessive group (`(?:...)*+`) whose last turn fails half way leaves the
# match at a wrong place (CPython issue 106052).  So only single characters are possessive here;
# the groups need no backtracking, for their alternatives begin differently.

_NAME = rb"[!-9;-~]++[ \t]*+:"  # blanks before the colon: obsolete syntax, section 4.5
# The rest of a line, up to and with its CRLF, without a bare CR or LF.  This says the same as
# `[^\r\n]*+\r\n`, but excluding one character at a time runs more than twice as fast.
_REST = rb"(?=.*+(?<=\r)\n)[^\r]*+\r\n"
_FOLDS = rb"(?:[ \t]" + _REST + rb")*"

# At the top an mbox line may stand, but no continuation line.
_BLOCK = re.compile(
    rb"(?:\A>?From " + _REST + rb"|(?!\A[ \t]))(?:(?:" + _NAME + rb"|[ \t])" + _REST + rb")*"
)
# A last line without its CRLF that more octets could still turn into a line of the header.
_UNDECIDED = re.compile(
    rb"(?:[!-9;-~]*+[ \t]*+(?::[^\r\n]*+)?|[ \t][^\r\n]*+|\A>?From [^\r\n]*+)\r?"
)
_MBOX_LINE = re.compile(rb">?From (?![ \t]*+:)" + _REST + _FOLDS)
_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:()" + _REST + _FOLDS)
_RECEIVED = re.compile(rb"\n(?i:received)[ \t]*+:")
_VALUE = rb"[ \t]*+:([^\r]*+(?:\r\n[ \t][^\r]*+)*)"
_IDENTITY = (re.compile(rb"\n(?i:message-id)" + _VALUE), re.compile(rb"\n(?i:subject)" + _VALUE))
_SIGNED_FIELDS = re.compile(rb"(?:^|;)\s*h\s*=([^;]*)")
_BLANK_LINE = b"\r\n"


def header_end(content: bytes | bytearray, start: int = 0) -> int:
    """Return how many octets at the start of the content are its header block.

    All fields with their CRLF, without the empty line.  The block ends early at a line that is
    neither field nor continuation: a message without header has a block of 0 octets.  An mbox
    line (``From ...``, ``>From ...``) at the very top belongs to the block.

    Other readers go on behind a line that is no field, and may find a second ``From:`` there.
    Where that matters, beside a fixed sender or bound senders, an empty line is put before such a
    line, and nowhere else: mail of which nothing is hidden is not changed.

    :param start: what this function returned for a shorter beginning of the same content; the
        search goes on there.
    """
    block = _BLOCK.match(content, start)
    return block.end() if block else 0


def header_complete(content: bytes | bytearray, start: int = 0) -> bool:
    """Tell whether `header_end` stays the same, whatever else arrives.

    :param start: as for `header_end`.
    """
    return _UNDECIDED.fullmatch(content, header_end(content, start)) is None


def insertion_point(content: bytes | bytearray) -> int:
    """Return where a trace field goes: on top (RFC 5321, section 4.4), but below an mbox line.

    Below a field, an mbox line would be a line that is none, and would end the header.
    """
    mbox_line = _MBOX_LINE.match(content)
    return mbox_line.end() if mbox_line else 0


def separator_needed(content: bytes | bytearray) -> bool:
    """Tell whether an empty line must follow a trace field that is added.

    So it is when the content has no header, not even an empty one: its first line would be
    taken for part of the new header.
    """
    top = insertion_point(content)
    return not (_FIELD.match(content, top) or content.startswith(_BLANK_LINE, top))


def count_received(block: bytes) -> int:
    """Count the trace fields ``Received:``, for the detection of loops (RFC 5321, section 6.3)."""
    return len(_RECEIVED.findall(b"\n" + block))


def count_passes(block: bytes, hostname: bytes) -> int:
    """Count the trace fields that a host of this name has put on (``by``: RFC 5321, section 4.4).

    Two relays that point at each other are found by it long before all fields are too many.  Hosts
    in between may have folded them otherwise.
    """
    by = re.compile(rb"(?i)(?<![^:\s])by\s+" + re.escape(hostname) + rb"(?![^\s;(])")
    return sum(
        field.name == "received" and by.search(block, field.value_start, field.end) is not None
        for field in fields(block)
    )


#: Characters of a value that are kept beside the mail: RFC 5322, section 2.1.1.
LONGEST_KEPT = 998


def identity(block: bytes) -> tuple[str, str]:
    """Return what the first ``Message-ID:`` and the first ``Subject:`` say; ``""``: nothing.

    Unfolded, at most `LONGEST_KEPT` characters, encoded words as they are.  Octets that are no
    UTF-8 are replaced (U+FFFD): what encoding they are in nobody knows, and a text that holds them
    could not be written as JSON everywhere.
    """
    # One function for both, without others: each mail comes by here.
    lines = b"\n" + block
    values = []
    for field in _IDENTITY:
        found = field.search(lines)
        value = found[1].replace(b"\r\n", b"").strip() if found else b""
        values.append(value.decode("utf-8", "replace")[:LONGEST_KEPT])
    message_id, subject = values
    return message_id, subject


@attrs.frozen
class Field:
    """One field of a header block, as offsets into the block.

    :param name: in lower case.
    :param value_start: the octet after the colon.
    :param end: the octet after the last CRLF.
    """

    name: str
    start: int
    value_start: int
    end: int


def fields(block: bytes) -> list[Field]:
    """Return the fields of a whole header block in their order, without an mbox line."""
    return [
        Field(found[1].lower().decode("ascii"), found.start(), found.start(2), found.end())
        for found in _FIELD.finditer(block, insertion_point(block))
    ]


def edited(block: bytes, edits: Mapping[Field, bytes]) -> bytes:
    """Return the block with other octets in place of some of its fields."""
    pieces: list[bytes] = []
    done = 0
    for field in sorted(edits, key=lambda field: field.start):
        pieces += block[done : field.start], edits[field]
        done = field.end
    pieces.append(block[done:])
    return b"".join(pieces)


def signed_fields(block: bytes, field: Field) -> frozenset[str]:
    """Return the names, in lower case, in ``h=`` of a signature (RFC 6376, section 3.5)."""
    listed = _SIGNED_FIELDS.search(block[field.value_start : field.end])
    names = b"".join(listed[1].split()).lower().split(b":") if listed else []
    return frozenset(name.decode("latin-1") for name in names)


#: Who sent a mail, or sent it again: RFC 5322, sections 3.6.2 and 3.6.6, and RFC 9057.
ORIGINATORS = frozenset({"from", "sender", "author", "resent-from", "resent-sender"})
#: Octets of all fields whose addresses we read, and mailboxes in those of one name: with these, no
#: mail costs more than a tenth of a second.  ``To:`` and ``Cc:``, which may be long, are not read.
LONGEST_ADDRESS_FIELDS = 16 * 1024
MOST_MAILBOXES = 500
_READ_FIELDS = ORIGINATORS | {"reply-to"}


def addresses_exceed(block: bytes) -> bool:
    """Tell whether the fields whose addresses we read have too many of them, or are too long.

    They are read again at each attempt, and for the null reverse-path.
    """
    separators = block.count(b",") + block.count(b";")
    if len(block) <= LONGEST_ADDRESS_FIELDS and separators < MOST_MAILBOXES:
        return False  # most mails, at a fraction of the cost
    read = [field for field in fields(block) if field.name in _READ_FIELDS]
    if sum(field.end - field.start for field in read) > LONGEST_ADDRESS_FIELDS:
        return True
    count: Counter[str] = Counter()
    for field in read:
        count[field.name] += sum(1 for _ in mailboxes(block, field.value_start, field.end))
    return any(each > MOST_MAILBOXES for each in count.values())


def first_address(block: bytes) -> str:
    """Return the first address of the topmost ``From:``; ``""`` when there is none."""
    for field in fields(block):
        if field.name == "from":
            first = next(mailboxes(block, field.value_start, field.end), None)
            return first.address if first else ""
    return ""


def authors(block: bytes) -> Iterator[str]:
    """Iterate over the addresses in every ``From:``.

    ``""`` stands for what some reader may show as one although it is none of these: a second
    address beside the one that counts (``<a@x> <b@x>``), a route, text without an address.
    """
    for field in fields(block):
        if field.name != "from":
            continue
        found = [box.address for box in mailboxes(block, field.value_start, field.end)]
        yield from found
        signs = sum(
            block.count(b"@", token.start, token.end)
            for token in tokens(block, field.value_start, field.end)
            if token.kind in {"@", "<"}
        )
        if signs != len(found) or not (found or block[field.value_start : field.end].isspace()):
            yield ""


def is_private(block: bytes) -> bool:
    """Tell whether the author marked the message as private (RFC 4021, section 2.1.55).

    ``Sensitivity: Private`` in any case, with comments and folding; no other value counts.
    """
    if b"sensitivity" not in block.lower():
        return False  # most mails, at a fraction of the cost
    for field in fields(block):
        if field.name == "sensitivity":
            value = [t for t in tokens(block, field.value_start, field.end) if t.kind != "c"]
            if len(value) == 1 and block[value[0].start : value[0].end].lower() == b"private":
                return True
    return False
