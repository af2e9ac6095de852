"""The one who reads: an own thread and connection, so that reading never waits for writing.

Each question sees everything that was committed before it was asked (a WAL reader sees the
database as it was when its transaction began).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from ..errors import SpoolError
from ..interfaces import IContent
from ..mail.message import Message
from .files import Files
from .keys import PIECE
from .rows import IN_A_FILE, piece
from .trust import Trust
from .worker import Job, Reactor, Worker, only_result

_T = TypeVar("_T")
#: Asks the database for a piece of content.
Ask = Callable[[Callable[[sqlite3.Connection], bytes | None]], Deferred[bytes | None]]


class Reader:
    """Answers questions in the order in which they come."""

    def __init__(self, connection: sqlite3.Connection, reactor: Reactor, trust: Trust) -> None:
        self._connection = connection
        self._trust = trust
        self._worker = Worker("spool reader", reactor, self._work, connection.close)

    def ask(self, question: Callable[[sqlite3.Connection], _T]) -> Deferred[_T]:
        """Run a question in a transaction.  Fails with `SpoolError`."""
        return self._worker.do([Job(question)]).addCallback(only_result)

    def stop(self) -> Deferred[None]:
        """Answer what waits and close the connection."""
        return self._worker.stop()

    def _work(self, jobs: list[Job]) -> None:
        for job in jobs:
            try:
                self._connection.execute("BEGIN")
                try:
                    job.result = job.run(self._connection)
                finally:
                    # Some errors have ended the transaction already.
                    if self._connection.in_transaction:
                        self._connection.execute("COMMIT")
            except Exception as error:
                self._trust.not_read(error)
                job.error = error


@implementer(IContent)
class StoredContent:
    """The content of one message, read piece by piece."""

    def __init__(self, ask: Ask, files: Files, message: Message) -> None:
        self._ask = ask
        self._files = files
        self._message = message
        self._part = 0
        self._missing = message.size
        self._in_a_file = False
        self._closed = False

    def read(self) -> bytes | Deferred[bytes]:
        """Return the next piece, ``b""`` after the last."""
        if self._closed:
            # Not b"": half a message must not look like a whole one.
            return fail(SpoolError("the content was closed"))
        if not self._missing:
            return b""
        return self._ask(self._next).addCallback(self._got)

    def close(self) -> None:
        """Stop reading before the end."""
        self._closed = True

    def _next(self, connection: sqlite3.Connection) -> bytes | None:
        """Read on, in the reader's thread."""
        number = self._message.number
        if not self._in_a_file:
            data = piece(connection, number, self._part)
            if data != IN_A_FILE:
                return data
            self._in_a_file = True
        return self._files.read(number, self._message.size - self._missing, PIECE)

    def _got(self, data: bytes | None) -> bytes:
        if not data:
            raise SpoolError(f"content of message {self._message.id} is missing")
        self._part += 1
        self._missing -= len(data)
        return data
