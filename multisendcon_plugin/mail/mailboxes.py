"""The mailboxes in the body of an address field: RFC 5322, section 3.4.

Groups may be in any address field (RFC 6854).  What breaks the grammar has a meaning too, for
people read it: see `mailboxes`.  Nothing here raises on any octets, and it takes time linear in
what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from .display_name import phrase
from .tokens import Token, tokens


class Mailbox(NamedTuple):
    """One mailbox of an address field.

    :param name: its display name without comments, as it may stand before an angle-addr: quoted
        where it has to be.  ``b""``: it has none.
    :param address: the addr-spec without comments, blanks and route; ``""`` when there is none.
    """

    name: bytes
    address: str


def mailboxes(text: bytes, start: int, end: int) -> Iterator[Mailbox]:
    """Iterate over the mailboxes in the body of an address field, those of groups included.

    What breaks the grammar is read as people read it:

    * Commas and semicolons separate mailboxes only behind an address: in ``Doe, John <j@x>`` the
      comma belongs to the name.  So does a colon, unless a semicolon closes its group.
    * Of several angle-addrs the last that holds an addr-spec is the address, and all before it
      the name: ``Jane <jane@home> <j@x>``.  One that is never closed ends at the next separator.
    * Without an angle-addr, the first addr-spec that stands alone is the address.
    * A quote or a parenthesis that is never closed is an ordinary character.

    A name without an address is a mailbox only if an angle-addr shows that it is meant for one
    (``Jane <>``), and there is no other mailbox behind it.

    :param start: `header.Field.value_start`.
    :param end: `header.Field.end`.
    """
    entry = _Entry(text)
    in_group = False
    groups_end = -1
    for token in tokens(text, start, end):
        if token.kind == ":" and not entry.in_angle:
            # Looked for once: a field of nothing but colons must not cost its square.
            if groups_end < 0:
                groups_end = _last_semicolon(text, token.end, end)
            if token.start < groups_end:
                entry = _Entry(text)
                in_group = True
                continue
        if token.kind not in {",", ";"}:
            entry.add(token)
            continue
        # RFC 5322 section 3.4 wants quotes around such a name; people, and Outlook, leave them out.
        mailbox = entry.separate(token)
        if mailbox:
            yield mailbox
        if token.kind == ";" and in_group:
            in_group = False
            entry = _Entry(text)
        elif mailbox:
            entry = _Entry(text)
    mailbox = entry.separate(Token(",", end, end)) or entry.nameless()
    if mailbox:
        yield mailbox


def _last_semicolon(text: bytes, start: int, end: int) -> int:
    """Return where the last semicolon stands that separates; 0 when there is none."""
    return max((token.start for token in tokens(text, start, end) if token.kind == ";"), default=0)


class _Entry:
    """The tokens since the last mailbox; those behind the last separator may be an address.

    :ivar in_angle: a ``<`` is not closed.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._tokens: list[Token] = []
        self._segment = 0
        self._opening: int | None = None
        self._name_end: int | None = None
        self._address = ""

    @property
    def in_angle(self) -> bool:
        return self._opening is not None

    def add(self, token: Token) -> None:
        if token.kind == "<":
            self._opening = len(self._tokens)
        elif token.kind == ">":
            self._close()
        self._tokens.append(token)

    def _close(self) -> None:
        if self._opening is None:
            return
        # The last one that is an address: it is what most readers show, and reply to.
        address = _address(self._text, self._tokens[self._opening + 1 :])
        if address or not self._address:
            self._address = address
            self._name_end = self._opening
        self._opening = None

    def separate(self, separator: Token) -> Mailbox | None:
        """Return the mailbox that ends here; ``None``: the separator is part of a name."""
        self._close()
        if self._address:
            return Mailbox(self._name(), self._address)
        address = _bare_address(self._text, self._tokens[self._segment :])
        if address:
            return Mailbox(b"", address)
        if self._tokens:
            self._tokens.append(separator)
        self._segment = len(self._tokens)
        return None

    def nameless(self) -> Mailbox | None:
        """Return what there is when no address has followed."""
        return None if self._name_end is None else Mailbox(self._name(), "")

    def _name(self) -> bytes:
        return phrase(self._text, self._tokens[: self._name_end])


_ADDR_SPEC = re.compile(r"[wqe]+@[wle]+")
_IN_ADDR_SPEC = frozenset("wqelp@")


def _bare_address(text: bytes, segment: list[Token]) -> str:
    before_angle = takewhile(lambda token: token.kind != "<", segment)
    for spec in _runs(text, [token for token in before_angle if token.kind in _IN_ADDR_SPEC]):
        if any(token.kind == "@" for token in spec) and (address := _address(text, spec)):
            return address
    return ""


def _runs(text: bytes, parts: list[Token]) -> list[list[Token]]:
    """Split tokens where blanks or comments separate them: not around a dot or an ``@``.

    Those may have blanks and comments on both sides (obsolete syntax, section 4.4).
    """
    runs: list[list[Token]] = []
    last: Token | None = None
    for token in parts:
        if last and (
            last.end == token.start or text[last.end - 1] in b".@" or text[token.start] in b".@"
        ):
            runs[-1].append(token)
        else:
            runs.append([token])
        last = token
    return runs


def _address(text: bytes, spec: list[Token]) -> str:
    spec = [token for token in spec if token.kind != "c"]
    if not _ADDR_SPEC.fullmatch("".join(token.kind for token in spec)):
        return ""
    if len(_runs(text, spec)) > 1:
        return ""
    octets = b"".join(text[token.start : token.end] for token in spec)
    try:
        address = octets.replace(b"\r\n", b"").decode()
    except UnicodeDecodeError:
        return ""
    # What cannot be printed is no address of anybody, and could end a line of a report.
    return address if address.isprintable() else ""
