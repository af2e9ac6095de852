"""Aligned tables, as lines of text.

On a terminal, cells are shortened so that no line is too long.  Nothing is ever cut for a script.
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
#: Before what stands below a row.
_INDENT = "    "
#: No column is made narrower than this.
_NARROWEST = 8
_CUT = "…"


@attrs.frozen
class Column:
    """A column.

    :param right: numbers, which are aligned at the right.
    :param shrinks: its cells may be shortened.
    :param below: on a terminal that is too narrow, its cells stand in lines of their own, below
        those of their rows; it is the last one.
    """

    title: str
    right: bool = False
    shrinks: bool = False
    below: bool = False


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
    if width is None:
        yield from _drawn(columns, widths, chain([titles], first, all_rows), cut=False)
    elif columns[-1].below and _length(widths) > width:
        columns = columns[:-1]
        widths = _fitting(columns, widths[:-1], width)
        yield from _drawn(columns, widths, [titles[:-1]], cut=True)
        for row in chain(first, all_rows):
            yield from _drawn(columns, widths, [row[:-1]], cut=True)
            if row[-1]:
                yield _INDENT + _shortened(row[-1], width - len(_INDENT))
    else:
        widths = _fitting(columns, widths, width)
        yield from _drawn(columns, widths, chain([titles], first, all_rows), cut=True)


def _drawn(
    columns: Sequence[Column],
    widths: Sequence[int],
    rows: Iterable[Sequence[str]],
    *,
    cut: bool,
) -> Iterator[str]:
    for row in rows:
        cells = [
            _cell(text, size, column, cut=cut)
            for text, size, column in zip(row, widths, columns, strict=True)
        ]
        yield _GAP.join(cells).rstrip()


def _length(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _fitting(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Take from the widest columns what is too much."""
    widths = list(widths)
    shrinking = [n for n, column in enumerate(columns) if column.shrinks]
    excess = _length(widths) - width
    while excess > 0 and shrinking:
        widest = max(shrinking, key=lambda n: widths[n])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _cell(text: str, size: int, column: Column, *, cut: bool) -> str:
    if cut and column.shrinks:
        text = _shortened(text, size)
    padding = " " * (size - _width(text))
    return padding + text if column.right else text + padding


def _shortened(text: str, size: int) -> str:
    if _width(text) <= size:
        return text
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
