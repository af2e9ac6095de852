"""The archive on disk: a folder for each day, and the limits of all of them.

All of it blocks, and is done in one thread.  For each copy there are two files of one name, the
mail as ``.eml`` and what became of it as ``.json``: single files, so that any program can read,
search or delete a mail, and a damaged one harms no other.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..settings.operation import ArchiveSettings
from .copy_file import CopyFile

#: Files that are removed in one step: what is to be written waits no longer.
STEP = 100
#: Seconds between two looks for what is too old.
LOOK_EVERY = 600.0
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_BEGUN = ".begun-"
_LONGEST_NAME = 100


class ArchiveFolder:
    """The folder of ``[archive]``.

    :param settings: with a path.
    :param wall: seconds since the epoch.
    :raise OSError: it cannot be used, as can its methods.
    """

    def __init__(self, settings: ArchiveSettings, wall: Callable[[], float]) -> None:
        self._settings = settings
        self._path = Path(settings.path or "")
        self._wall = wall
        self._numbers = 0
        self._look_at = 0.0
        #: A day that was begun goes as a whole.
        self._going: Path | None = None
        self._path.mkdir(0o700, parents=True, exist_ok=True)
        self._size = sum(map(_sweep, self._days()))

    def begin(self) -> CopyFile:
        """Begin a copy."""
        day = self._path / _day(self._wall())
        day.mkdir(0o700, exist_ok=True)
        self._numbers += 1
        return CopyFile(day / f"{_BEGUN}{os.getpid()}-{self._numbers}")

    def keep(self, copy: CopyFile, name: str, facts: dict[str, Any]) -> None:
        """Give a copy its name, and put what is known of it beside it.

        :param name: need not be one that a file can have, nor be free.
        """
        try:
            copy.close()
            octets = json.dumps(facts, indent=1).encode() + b"\n"
            eml, beside = _free_names(copy.path.parent, quote(name, safe=" @+")[:_LONGEST_NAME])
            written = copy.path.with_name(f"{copy.path.name}-json")
            _write(written, octets)
            # The mail last: where it is, the other file is, too.
            written.rename(beside)
            copy.path.rename(eml)
        except OSError:
            copy.path.unlink(missing_ok=True)
            copy.path.with_name(f"{copy.path.name}-json").unlink(missing_ok=True)
            raise
        self._size += copy.size + len(octets)

    def prune(self) -> bool:
        """Remove a few files of what is too old or too much.

        :return: there is more to do.
        """
        now = self._wall()
        too_much = self._size > self._settings.max_size
        if self._going is None and not too_much and now < self._look_at:
            return False
        days = sorted(self._days())
        if self._going is None and days:
            oldest = days[0]
            kept = datetime.fromtimestamp(now, UTC) - timedelta(seconds=self._settings.keep)
            if oldest.name < kept.date().isoformat() or (too_much and len(days) > 1):
                self._going = oldest
            elif too_much:  # today's copies alone
                return self._remove_some(oldest) and self._size > self._settings.max_size
        if self._going is None:
            self._look_at = now + LOOK_EVERY
            return False
        if not self._remove_some(self._going):
            self._going = None
            self._look_at = now + LOOK_EVERY
            return False
        if not self._going.exists():
            self._going = None
        return True

    def _remove_some(self, day: Path) -> bool:
        """Remove the oldest copies of a day, and the folder when it is empty.

        :return: something was removed.
        """
        with os.scandir(day) as entries:
            files = [
                (each.stat(follow_symlinks=False), each.path)
                for each in entries
                if not each.name.startswith(_BEGUN)
            ]
        files.sort(key=lambda each: (each[0].st_mtime_ns, each[1]))
        for found, path in files[:STEP]:
            Path(path).unlink(missing_ok=True)
            self._size -= found.st_size
        if len(files) <= STEP:
            # Unless a copy has just been begun there.
            with suppress(OSError):
                day.rmdir()
                return True
        return bool(files)

    def _days(self) -> Iterator[Path]:
        for each in self._path.iterdir():
            if _DAY.fullmatch(each.name) and each.is_dir() and not each.is_symlink():
                yield each


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _sweep(day: Path) -> int:
    """Remove what a crash has left half-finished; return the octets of the rest."""
    size = 0
    with os.scandir(day) as entries:
        for each in entries:
            if each.name.startswith(_BEGUN):
                Path(each.path).unlink(missing_ok=True)
            elif each.is_file(follow_symlinks=False):
                size += each.stat(follow_symlinks=False).st_size
    return size


def _free_names(day: Path, name: str) -> tuple[Path, Path]:
    """Return names that are free: one attempt may send a mail in several parts."""
    number = 1
    while True:
        part = f"{name}-{number}" if number > 1 else name
        eml, beside = day / f"{part}.eml", day / f"{part}.json"
        if not eml.exists():
            return eml, beside
        number += 1


def _write(path: Path, octets: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(octets)
