"""What is said to people, and asked of them; whatever is said is escaped."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..mail.escaping import escaped
from . import table


def say(text: str = "") -> None:
    """Print a line."""
    print(escaped(text))


def warn(text: str) -> None:
    """Print a line that is not what was asked for."""
    # What was said before is to stand before it.
    sys.stdout.flush()
    print(f"multisendcon: {escaped(text)}", file=sys.stderr, flush=True)


def prompt(text: str) -> None:
    """Print a line for whoever has to do something now; programs read the other lines."""
    print(escaped(text), file=sys.stderr, flush=True)


def show(columns: Sequence[table.Column], rows: Iterable[Sequence[str]]) -> int:
    """Print a table; return how many rows it has."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    count = 0

    def counted() -> Iterator[Sequence[str]]:
        nonlocal count
        for row in rows:
            count += 1
            yield row

    for line in table.lines(columns, counted(), width):
        print(line)
    return count


def put(value: Any) -> None:
    """Print JSON, as a line."""
    # ASCII: a terminal obeys nothing in it, and no locale is too small for it.
    print(json.dumps(value), flush=True)


def put_lines(lines: Iterable[bytes]) -> int:
    """Print lines of JSON as they come; return how many there are."""
    count = 0
    for line in lines:
        count += 1
        if line.isascii():
            print(line.decode("ascii"))
        else:
            put(json.loads(line))
    return count


def can_ask() -> bool:
    """Tell whether there is somebody to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str) -> bool:
    """Ask a question, to which no is the answer if there is none."""
    sys.stdout.flush()
    print(f"{escaped(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
