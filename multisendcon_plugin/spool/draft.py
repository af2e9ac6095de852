"""A message that is still arriving: short ones wait in memory, long ones stream to a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from sqlite3 import Connection

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..errors import SpoolError
from ..interfaces import Commit, IDraft
from ..mail.message import ADDED_DOT, Delivery
from . import rows
from .database import spool_error
from .files import Files, NewFile
from .keys import PIECE, new_deliveries
from .recent import Recent
from .worker import Job
from .writer import Writer

#: Octets of one draft that may wait for the writer before its source is asked to pause.
_QUEUED = 512 * 1024


@implementer(IDraft)
class Draft:
    """Holds content up to `PIECE` octets; longer content goes to a file, by way of the writer."""

    def __init__(
        self,
        number: int,
        files: Files,
        writer: Writer,
        recent: Recent,
        seconds: Callable[[], float],
    ) -> None:
        self.number = number
        self._files = files
        self._writer = writer
        self._recent = recent
        self._seconds = seconds
        self._open = True
        self._size = 0
        self._dots = 0
        self._end = b""
        self._chunks: list[bytes] = []
        self._pending = 0
        self._file: NewFile | None = None
        self._queued = 0
        self._paused: list[Deferred[None]] = []
        self._fault: SpoolError | None = None
        self._deliveries: tuple[Delivery, ...] = ()

    def write(self, data: bytes) -> Deferred[None] | None:
        """Add content in wire form."""
        if not self._open or self._fault is not None:
            return None
        self._chunks.append(data)
        self._pending += len(data)
        self._size += len(data)
        if self._pending > PIECE:
            self._spill()
        if self._queued <= _QUEUED:
            return None
        paused: Deferred[None] = Deferred()
        self._paused.append(paused)
        return paused

    def finish(self, commit: Commit) -> Job:
        """Return the job that makes the message durable; `finished` is told what came of it."""
        if not self._open:
            return Job(_refuse)
        self._open = False
        rest = self._join()
        self._count_dots(rest)
        self._deliveries = new_deliveries(
            self.number, commit, size=self._size, dots=self._dots, arrived=self._seconds()
        )
        if self._file is None:
            new = rows.New(self.number, rest, self._deliveries, commit.texts)
            return Job(partial(rows.add, new=new), len(rest))
        new = rows.New(self.number, rows.IN_A_FILE, self._deliveries, commit.texts)
        return Job(partial(self._complete, self._file, rest, new), len(rest))

    def finished(self, job: Job) -> tuple[Delivery, ...] | SpoolError:
        """Return the message's deliveries, or why it is not stored."""
        if job.error is not None:
            if job.run is not _refuse:
                self._erase()
            # A piece that was not written is why; the commit only found it missing.
            return self._fault or spool_error(job.error)
        if self._file is None:
            self._recent.keep(self._chunks[0], self._deliveries)
        else:
            self._file.close()
        return self._deliveries

    def discard(self) -> None:
        """Forget the message."""
        if self._open:
            self._open = False
            self._erase()

    def _join(self) -> bytes:
        data = b"".join(self._chunks)
        self._chunks = [data]
        return data

    def _count_dots(self, piece: bytes) -> None:
        """Count the dots that were added, also one whose line end came with the last piece."""
        # One octet is found much faster than three: an eighth of the CPU of a mail of 10 MB.
        if b"." in piece:
            self._dots += piece.count(ADDED_DOT) + (self._end + piece[:2]).count(ADDED_DOT)
        self._end = (self._end + piece[-2:])[-2:]

    def _spill(self) -> None:
        """Give what is in memory to the writer."""
        if self._file is None:
            self._file = self._files.new(self.number)
        write, offset, piece = self._file.write, self._size - self._pending, self._join()
        self._count_dots(piece)
        self._queued += len(piece)
        job = Job(lambda _: write(offset, piece), len(piece))
        self._writer.do_all([job]).addCallback(self._written, len(piece))
        self._chunks = []
        self._pending = 0

    def _complete(self, file: NewFile, rest: bytes, new: rows.New, connection: Connection) -> None:
        """Have all of the file on disk before the row that tells of it."""
        file.write(self._size - len(rest), rest)
        file.sync()
        rows.add(connection, new)

    def _written(self, jobs: list[Job], size: int) -> None:
        for job in jobs:
            if job.error is not None:
                self._fault = self._fault or spool_error(job.error)
        self._queued -= size
        if self._queued <= _QUEUED:
            paused, self._paused = self._paused, []
            for each in paused:
                each.callback(None)

    def _erase(self) -> None:
        self._chunks = []
        file = self._file
        if file is not None:
            # In its turn, behind what is still to be written.
            done = self._writer.do(lambda _: file.remove())
            # What stays is swept up at the next start.
            done.addErrback(lambda _: file.close())


def _refuse(_: Connection) -> None:
    raise SpoolError("the draft was committed or discarded before")
