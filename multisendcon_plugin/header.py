"""The header block of a message, as byte ranges of the content.

Finds where the block ends, its fields, and the mailboxes in an address field: RFC 5322,
sections 2.2, 3.4 and 4; groups in `From:` are RFC 6854.  Content is in wire form.

Never parses and writes anew, never decodes an encoded word (RFC 2047), never looks at the body,
and never uses the package ``email``: what that finds depends on the version of Python.  Nothing
here raises on any octets, and every function takes time linear in what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import attrs

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
_SIGNED_FIELDS = re.compile(rb"(?:^|;)\s*h\s*=([^;]*)")
_BLANK_LINE = b"\r\n"


def header_end(content: bytes | bytearray, start: int = 0) -> int:
    """Return how many octets at the start of the content are its header block.

    All fields with their CRLF, without the empty line.  The block ends early at a line that is
    neither field nor continuation: a message without header has a block of 0 octets.  An mbox
    line (``From ...``, ``>From ...``) at the very top belongs to the block.

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
    """Return where a trace field goes: on top (RFC 5321, section 4.4), but below an mbox line."""
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


@attrs.frozen(kw_only=True)
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
        Field(
            name=found[1].lower().decode("ascii"),
            start=found.start(),
            value_start=found.start(2),
            end=found.end(),
        )
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


@attrs.frozen(kw_only=True)
class Mailbox:
    """One mailbox in the body of an address field, as offsets into the block.

    :param start: where its display name begins; if it has none, or one that breaks the grammar,
        its ``<`` or its address.
    :param address_start: where its addr-spec begins, or the obsolete route before it.
    :param address_end: the octet after its addr-spec.
    :param end: the octet after its ``>``, or after the comments that follow a bare address.
    :param address: the addr-spec without comments, blanks and route; ``""`` when it is not an
        addr-spec, not UTF-8 or has control characters.
    """

    start: int
    address_start: int
    address_end: int
    end: int
    address: str


class _Token(NamedTuple):
    """A lexical token of RFC 5322, section 3.2.

    :param kind: ``w`` word, ``q`` quoted string, ``l`` domain literal, ``c`` comment, or the
        special character itself.  An opening ``<`` has its obsolete route with it.
    """

    kind: str
    start: int
    end: int


_LEXEME = re.compile(
    rb"""(?sx)
      [ \t\r\n]++
    | (?P<w> [^ \t\r\n()<>\[\]:;@\\,"]++ | \\[^\r\n] )
    | (?P<q> "[^"\\]*+(?:\\.[^"\\]*+)*" )
    | (?P<l> \[[^\[\]\\]*+\] )
    | (?P<angle> <(?:[ \t\r\n]*+@[^<>:;"()]*+:)? )
    | (?P<special> . )
    """
)
_NESTING = re.compile(rb"(?s)[()]|\\.")
_PHRASE = frozenset("wqc")
_ADDR_SPEC = re.compile(r"[wq]+@[wl]+")


def _comment_end(text: bytes, start: int, end: int) -> int | None:
    depth = 0
    for mark in _NESTING.finditer(text, start, end):
        if mark[0] == b"(":
            depth += 1
        elif mark[0] == b")":
            depth -= 1
            if not depth:
                return mark.end()
    return None


def _tokens(text: bytes, start: int, end: int) -> Iterator[_Token]:
    comments = True
    while lexeme := _LEXEME.match(text, start, end):
        kind = lexeme.lastgroup
        stop = lexeme.end()
        if kind in {"special", "angle"}:
            kind = chr(text[start])
        if kind == "(" and comments:
            closed = _comment_end(text, start, end)
            if closed:
                kind, stop = "c", closed
            else:
                # From a parenthesis that is never closed, all of them are ordinary characters:
                # looking for the end of each would take quadratic time.
                comments = False
        if kind:
            yield _Token(kind, start, stop)
        start = stop


def is_blank(block: bytes, start: int, end: int) -> bool:
    """Tell whether a range of a field's body has only white space and comments (CFWS)."""
    return all(token.kind == "c" for token in _tokens(block, start, end))


