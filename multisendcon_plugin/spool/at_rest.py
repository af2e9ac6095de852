"""Reads a database in the spool's folder that nobody may be writing to, and leaves all as it is.

Makes and changes no file, so it may be done by another user, and takes no lock that a relay which
starts meanwhile would have to wait for.  Without a write-ahead log, the file has it all, and is
read as if it could not change (``immutable``); if it has changed nevertheless, it is read again.
With a log, which a crash leaves behind, SQLite is told not to touch the file that readers and
writers share (``readonly_shm``): it reads the log by itself then, or beside a writer, if there is
one.  https://sqlite.org/uri.html, https://sqlite.org/wal.html#read_only_databases
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from ..errors import SpoolError

_T = TypeVar("_T")

_TRIES = 5


def ask(file: Path, question: Callable[[sqlite3.Connection], _T]) -> _T:
    """Run a question; it sees one state of the database.

    :param question: may be run more than once.
    :raise OSError: the file is not there, or there is no right to read it.
    :raise SpoolError: it cannot be read.
    """
    error: Exception | None = None
    for _ in range(_TRIES):
        with file.open("rb"):
            before = _stamp(file)
        try:
            answer = _answer(file, question, logged=before is None)
        except sqlite3.Error as failed:
            error = failed
        else:
            if _stamp(file) == before:
                return answer
    raise SpoolError(f"{file}: cannot be read: {error or 'it changes all the time'}")


def _stamp(file: Path) -> tuple[int, int] | None:
    """Return what is another value when the file is another; ``None``: that is for the log."""
    log = file.with_name(f"{file.name}-wal")
    try:
        if log.stat().st_size:
            return None
    except FileNotFoundError:
        pass
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def _answer(file: Path, question: Callable[[sqlite3.Connection], _T], *, logged: bool) -> _T:
    how = "readonly_shm=1" if logged else "immutable=1"
    address = f"file:{quote(str(file))}?mode=ro&{how}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        return question(connection)
