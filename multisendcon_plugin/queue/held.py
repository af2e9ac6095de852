"""The content of messages that have just come in, kept until they have left for the first time.

A mail that leaves at once is not read back from the spool.  What does not fit into the limit is
simply not kept.
"""

from __future__ import annotations

from zope.interface import implementer

from ..interfaces import IContent

#: Octets of content that are kept at most.
MOST_OCTETS = 32 * 1024 * 1024


@implementer(IContent)
class _HeldBytes:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def read(self) -> bytes:
        octets, self._octets = self._octets, b""
        return octets

    def close(self) -> None:
        self._octets = b""


class HeldContent:
    """Contents by message number, each with the number of deliveries that may ask for it."""

    def __init__(self, limit: int = MOST_OCTETS) -> None:
        self._room = limit
        self._contents: dict[int, tuple[bytes, int]] = {}

    def keep(self, number: int, octets: bytes, deliveries: int) -> None:
        """Keep a content until so many deliveries have let go of it."""
        if deliveries and len(octets) <= self._room:
            self._room -= len(octets)
            self._contents[number] = (octets, deliveries)

    def open(self, number: int) -> IContent | None:
        """Begin to read a content, if it is kept."""
        kept = self._contents.get(number)
        return _HeldBytes(kept[0]) if kept else None

    def let_go(self, number: int) -> None:
        """One of the deliveries does not need the content any more."""
        kept = self._contents.pop(number, None)
        if kept is None:
            return
        octets, deliveries = kept
        if deliveries > 1:
            self._contents[number] = (octets, deliveries - 1)
        else:
            self._room += len(octets)
