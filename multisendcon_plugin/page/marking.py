"""Differences between texts as lines that are marked.  Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import islice

import attrs

#: Lines up to which two texts are compared: more take too long.
MOST_COMPARED = 2000
#: Lines that are shown of a difference.
MOST_SHOWN = 2000


class Mark(enum.Enum):
    """What a line is in a difference; the values are the elements of HTML for it."""

    SAME = "span"
    GONE = "del"
    NEW = "ins"
    PLACE = "em"


@attrs.frozen
class Line:
    """A line of a difference, without its end."""

    mark: Mark
    text: str


def marked(before: str, after: str) -> Iterator[Line]:
    """Yield all lines of two texts: those of both, and those that only one has."""
    one, other = before.splitlines(), after.splitlines()
    if len(one) + len(other) > MOST_COMPARED:
        yield from (Line(Mark.GONE, line) for line in one)
        yield from (Line(Mark.NEW, line) for line in other)
        return
    steps = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    for step, start, end, first, last in steps:
        if step == "equal":
            yield from (Line(Mark.SAME, line) for line in one[start:end])
        else:
            yield from (Line(Mark.GONE, line) for line in one[start:end])
            yield from (Line(Mark.NEW, line) for line in other[first:last])


_MARKS = {"-": Mark.GONE, "+": Mark.NEW, "@": Mark.PLACE}


@attrs.frozen
class Difference:
    """A unified difference, as it is shown.

    :param more: lines beyond those.
    """

    lines: tuple[Line, ...]
    more: int


def unified(difference: str) -> Difference:
    """Return the lines of a unified difference, the first ones of a long one."""
    # Each line of it ends by a line feed; other line ends are text.
    lines = difference.split("\n")[:-1]
    shown = islice(lines, MOST_SHOWN)
    return Difference(
        tuple(Line(_MARKS.get(line[:1], Mark.SAME), line) for line in shown),
        max(len(lines) - MOST_SHOWN, 0),
    )
