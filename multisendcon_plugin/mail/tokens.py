"""The tokens of a structured field's body: RFC 5322, section 3.2.

Bodies are byte ranges of a header block in wire form.  Nothing here raises on any octets, and it
takes time linear in what it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Up to Python 3.11.4 a possessive group (`(?:...)*+`) whose last turn fails half way leaves the
# match at a wrong place (CPython issue 106052).  So only single characters are possessive here;
# the groups need no backtracking, for their alternatives begin differently.


class Token(NamedTuple):
    """A lexical token of RFC 5322, section 3.2.

    :param kind: ``w`` word, ``e`` encoded word (RFC 2047), ``q`` quoted string, ``p`` quoted pair
        where there is none, ``l`` domain literal, ``c`` comment, or the special character itself.
        An opening ``<`` has its obsolete route with it.
    """

    kind: str
    start: int
    end: int


# An encoded word is one, too, with the blanks and commas that real programs leave in it.
_LEXEME = re.compile(
    rb"""(?sx)
      [ \t\r\n]++
    | (?P<e> =\?[^?\s()<>@,;:\\"/\[\]=]++\?(?:[qQ]\?[^?<>"\\\r\n]*+|[bB]\?[A-Za-z0-9+/=]*+)\?= )
    | (?P<w> [^ \t\r\n()<>\[\]:;@\\,"]++ )
    | (?P<p> \\[^\r\n] )
    | (?P<q> "[^"\\]*+(?:\\.[^"\\]*+)*" )
    | (?P<l> \[[^\[\]\\]*+\] )
    | (?P<angle> <(?:[ \t\r\n]*+@[^<>:;"()]*+:)? )
    | (?P<special> . )
    """
)
_NESTING = re.compile(rb"(?s)[()]|\\.")


def tokens(text: bytes, start: int, end: int) -> Iterator[Token]:
    """Iterate over the tokens of a range of a field's body, white space left out."""
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
            yield Token(kind, start, stop)
        start = stop


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


def is_blank(text: bytes, start: int, end: int) -> bool:
    """Tell whether a range of a field's body has only white space and comments (CFWS)."""
    return all(token.kind == "c" for token in tokens(text, start, end))