def mailboxes(block: bytes, start: int, end: int) -> list[Mailbox]:
    """Return the mailboxes in the body of an address field, those of groups included.

    What breaks the grammar has a meaning too: a quote or a parenthesis that is never closed is
    an ordinary character; a bare word without ``@`` is no mailbox; of several angle addresses
    each is a mailbox, and one that is never closed ends at the next comma.

    :param start: `Field.value_start`.
    :param end: `Field.end`.
    """
    found: list[Mailbox | None] = []
    entry: list[_Token] = []
    angle = False
    for token in _tokens(block, start, end):
        if token.kind == ":" and not angle:
            entry = []  # the name of a group
            continue
        if token.kind not in {",", ";"}:
            entry.append(token)
            angle = angle or token.kind == "<"
            if not (angle and token.kind == ">"):
                continue
        found.append(_mailbox(block, entry))
        entry = []
        angle = False
    found.append(_mailbox(block, entry))
    return [mailbox for mailbox in found if mailbox]


def _mailbox(text: bytes, entry: list[_Token]) -> Mailbox | None:
    """Find the mailbox in the tokens between two separators."""
    for place in range(len(entry) - 1, -1, -1):
        if entry[place].kind == "<":
            return _angle_mailbox(text, entry[:place], entry[place], entry[place + 1 :])
    return _bare_mailbox(text, entry)


def _angle_mailbox(
    text: bytes, name: list[_Token], opening: _Token, rest: list[_Token]
) -> Mailbox | None:
    spec = [token for token in rest if token.kind not in {"c", ">"}]
    closed = bool(rest) and rest[-1].kind == ">"
    if not (spec or closed):
        return None
    routed = opening.end - opening.start > 1
    address_start = spec[0].start if spec and not routed else opening.start + 1
    address_end = spec[-1].end if spec else opening.end
    start = opening.start if closed else address_start
    if closed and name and _PHRASE.issuperset(token.kind for token in name):
        start = name[0].start
    return Mailbox(
        start=start,
        address_start=address_start,
        address_end=address_end,
        end=rest[-1].end if closed else address_end,
        address=_address(text, spec),
    )


def _bare_mailbox(text: bytes, entry: list[_Token]) -> Mailbox | None:
    for spec in _runs(text, [token for token in entry if token.kind != "c"]):
        if any(token.kind == "@" for token in spec):
            start, end = spec[0].start, spec[-1].end
            comments_follow = all(token.kind == "c" for token in entry if token.start >= end)
            return Mailbox(
                start=start,
                address_start=start,
                address_end=end,
                end=entry[-1].end if comments_follow else end,
                address=_address(text, spec),
            )
    return None


def _runs(text: bytes, tokens: list[_Token]) -> list[list[_Token]]:
    """Split tokens where blanks or comments separate them: not around a dot or an ``@``.

    Those may have blanks and comments on both sides (obsolete syntax, section 4.4).
    """
    runs: list[list[_Token]] = []
    last: _Token | None = None
    for token in tokens:
        if last and (
            last.end == token.start or text[last.end - 1] in b".@" or text[token.start] in b".@"
        ):
            runs[-1].append(token)
        else:
            runs.append([token])
        last = token
    return runs


def _address(text: bytes, spec: list[_Token]) -> str:
    if not _ADDR_SPEC.fullmatch("".join(token.kind for token in spec)):
        return ""
    if len(_runs(text, spec)) > 1:
        return ""
    octets = b"".join(text[token.start : token.end] for token in spec)
    try:
        address = octets.replace(b"\r\n", b"").decode()
    except UnicodeDecodeError:
        return ""
    return address if address.isprintable() else ""


def first_address(block: bytes) -> str:
    """Return the first address of the topmost ``From:``; ``""`` when there is none."""
    for field in fields(block):
        if field.name == "from":
            listed = mailboxes(block, field.value_start, field.end)
            return listed[0].address if listed else ""
    return ""


def is_private(block: bytes) -> bool:
    """Tell whether the author marked the message as private (RFC 4021, section 2.1.55).

    ``Sensitivity: Private`` in any case, with comments and folding; no other value counts.
    """
    if b"sensitivity" not in block.lower():
        return False  # most mails, at a fraction of the cost
    for field in fields(block):
        if field.name == "sensitivity":
            value = [t for t in _tokens(block, field.value_start, field.end) if t.kind != "c"]
            if len(value) == 1 and block[value[0].start : value[0].end].lower() == b"private":
                return True
    return False
