"""Keeps the policies of MTA-STS over restarts: a row for each domain, in a file of its own.

A thread writes, and mail waits for it only when the relay begins.  What was written outlives the
process, however that ends.  The file is a cache: when it is damaged or cannot be read it begins
anew, and when it cannot be written the policies are kept in memory only.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import SpoolError
from ..spool.database import is_damage
from ..spool.ours import check_file, open_file
from ..spool.worker import Job, Reactor, Worker
from .kept import KeptPolicy
from .mta_sts import PolicyError, read_policy

FILE = "mta-sts.db"
_VERSION = 1
#: What SQLite has beside the database, by names that end so.
_BESIDE = ("", "-wal", "-shm")
_SCHEMA = f"""
BEGIN IMMEDIATE;
-- A policy: "text" is what it says, "fetched" is in seconds since the epoch.
CREATE TABLE policy (
    domain TEXT PRIMARY KEY, id TEXT NOT NULL, fetched REAL NOT NULL, text TEXT NOT NULL
) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_Work = Callable[[sqlite3.Connection], Any]


class _DamageError(Exception):
    """The file is not as we would have written it; the text says why."""


class PolicyStore:
    """The file.

    :param folder: of the spool; it is there when something is asked for.
    :param reactor: is called from the thread.
    """

    log = Logger()

    def __init__(self, folder: str, reactor: Reactor) -> None:
        self._file = Path(folder) / FILE
        self._connection: sqlite3.Connection | None = None
        self._fails = False
        self._worker = Worker("policies of MTA-STS", reactor, self._work, self._close)

    def load(self, now: float) -> Deferred[list[KeptPolicy]]:
        """Read what is kept, the latest last.  Never fails.

        :param now: what has expired by then is removed.
        """

        def read(connection: sqlite3.Connection) -> list[KeptPolicy]:
            query = "SELECT domain, id, fetched, text FROM policy ORDER BY fetched"
            found = [_kept(*row) for row in connection.execute(query)]
            kept = [each for each in found if not each.expired(now)]
            gone = {each.domain for each in found} - {each.domain for each in kept}
            _remove(connection, gone)
            return kept

        def result(jobs: list[Job]) -> list[KeptPolicy]:
            return jobs[0].result or []

        return self._worker.do([Job(read)]).addCallback(result)

    def write(self, kept: KeptPolicy, gone: Iterable[str] = ()) -> None:
        """Keep a policy in the place of the one before.

        :param gone: domains that are forgotten.
        """
        row = kept.domain, kept.id, kept.fetched, "\n".join(kept.policy.lines)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO policy VALUES (?, ?, ?, ?)", row)
            _remove(connection, gone)

        self._worker.do([Job(write)])

    def stop(self) -> Deferred[None]:
        """Finish what is being written."""
        return self._worker.stop()

    # In the thread.

    def _work(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                job.result = self._done(job.run)
            except (sqlite3.Error, OSError, SpoolError, _DamageError) as error:
                job.error = error
        failed = [job.error for job in jobs if job.error]
        if failed and not self._fails:
            self.log.warn(
                "{file}: policies of MTA-STS are not kept over restarts: {error}",
                file=str(self._file),
                error=str(failed[0]),
            )
        self._fails = bool(failed)

    def _done(self, work: _Work) -> Any:
        try:
            return self._transact(work)
        except (sqlite3.Error, _DamageError) as error:
            if not _is_damage(error):
                raise  # no room, for example
            self.log.warn(
                "{file}: {error}; the policies of MTA-STS that are kept in it begin anew",
                file=str(self._file),
                error=str(error),
            )
        self._close()
        for suffix in _BESIDE:
            with suppress(FileNotFoundError):
                self._file.with_name(self._file.name + suffix).unlink()
        return self._transact(work)

    def _transact(self, work: _Work) -> Any:
        connection = self._connection = self._connection or self._open()
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
            if version == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
            elif version != _VERSION:
                raise _DamageError("written by another version of multisendcon")
            # After a power cut the last ones may be missing, and no more.
            connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _is_damage(error: Exception) -> bool:
    # Also a file that is too short, and one without our table.
    others = sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_ERROR
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, _DamageError) or is_damage(error) or code in others


def _kept(domain: str, name: str, fetched: float, text: str) -> KeptPolicy:
    try:
        return KeptPolicy(domain, name, float(fetched), read_policy(text.encode()))
    except (PolicyError, AttributeError, TypeError, ValueError) as error:
        raise _DamageError(f"a row of it cannot be read: {error}") from None


def _remove(connection: sqlite3.Connection, domains: Iterable[str]) -> None:
    connection.executemany("DELETE FROM policy WHERE domain = ?", [(each,) for each in domains])
