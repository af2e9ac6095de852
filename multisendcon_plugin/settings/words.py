"""How a value is rejected, and how it is shown to whoever wrote it.  Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
#: Characters; long enough for most paths of files.
_LONGEST_SHOWN = 200


class InvalidValueError(Exception):
    """A value is not what its key needs.

    Each argument is one reason, with what would be right.
    """


def shown(value: object) -> str:
    """Return a value of a TOML document as a fault shows it: as it is written, and not long."""
    match value:
        case str():
            return '"' + "".join(map(_shown_character, _cut(value))) + '"'
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > _LONGEST_SHOWN:
            return "this number"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return str(value)


def shown_key(key: str) -> str:
    """Return a key as a fault shows it."""
    return key if _BARE_KEY.fullmatch(key) else shown(key)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant."""
    by_folded = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(word[:_LONGEST_SHOWN].casefold(), by_folded, n=1)
    return by_folded[close[0]] if close else None


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."


def _shown_character(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\u{ord(character):04x}"
