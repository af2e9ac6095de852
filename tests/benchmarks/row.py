"""What the benchmark knows of a row: what it measures, beside what, and what is wanted.

A row has one side, which is judged by its own figures, or two, which are measured in turns; then
the ratio of the first to the second is judged.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

#: Where sinks write what they get: in memory, so that they do not use the disk as well.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
#: By how much a short run is smaller.
_QUICK = 25


@attrs.frozen(kw_only=True)
class Bench:
    """Where and how long measurements run.

    :param folder: on the disk to be used; None: where temporary files are.
    :param quick: with small loads, to see that all is in order; the figures say little.
    """

    folder: str | None = None
    quick: bool = False

    def scaled(self, count):
        """Return how many there are to be in this run."""
        return max(1, count // _QUICK) if self.quick else count

    @contextlib.contextmanager
    def folders(self):
        """Make a folder on the disk and one in memory, for one measurement."""
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as disk,
            tempfile.TemporaryDirectory(dir=_MEMORY) as memory,
        ):
            yield Path(disk), Path(memory)


@attrs.frozen(kw_only=True)
class Figure:
    """One number that a row measures, and what it should be.

    :param unit: what is counted, for the table.
    :param limit: "at least" of what is wanted: the worst value that is good enough.  None: the
        figure is there to be read.
    :param aim: what we would like.
    :param better: "more" or "less".
    """

    unit: str
    limit: float | None = None
    aim: float | None = None
    better: str = attrs.field(default="more", validator=attrs.validators.in_({"more", "less"}))


@attrs.frozen(kw_only=True)
class Row:
    """One row of the benchmark.

    :param about: what it does, in a line.
    :param sides: one name, or two; see above.
    :param figures: by key.
    :param measure: called with the sides in the order of the round, and the `Bench`; starts all
        that it needs, ends it, and returns for each side the figures of one round by key.  It
        raises `RuntimeError` or `TimeoutError` when a server does not do what it should.
    :param usual: whether it runs when no rows are chosen.
    """

    name: str
    about: str
    sides: tuple[str, ...]
    figures: dict[str, Figure]
    measure: Callable[[Sequence[str], Bench], dict[str, dict[str, float]]]
    usual: bool = True


def one_by_one(measure):
    """Return the `measure` of a row whose sides are measured one after the other.

    :param measure: called with one side and the `Bench`, returns its figures.
    """
    return lambda sides, bench: {side: with_quiet_disk(measure, side, bench) for side in sides}


def in_turns(sides, number):
    """Return the sides in the order of a round or burst: the first one changes with its number."""
    return sides[::-1] if number % 2 else sides


def with_quiet_disk(measure, *args):
    """Measure, when all that was left to write by what was measured before is on the disk."""
    os.sync()
    return measure(*args)


@attrs.frozen(kw_only=True)
class Curve:
    """Figures that are measured at several points, for a plot.

    :param scale: what differs from point to point, for the axis.
    :param figures: units by key.
    :param measure: as that of a row, with the point between side and `Bench`.
    """

    name: str
    scale: str
    points: tuple[int, ...]
    sides: tuple[str, ...]
    figures: dict[str, str]
    measure: Callable[[str, int, Bench], dict[str, float]]
