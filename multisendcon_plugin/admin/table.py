"""Aligned tables, as lines of text.

On a terminal, cells are shortened so that a row is one line.  Nothing is ever cut for a script.
Rows are taken as they come: the widths follow from the first of them.  Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, islice

import attrs

from ..mail.escaping import escaped

#: Rows that say how wide the columns are.
_LOOKED_AT = 200
_GAP = "  "
#: No column is made narrower than this.
_NARROWEST = 8
_CUT = "…"


@attrs.frozen
class Column:
    """A column.

    :param right: numbers, which are aligned at the right.
    :param shrinks: its cells may be shortened.
    """

    title: str
    right: bool = False
    shrinks: bool = False


def lines(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None
) -> Iterator[str]:
    """Yield the lines of a table; none, if it has no rows.

    :param rows: untrusted text.
    :param width: columns of the terminal; ``None``: it is none.
    """
    all_rows = ([escaped(cell) for cell in row] for row in rows)
    first = list(islice(all_rows, _LOOKED_AT))
    if not first:
        return
    if width is not None:
        # What no row says takes no room.
        said = [any(cells) for cells in zip(*first, strict=True)]
        columns = list(compress(columns, said))
        first = [list(compress(row, said)) for row in first]
        all_rows = (list(compress(row, said)) for row in all_rows)
    titles = [column.title for column in columns]
    widths = [max(map(_width, cells)) for cells in zip(titles, *first, strict=True)]
    if width is not None:
        widths = _fitting(columns, widths, width)
    for row in chain([titles], first, all_rows):
        cells = [
            _cell(text, size, column, cut=width is not None)
            for text, size, column in zip(row, widths, columns, strict=True)
        ]
        yield _GAP.join(cells).rstrip()


def _fitting(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Take from the widest columns what is too much."""
    widths = list(widths)
    shrinking = [n for n, column in enumerate(columns) if column.shrinks]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0 and shrinking:
        widest = max(shrinking, key=lambda n: widths[n])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _cell(text: str, size: int, column: Column, *, cut: bool) -> str:
    if cut and column.shrinks and _width(text) > size:
        text = _shortened(text, size)
    padding = " " * (size - _width(text))
    return padding + text if column.right else text + padding


def _shortened(text: str, size: int) -> str:
    kept, left = "", size - 1
    for character in text:
        left -= _width(character)
        if left < 0:
            break
        kept += character
    return kept + _CUT


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(character) in ("W", "F")
        else 1
        for character in text
    )
