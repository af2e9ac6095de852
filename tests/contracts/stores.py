"""The implementations of `ISpool`, each with the means to crash it and to fill it up."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from unittest import mock

from twisted.internet.defer import maybeDeferred

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.spool import SqliteSpool, sqlite
from multisendcon_plugin.spool.database import FILES, open_database
from multisendcon_plugin.testing import MemoryDisk, MemorySpool
from tests.queues import commit, in_the_log
from tests.reactors import QueueReactor


class Store:
    """A spool together with what outlives it."""

    def __init__(self):
        self.reactor = QueueReactor()
        self.spool = None

    def __enter__(self):
        self.open()
        return self

    def __exit__(self, *exc_info):
        if self.spool is not None:
            self.close()

    def open(self):
        spool = self.make()
        spool.open()
        self.spool = spool

    def close(self, **how):
        spool, self.spool = self.spool, None
        self.wait(spool.close(**how))

    def wait(self, deferred):
        return self.reactor.wait(deferred)

    def begin(self, content):
        draft = self.spool.draft()
        draft.write(content)
        return draft

    def commit(self, content, envelope, parcels, header_size=0):
        return self.wait(self.commit_draft(self.begin(content), envelope, header_size, parcels))

    def commit_draft(self, draft, *message):
        """Return a Deferred of its deliveries, which fails if it is not stored."""
        return commit(self.spool, draft, *message)

    def settle(self, settlement):
        (answer,) = self.wait(self.spool.settle([settlement]))
        if isinstance(answer, SpoolError):
            raise answer
        return answer

    def waiting(self, account, limit=1000, *since, destination=""):
        return self.wait(self.spool.waiting((account, destination), limit, *since))

    def lanes(self):
        """Return how many wait, by account, or by lane if that has a destination."""
        lanes = self.wait(self.spool.lanes())
        return {key if key[1] else key[0]: what.mails for key, what in lanes.items()}

    def find(self, selection, limit=1000):
        """Return the deliveries that are selected, read in pieces of so many."""
        found, after = [], 0
        while after is not None:
            page = self.wait(self.spool.find(selection, limit, after))
            assert len(page.deliveries) <= limit
            found += page.deliveries
            after = page.after
        return tuple(found)

    def read(self, message):
        content = self.spool.content(message)
        pieces = []
        while piece := self.wait(maybeDeferred(content.read)):
            pieces.append(piece)
        return b"".join(pieces)


class MemoryStore(Store):
    def __init__(self):
        super().__init__()
        self.disk = MemoryDisk()

    def make(self):
        return MemorySpool(self.reactor, self.disk)

    def crash(self):
        self.disk.crash()
        self.spool = None

    def fill(self):
        self.disk.capacity = sum(map(len, self.disk.contents.values()))

    def relieve(self):
        self.disk.capacity = None

    def finish_writing(self):
        pass


class Connection:
    """A connection to a database, which may be told to fail.

    :ivar tried: how often the statement was tried that is to fail.
    """

    def __init__(self, connection):
        self._connection = connection
        self.fail("", 0, ())

    def fail(self, statement, code, tries):
        """Fail with a code of SQLite at some tries of a statement."""
        self._statement, self._code, self._tries = statement, code, tries
        self.tried = 0

    def execute(self, sql, *parameters):
        self._try(sql)
        return self._connection.execute(sql, *parameters)

    def executemany(self, sql, rows):
        self._try(sql)
        return self._connection.executemany(sql, rows)

    def _try(self, sql):
        if self._tries and sql.startswith(self._statement):
            self.tried += 1
            if self.tried in self._tries:
                error = sqlite3.OperationalError("made up")
                error.sqlite_errorcode = self._code
                raise error

    def __getattr__(self, name):
        return getattr(self._connection, name)


class Connections:
    """Gives spools that are opened in its block such a connection to write.

    :ivar last: the one of the spool that was opened last.
    """

    def __enter__(self):
        self._patch = mock.patch.object(sqlite, "open_database", self._open)
        self._patch.start()
        return self

    def __exit__(self, *_):
        self._patch.stop()

    def _open(self, file):
        self.last = Connection(open_database(file))
        return self.last


class SqliteStore(Store):
    """Full when the database may have no more pages, and files no more octets.

    :ivar settings: of the spool, from when it is opened next.
    :ivar connection: that of the writer; to be used by others while nothing is written.
    """

    def __init__(self):
        super().__init__()
        self.events = in_the_log(self.reactor)
        self._temporary = Path(tempfile.mkdtemp(prefix="spool-"))
        self._crashes = 0
        self.settings = {}
        self._no_room = mock.patch.object(os, "pwrite", side_effect=OSError(errno.ENOSPC, "full"))
        self.folder = self._temporary / "spool"

    def __exit__(self, *exc_info):
        mock.patch.stopall()
        super().__exit__(*exc_info)
        shutil.rmtree(self._temporary)

    def make(self):
        return SqliteSpool(str(self.folder), self.reactor, events=self.events, **self.settings)

    def open(self):
        # The same writer of numbers each time.
        writer = mock.patch("multisendcon_plugin.spool.sqlite.randrange", return_value=0)
        with Connections() as connections, writer:
            super().open()
        self.connection = connections.last

    def crash(self):
        """Go on with the files as they are now: what a killed process would leave."""
        self.finish_writing()
        self._crashes += 1
        killed, self.folder = self.folder, self._temporary / f"spool{self._crashes}"
        self.folder.mkdir(mode=0o700)
        for name in ("spool.db", "spool.db-wal"):
            shutil.copy(killed / name, self.folder)
        shutil.copytree(killed / FILES, self.folder / FILES)
        self.close()

    @property
    def writer(self):
        return self.spool._writer

    def finish_writing(self):
        self.wait(self.spool.bring_forward(("nobody", ""), 0.0))

    def value(self, sql):
        self.finish_writing()
        return self.connection.execute(sql).fetchone()[0]

    def fill(self):
        pages = self.value("PRAGMA page_count")
        self.connection.execute(f"PRAGMA max_page_count = {pages}")
        self._no_room.start()

    def relieve(self):
        self.finish_writing()
        self.make_room(self.connection)

    def make_room(self, connection):
        connection.execute("PRAGMA max_page_count = 1000000")
        self._no_room.stop()

    def files(self):
        """Return the names and sizes of the files with content."""
        self.finish_writing()
        return {file.name: file.stat().st_size for file in (self.folder / FILES).iterdir()}


class HastySqliteStore(SqliteStore):
    """Does not wait for the disk: for tests that ask much and cut no power."""

    def open(self):
        super().open()
        self.connection.execute("PRAGMA synchronous = OFF")


class ReservedStore(SqliteStore):
    """Full when the disk has no room beyond the reserve."""

    def fill(self):
        self._reserve = self.writer.reserve
        self.writer.reserve = 1 << 62

    def relieve(self):
        self.writer.reserve = self._reserve
