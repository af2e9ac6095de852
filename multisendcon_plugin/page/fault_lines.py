"""Faults of a configuration with the lines that they are about.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import attrs

#: Faults that are shown, of which the first ones are enough to begin with.
MOST = 200
#: Lines around the one of a fault.
_AROUND = 2


@attrs.frozen
class LineFault:
    """A fault.

    :param line: its number, from 1; ``None``: it is about no line.
    """

    line: int | None
    text: str


@attrs.frozen
class Excerpt:
    """Some lines of a text.

    :param lines: each with its number.
    :param faulty: the numbers of those that have faults.
    """

    lines: tuple[tuple[int, str], ...]
    faulty: frozenset[int]


def in_lines(faults: Iterable[str], path: str) -> tuple[LineFault, ...]:
    """Return faults with their lines.

    :param faults: sentences of a check, such as ``FILE, line 12, [delivery], retry: REASON``.
    :param path: of the file.
    """
    pattern = re.compile(rf"{re.escape(path)}(?:, line ([0-9]+))?(?:, |: )(.*)", re.DOTALL)
    found = []
    for fault in faults:
        parts = pattern.fullmatch(fault)
        if parts is None:
            found.append(LineFault(None, fault))
        else:
            found.append(LineFault(int(parts[1]) if parts[1] else None, parts[2]))
    return tuple(found)


def excerpts(text: str, faults: Sequence[LineFault]) -> tuple[Excerpt, ...]:
    """Return the lines of a text that have faults, with some around them."""
    lines = text.split("\n")
    faulty = {each.line for each in faults[:MOST] if each.line and each.line <= len(lines)}
    found: list[Excerpt] = []
    shown: list[int] = []
    for number in sorted(
        {
            near
            for each in faulty
            for near in range(max(each - _AROUND, 1), min(each + _AROUND, len(lines)) + 1)
        }
    ):
        if shown and number > shown[-1] + 1:
            found.append(_excerpt(lines, shown, faulty))
            shown = []
        shown.append(number)
    return (*found, _excerpt(lines, shown, faulty)) if shown else ()


def _excerpt(lines: Sequence[str], shown: Sequence[int], faulty: set[int]) -> Excerpt:
    return Excerpt(
        tuple((number, lines[number - 1]) for number in shown), frozenset(faulty & {*shown})
    )
