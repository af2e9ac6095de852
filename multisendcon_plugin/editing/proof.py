"""Whether a changed text means what it was to mean: ``tomllib`` reads it before and after.

It has the last word on all that this room does.  Pure.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import EditRefusedError

#: What ``tomllib`` makes of a text.
Document = dict[str, Any]


def read(text: str) -> Document:
    """Return what a text means.

    :raise EditRefusedError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise EditRefusedError(
            f"the file is not TOML ({error}), so nothing in it can be changed piece by piece;"
            " mend its text first"
        ) from None


def prove(before: str, after: str, change: Callable[[Document], None]) -> None:
    """Compare what a text has become with what was meant.

    :param change: does to the document what is meant to be done by the text.
    :raise EditRefusedError: it has become something else.
    """
    meant = read(before)
    change(meant)
    try:
        right = _same(tomllib.loads(after), meant)
    except (ValueError, RecursionError):
        right = False
    if not right:
        raise EditRefusedError(
            "the file is written in a way in which this cannot be changed without changing"
            " something else; edit its text by hand"
        )


def table_at(document: Document, path: Sequence[str | int]) -> Any:
    """Return a table of a document; it is made if it is missing."""
    table: Any = document
    for step in path:
        table = table.setdefault(step, {}) if isinstance(step, str) else table[step]
    return table


def plain(value: Any) -> Any:
    """Return a value as ``tomllib`` would give it: dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same, of the same types: 1 is neither 1.0 nor true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    # repr: nan is nan, and -0.0 is not 0.0.
    return repr(one) == repr(other)
