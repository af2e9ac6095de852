"""The spool of a relay that does not run, as far as it can be read; see `at_rest`.

Answers at once, in the calling thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from ..errors import SpoolError
from ..interfaces import IContent, IQueueReading
from ..mail.message import Message
from ..mail.selection import Page, Selection, Total
from . import at_rest, view
from .ages import ages
from .database import FILES, VERSION, newer
from .files import Files
from .reader import StoredContent

_T = TypeVar("_T")


@implementer(IQueueReading)
class StoppedSpool:
    """What waits in a folder; it begins to read content as `IStore` does.

    They fail with `OSError` too: there is no spool in the folder, or no right to read it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "spool.db"
        self._files = Files(folder / FILES)

    def find(self, selection: Selection, limit: int, after: int = 0) -> Deferred[Page]:
        """Read a piece of the deliveries that are selected, at most `limit`."""
        return self._ask(partial(view.find, selection=selection, limit=limit, after=after))

    def last(self) -> Deferred[int]:
        """Return the greatest number of a delivery; 0: there is none."""
        return self._ask(view.last)

    def totals(self) -> Deferred[dict[str, Total]]:
        """Return what waits for each account."""
        return Deferred.fromCoroutine(view.totals(self._ask))

    def ages(self, moments: Sequence[float]) -> Deferred[dict[str, tuple[int, ...]]]:
        """Return how many deliveries of each account arrived when."""
        return Deferred.fromCoroutine(ages(self._ask, moments))

    def direct(self, accounts: Iterable[str]) -> Deferred[frozenset[str]]:
        """Return which of some accounts deliver to mail servers of recipients, by their mail."""
        return self._ask(partial(view.direct, accounts=tuple(accounts)))

    def content(self, message: Message) -> IContent:
        """Begin to read a message's content."""
        return StoredContent(self._ask, self._files, message)

    def _ask(self, question: Callable[[sqlite3.Connection], _T]) -> Deferred[_T]:
        return execute(at_rest.ask, self._file, partial(self._answer, question))

    def _answer(
        self, question: Callable[[sqlite3.Connection], _T], connection: sqlite3.Connection
    ) -> _T:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise newer(self._file, version)
        if version < VERSION:
            raise SpoolError(
                f"{self._file}: written by an older multisendcon (schema {version}, this one knows"
                f" {VERSION}); the relay upgrades it when it starts"
            )
        view.prepare(connection)
        return question(connection)
