"""Room on the disk that is ours before others have filled it.

Settling what is there takes room in the database's log.  Without it, mail that has been sent could
not be forgotten, and after a while no more would leave.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import SpoolError
from .ours import open_file

#: Octets: what the log takes until it begins again from its start, and a little more.
_SIZE = 5 * 1024 * 1024


class Spare:
    """A file for no other purpose than to be removed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept = False

    def keep(self) -> None:
        """Take the room, if it is there and not taken already."""
        if self._kept:
            return
        try:
            descriptor = open_file(self._file, os.O_WRONLY | os.O_CREAT)
            try:
                os.posix_fallocate(descriptor, 0, _SIZE)
            finally:
                os.close(descriptor)
        except (OSError, SpoolError):
            self.give_up()  # the part that there was room for, or what is not ours
        else:
            self._kept = True

    def give_up(self) -> bool:
        """Let the room be used; tell whether there was any."""
        kept, self._kept = self._kept, False
        with suppress(OSError):
            self._file.unlink(missing_ok=True)
        return kept
