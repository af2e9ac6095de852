"""Whether files have changed, as far as one can tell without reading them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

Stamp = tuple[tuple[int, int, int], ...] | None


def stamp(paths: Iterable[str]) -> Stamp:
    """Return what is another value when one of the files is another; ``None``: one is not there."""
    try:
        found = [Path(path).stat() for path in paths]
    except OSError:
        return None
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)
