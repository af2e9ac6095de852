"""The file of the history: how it is opened, and put aside when it is damaged.

It runs in the thread of the one who writes; what is written is in `rows`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import TypeVar

import attrs

from ..errors import HistoryError
from ..settings.quantities import Room
from ..spool.database import is_damage
from ..spool.ours import check_file, open_file

VERSION = 1

#: What SQLite has beside the database, by names that end so.
_BESIDE = ("", "-wal", "-shm")
#: Pages that a write-ahead log has before they are copied into the database: 16 MiB.
_LOG_PAGES = 4096

_SETTINGS = (
    # What the system has taken outlives each end of the process.  After a power cut, the file may
    # be damaged, and is put aside: its fsyncs would hold up those that mails wait for.
    "PRAGMA synchronous = OFF",
    f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}",
    f"PRAGMA journal_size_limit = {_LOG_PAGES * 4096}",
    # As in the spool: what is deleted is not overwritten.
    "PRAGMA secure_delete = OFF",
)
T = TypeVar("T")


@attrs.define(eq=False, repr=False, slots=False)
class Store:
    """The file that is written; it is made when it is first written to.

    :param file: ``history.db``.
    :param min_free: what is left free of the disk: the spool takes no new mail beyond that.
    :param put_aside: is told when the file was, with a sentence that says where and why.
    :ivar doubt: why the file is to be put aside before it is used again: somebody has found it
        damaged; ``""``: nobody has.
    """

    _file: Path
    _min_free: Room
    _put_aside: Callable[[str], object]

    def __attrs_post_init__(self) -> None:
        self.doubt = ""
        self._connection: sqlite3.Connection | None = None

    def check_room(self) -> None:
        """Look whether there is room for more.

        :raise HistoryError: there is too little.
        """
        disk = os.statvfs(self._file.parent)
        if disk.f_bavail * disk.f_frsize < self._min_free.on(disk.f_blocks * disk.f_frsize):
            raise HistoryError("too little room on the disk (see min_free)")

    def transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in a transaction: all of it or, if that fails, nothing.

        :param work: is done again with a new file, if this one is found to be damaged.
        :raise sqlite3.Error: it could not be done.
        :raise OSError: as this.
        :raise SpoolError: the file is not ours.
        """
        if self.doubt:
            self._renew(self.doubt)
        try:
            return self._transact(work)
        except sqlite3.Error as error:
            if not is_damaged(error):
                raise
            self._renew(str(error))
        return self._transact(work)

    def _renew(self, why: str) -> None:
        """Put the file aside, and begin anew."""
        self.close()
        names = (self._file.with_name(f"{self._file.name}.damaged-{n}") for n in count(1))
        aside = next(name for name in names if not name.exists())
        for suffix in _BESIDE:
            part = self._file.with_name(self._file.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self.doubt = ""
        self._put_aside(f"{self._file}: {why}; it is now {aside.name}, and the history begins anew")

    def close(self) -> None:
        """Let go of the file."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _transact(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._connection or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            # Some errors have ended the transaction already.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def _open(self) -> sqlite3.Connection:
        for suffix in _BESIDE:
            check_file(self._file.with_name(self._file.name + suffix))
        os.close(open_file(self._file, os.O_RDWR | os.O_CREAT))
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not tables:
                connection.execute("PRAGMA journal_mode = WAL")
                schema = files(__package__).joinpath("schema.sql").read_text("utf-8")
                connection.executescript(
                    f"BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {VERSION}; COMMIT;"
                )
            elif version != VERSION:
                connection.close()
                self._renew(f"written by another version of multisendcon (schema {version})")
                return self._open()
            for setting in _SETTINGS:
                connection.execute(setting)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection


def is_damaged(error: Exception) -> bool:
    """Tell whether an error means that the file is not as it was written, or has become shorter."""
    code = getattr(error, "sqlite_errorcode", None)
    return is_damage(error) or code == sqlite3.SQLITE_IOERR_SHORT_READ
