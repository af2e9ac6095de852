"""Long content: a file for each message, beside the database.

In rows it would be written twice, into the log and into the database, page by page.  A file is on
disk before the row that tells of it, and is removed after that row is gone; what a crash leaves
between the two is swept up at the next start.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import SpoolError
from .folder import sync_folder
from .keys import MOST_NUMBERS
from .ours import open_file


class NotSyncedError(OSError):
    """The system could not say that what was written is on disk."""


class Files:
    """The folder with the files; each has its message's number for a name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, message: int) -> NewFile:
        """Begin a file; nothing is made before it is written."""
        return NewFile(self._path(message))

    def read(self, message: int, offset: int, size: int) -> bytes:
        """Read from there on, fewer octets only at the end, none if there is no file.

        :raise OSError: it cannot be read.
        :raise SpoolError: it is not ours.
        """
        try:
            descriptor = open_file(self._path(message), os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)

    def remove(self, message: int) -> None:
        """Remove the file of a message, if it has one."""
        self._path(message).unlink(missing_ok=True)

    def sweep(self, wanted: Callable[[int], bool]) -> int:
        """Remove the files of messages that are not wanted, and nothing that is not ours.

        :return: the highest number of all that were there.
        """
        last = 0
        for file in self._folder.iterdir():
            if file.name.isdecimal() and (number := int(file.name)) < MOST_NUMBERS:
                last = max(last, number)
                if not wanted(number):
                    file.unlink()
        return last

    def _path(self, message: int) -> Path:
        return self._folder / str(message)


class NewFile:
    """The file of a message that is still arriving; stays open until `close`.

    The system tells of a write that it failed to carry out only to those who had the file open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._end = 0

    def write(self, offset: int, octets: bytes) -> None:
        """Write at that place; once more does no harm.

        :raise SpoolError: what comes before it is missing.
        :raise OSError: it cannot be written.
        """
        if offset > self._end:
            raise SpoolError("some of the content could not be stored")
        if self._descriptor is None:
            # A new file: what lies there already, be it a link, is none of ours.
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        left = memoryview(octets)
        while left:
            written = os.pwrite(self._descriptor, left, offset)
            left, offset = left[written:], offset + written
        self._end = max(self._end, offset)

    def sync(self) -> None:
        """Return when all of it would survive a power cut.

        :raise NotSyncedError: nobody knows what is on disk, and to ask again would not tell.
        """
        assert self._descriptor is not None, "it was written"  # noqa: S101 -- for the type checker
        try:
            os.fsync(self._descriptor)
            sync_folder(self._path.parent)
        except OSError as error:
            raise NotSyncedError(error.errno, f"{self._path}: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def remove(self) -> None:
        """Let go of the file, and remove it; one that was there before is another message's."""
        if self._descriptor is not None:
            self.close()
            self._path.unlink(missing_ok=True)
