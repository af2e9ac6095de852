"""The spool's folder, and the lock that keeps a second process out.

The lock is the system's (``flock``): it ends with the process that holds it, however that
ends, and no stale file or reused process id can stand in the way.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from ..errors import SpoolError, SpoolLockedError
from .ours import check_folder, open_file


def make_folder(path: Path) -> None:
    """Make the folder, if it is missing, so that it survives a power cut.

    :raise SpoolError: it cannot be made, or is not ours.
    """
    try:
        if not os.path.lexists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
            sync_folder(path.parent)
        check_folder(path)
    except OSError as error:
        raise SpoolError(f"{path}: the spool's folder cannot be used: {error.strerror}") from error


def sync_folder(path: Path) -> None:
    """Return when the names in a folder would survive a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Lock:
    """Held from its making until `release`.

    :raise SpoolLockedError: another process, or this one, holds it.
    :raise SpoolError: the lock file cannot be opened, or is not ours.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = open_file(folder / "spool.lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise SpoolError(f"{folder}: the spool cannot be locked: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._file, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise SpoolLockedError(
                f"{folder}: the spool is in use by another process (pid {holder});"
                " stop that process, or set another [spool] path here"
            ) from error
        except OSError as error:
            os.close(self._file)
            raise SpoolError(f"{folder}: the spool cannot be locked: {error.strerror}") from error
        os.ftruncate(self._file, 0)
        os.write(self._file, b"%d\n" % os.getpid())

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._file)


def taken(folder: Path) -> int:
    """Return the octets of the files in a folder, but not in those that it holds; blocks."""
    octets = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            # It may have been removed since.
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    octets += entry.stat(follow_symlinks=False).st_size
    return octets
