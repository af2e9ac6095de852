"""Escapes untrusted text, so that it ends no line, controls no terminal, and hides nothing.

Replies, addresses and names in certificates come from strangers, and are read in a log or on a
terminal.  Pure.
"""

from __future__ import annotations

import re
import unicodedata

#: Controls (C0, C1, DEL), what is not seen but acts (bidirectional controls, characters without
#: width), what ends a line, and lone surrogates, which no encoding has.
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SUSPECT = re.compile(r"[^\w !-~]")
#: Characters of a client's text that are shown.
_LONGEST_SHOWN = 200


def escaped(text: str) -> str:
    r"""Return a text with such characters shown, for example as ``\x1b`` or ``\u202e``.

    A backslash stays a backslash, since paths and patterns have many; so the text cannot be had
    back from what is shown, and need not be.
    """
    if text.isprintable():  # nearly all, and far faster than to search each
        return text
    return _SUSPECT.sub(_shown, text)


def shown(octets: bytes) -> str:
    """Return what a client says, as it may be a part of a line."""
    text = escaped(octets[:_LONGEST_SHOWN].decode("utf-8", "backslashreplace"))
    return text + "..." if len(octets) > _LONGEST_SHOWN else text


def one_line(text: str, longest: int, encoding: str = "utf-8") -> str:
    """Return a text as one line that every reader takes for one.

    :param longest: octets that it may have.  What is more is cut off, and that is said.
    :param encoding: of the octets; what it has not is shown like what is escaped.
    """
    line = escaped(text[: longest + 1])
    if line.isascii() and len(line) <= longest:
        return line
    octets = line.encode(encoding, "backslashreplace")
    if len(octets) > longest:
        mark = f"... (cut, of {len(text)} characters)".encode(encoding)
        octets = octets[: longest - len(mark)] + mark
    return octets.decode(encoding, "ignore")


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    if unicodedata.category(character) not in _ESCAPED:
        return character
    return character.encode("unicode_escape").decode("ascii")
