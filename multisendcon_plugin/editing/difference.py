"""What is different between two texts of the configuration, as lines for people.  Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import takewhile

from .secrets import MASK, covered

#: Lines around a change.
_AROUND = 3
#: Stands behind a mask while lines are compared: two secrets are two numbers.
_NUMBER = re.compile("\x00[0-9]+\x00")


def difference(before: str, after: str) -> str:
    """Return a unified difference without names of files; ``""``: there is none.

    Secrets are masks; where another one is written, the line is told as changed.
    """
    numbers: dict[str, int] = {}

    def cover(secret: str) -> str:
        return f'"{MASK}\x00{numbers.setdefault(secret, len(numbers))}\x00"'

    one, other = (covered(text, cover).splitlines() for text in (before, after))
    return "".join(f"{_NUMBER.sub('', line)}\n" for line in _hunks(one, other))


def _hunks(one: Sequence[str], other: Sequence[str]) -> Iterator[str]:
    # Only what is between the first and the last change is compared: that can take long.
    above = _alike(one, other)
    below = _alike(one[above:][::-1], other[above:][::-1])
    skipped = max(above - _AROUND, 0)
    end = max(below - _AROUND, 0)
    one, other = one[skipped : len(one) - end], other[skipped : len(other) - end]
    for steps in SequenceMatcher(None, one, other).get_grouped_opcodes(_AROUND):
        first, last = steps[0], steps[-1]
        yield f"@@ -{_range(skipped, first[1], last[2])} +{_range(skipped, first[3], last[4])} @@"
        for step, start, stop, new_start, new_stop in steps:
            if step == "equal":
                yield from (f" {line}" for line in one[start:stop])
                continue
            yield from (f"-{line}" for line in one[start:stop])
            yield from (f"+{line}" for line in other[new_start:new_stop])


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines two texts begin with that are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _range(skipped: int, start: int, stop: int) -> str:
    begins = skipped + start + (stop > start)
    return f"{begins}" if stop - start == 1 else f"{begins},{stop - start}"
