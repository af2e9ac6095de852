"""Whether a spool could be opened, found out without leaving anything open."""

from __future__ import annotations

from pathlib import Path

from .database import FILES, open_database
from .folder import Lock, make_folder


def check(path: str) -> None:
    """Take hold of a spool and let go of it again.

    :raise SpoolLockedError: another process has it.
    :raise SpoolError: it cannot be used.
    """
    folder = Path(path)
    make_folder(folder)
    lock = Lock(folder)
    try:
        make_folder(folder / FILES)
        open_database(folder / "spool.db").close()
    finally:
        lock.release()
