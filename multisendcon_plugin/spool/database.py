"""The database file: how it is opened, and what its errors mean to us.

Sets what durability rests on (WAL, a full sync at every commit); knows no table but the
schema's version.  https://sqlite.org/wal.html, https://sqlite.org/rescode.html
"""

from __future__ import annotations

import errno
import os
import sqlite3
from importlib.resources import files
from pathlib import Path

from ..errors import SpoolError, SpoolFullError
from .files import NotSyncedError
from .ours import check_file, open_file
from .upgrades import UPGRADES

#: Of the schema.
VERSION = 11

#: The folder with the files of long content, beside the database.
FILES = "content"

#: What SQLite opens beside the database, by names that end so.
_BESIDE = ("-wal", "-shm", "-journal")

#: Octets that the write-ahead log may keep on disk once it is done with.
_LOG_LIMIT = 16 * 1024 * 1024

_SETTINGS = (
    "PRAGMA synchronous = FULL",
    f"PRAGMA journal_size_limit = {_LOG_LIMIT}",
    # Some systems build SQLite so that it overwrites all that is deleted with zeros: for us
    # that would be a second write of every mail.
    "PRAGMA secure_delete = OFF",
)

#: No room in a file, or (a quota, a limit of the file system) a write that is not taken.
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)

#: The same for a file of content.
_NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_SYNC = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

#: What to do with a damaged database; https://sqlite.org/cli.html#recover_data_from_a_corrupted_database
RECOVER = (
    "Stop the relay, copy the whole folder, and recover what is readable in the copy:"
    " sqlite3 spool.db .recover | sqlite3 recovered.db"
)


def open_database(file: Path) -> sqlite3.Connection:
    """Connect to write; make the file when there is none.

    :raise SpoolError: the file is not ours, from a newer version, or cannot be used.
    """
    try:
        for suffix in _BESIDE:
            check_file(file.with_name(file.name + suffix))
        _look_for_a_lost_database(file)
        os.close(open_file(file, os.O_RDWR | os.O_CREAT))
        connection = connect(file)
        try:
            _prepare(connection, file)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise not_opened(file, error) from error
    return connection


def _look_for_a_lost_database(file: Path) -> None:
    """SQLite would begin with an empty one, and what belongs to the lost one would be removed."""
    if _size(file):
        return
    log, content = file.with_name(f"{file.name}-wal"), file.with_name(FILES)
    for what, holds_mail in (
        (log, _size(log)),
        (content, content.is_dir() and any(content.iterdir())),
    ):
        if holds_mail:
            raise SpoolError(
                f"{what}: contains mail, but the database is missing or empty; restore"
                f" {file.name}, or move this away"
            )


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def not_opened(file: Path, error: Exception) -> SpoolError:
    """Say why a spool cannot be opened, and what can be done."""
    if is_damage(error):
        return SpoolError(
            f"{file}: the database is damaged: {error}; it is left unchanged. {RECOVER}"
        )
    return SpoolError(f"{file}: the spool cannot be opened: {error}")


def newer(file: Path, version: int) -> SpoolError:
    """Say that a spool has a schema that is not known here."""
    return SpoolError(
        f"{file}: written by a newer multisendcon (schema {version}, this one knows {VERSION});"
        " use that version or another folder"
    )


def connect(file: Path) -> sqlite3.Connection:
    """Connect to the file; the connection may be used by any one thread at a time."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise newer(file, version)
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and not version:
        raise SpoolError(f"{file}: a database, but not a spool of multisendcon; use another folder")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise SpoolError(f"{file}: SQLite cannot use a write-ahead log here; use a local disk")
    if not tables:
        _become(connection, files(__package__).joinpath("schema.sql").read_text("utf-8"), VERSION)
        return
    for step in range(version, VERSION):
        _become(connection, UPGRADES[step], step + 1)


def _become(connection: sqlite3.Connection, script: str, version: int) -> None:
    """Run a script that leads to a version of the schema, as a whole or not at all."""
    connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {version}; COMMIT;")


def spool_error(error: Exception) -> SpoolError:
    """Say what an exception of a job means to those who asked for it."""
    if isinstance(error, SpoolError):
        return error
    if is_full(error):
        ours: SpoolError = SpoolFullError(f"the spool's disk is full or rejects writes: {error}")
    else:
        ours = SpoolError(f"the spool failed: {type(error).__name__}: {error}")
    ours.__cause__ = error
    return ours


def lost_trust(error: Exception, *, committing: bool) -> bool:
    """Tell whether what is written can no longer be believed to last.

    After a failed fsync the system may have dropped what it did not write, and the next fsync
    says nothing of it; so there must be none.  And what is written into damage may spread it.

    :param committing: it was COMMIT that failed.
    """
    code = _code(error)
    return (
        code in _SYNC
        or isinstance(error, NotSyncedError)
        or is_damage(error)
        or (committing and code not in _FULL and code not in (sqlite3.SQLITE_BUSY, None))
    )


def is_full(error: Exception) -> bool:
    """Tell whether there was no room for what was to be written."""
    if isinstance(error, OSError):
        return error.errno in _NOT_WRITTEN
    return _code(error) in _FULL


def is_damage(error: Exception) -> bool:
    """Tell whether SQLite has found what it never wrote."""
    # The lowest octet is the primary result code.
    return (_code(error) or 0) & 0xFF in _DAMAGE


def _code(error: Exception) -> int | None:
    return getattr(error, "sqlite_errorcode", None)
