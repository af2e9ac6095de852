"""The content of a mail that is going out: read piece by piece, whether it is at hand or not."""

from __future__ import annotations

from collections.abc import Callable

from twisted.python.failure import Failure

from ..interfaces import IContent


class OutgoingContent:
    """The content of one mail.

    :param open_content: begins to read it; called at the first `read`.
    :param go_on: is called when a piece has come that was not at hand.
    :ivar awaited: such a piece is on its way.
    """

    def __init__(self, open_content: Callable[[], IContent], go_on: Callable[[], object]) -> None:
        self._open = open_content
        self._go_on = go_on
        self._content: IContent | None = None
        self._come: bytes | Failure | None = None
        self.awaited = False

    def read(self) -> bytes | None:
        """Return the next piece, ``b""`` after the last; ``None``: it is `awaited`.

        :raise SpoolError: it could not be read.
        """
        come, self._come = self._come, None
        if come is None:
            if self._content is None:
                self._content = self._open()
            found = self._content.read()
            if isinstance(found, bytes):
                return found
            self.awaited = True
            found.addBoth(self._has_come)
        elif isinstance(come, Failure):
            come.raiseException()
        return come

    def close(self) -> None:
        """Stop reading."""
        if self._content is not None:
            self._content.close()

    def _has_come(self, come: bytes | Failure) -> None:
        self.awaited, self._come = False, come
        self._go_on()
