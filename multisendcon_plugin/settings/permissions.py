"""Who else on this machine may change or read the files that the configuration comes from.

Whoever can write one of them decides where mail and passwords go; and whoever can write in a
folder can put another file in the place of one that is there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .words import InvalidValueError


def check_closed(path: str, what: str) -> None:
    """Look whether others can change a file or folder, if it is there.

    A fault, like a file that is not there: what is read from it decides on mail and passwords.

    :param what: how a fault names it.
    :raise InvalidValueError: everyone can.
    """
    for place, name in _places(path, what):
        if _mode(place) & stat.S_IWOTH:
            raise InvalidValueError(
                f"{name} can be changed by everyone on this machine; run chmod o-w on it"
            )


def lax(path: str, *, secret: bool) -> Iterator[str]:
    """Say what should not stay as it is about a file or folder that passes `check_closed`.

    Warnings only: a group often has one user, and in containers secrets are often mounted so that
    everybody there can read them.

    :param secret: nobody else is to read it.
    """
    for place, _ in _places(path, path):
        if _mode(place) & stat.S_IWGRP:
            yield f"{place}: can be changed by its whole group; run chmod g-w on it"
    if secret and _mode(path) & stat.S_IROTH:
        yield f"{path}: readable by everyone on this machine; run chmod o= on it"


def _places(path: str, what: str) -> Iterator[tuple[str, str]]:
    """Yield what decides on the content of a file: itself, and the folders around it."""
    yield path, what
    # A link and its target may lie in two folders.
    for folder in dict.fromkeys([Path(path).parent, Path(os.path.realpath(path)).parent]):
        # In a sticky folder such as /tmp, a file can be replaced by its owner only.
        if not _mode(folder) & stat.S_ISVTX:
            yield str(folder), f'the folder "{folder}" of {what}'


def _mode(path: str | Path) -> int:
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0  # what cannot be looked at is told where it is read
