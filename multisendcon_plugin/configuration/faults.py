"""Faults of a configuration: how a value is rejected, and how the reader is told.

A fault says where it is, what is wrong and what would be right, on one line.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from .lines import Path, line_numbers


@attrs.frozen(kw_only=True)
class Fault:
    """One fault.

    :param path: the tables and the key, for the line number.
    :param where: the same in words; ``""`` for the file as a whole.
    """

    path: Path = ()
    where: str = ""
    reason: str


def sentences(faults: Iterable[Fault], origin: str, text: str) -> list[str]:
    """Finish the faults of one file, in the order of its lines as far as they are known."""
    lines = line_numbers(text)
    # That of the key, or of its table when the key is not in the file.
    found = [(lines.get(each.path) or lines.get(each.path[:-1]), each) for each in faults]
    found.sort(key=lambda pair: (pair[0] is None, pair[0] or 0))
    return [sentence(origin, fault, line) for line, fault in found]


def sentence(origin: str, fault: Fault, line: int | None = None) -> str:
    """Finish one fault: ``FILE, line 12, [[account]] "Sales", port: REASON``."""
    places = [origin, f"line {line}" if line else "", fault.where]
    return f"{', '.join(filter(None, places))}: {fault.reason}"
