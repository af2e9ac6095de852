"""The content of messages that have just come in, kept until they have been tried.

A mail that leaves at once is not read back from the disk.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from ..errors import SpoolError
from ..interfaces import IContent
from ..mail.message import Delivery
from ..outcome.settlement import Settlement

#: Octets of content that are kept at most.
MOST_OCTETS = 8 * 1024 * 1024
#: Seconds after which a message makes room for others: it does not leave at once.  Until then it is
#: the newer one that is not kept, since the older one is the next to leave.
KEPT = 10.0


@implementer(IContent)
class RecentContent:
    """The content of one message, read in one piece."""

    def __init__(self, octets: bytes) -> None:
        self._octets: bytes | None = octets

    def read(self) -> bytes | Deferred[bytes]:
        """Return all of it, then ``b""``."""
        octets = self._octets
        if octets is None:
            return fail(SpoolError("the content was closed"))
        self._octets = b""
        return octets

    def close(self) -> None:
        """Stop reading before the end."""
        self._octets = None


class Recent:
    """Contents by message number, each with the number of deliveries that may ask for it.

    :param limit: octets that are kept at most.
    """

    def __init__(self, limit: int = MOST_OCTETS) -> None:
        self._room = limit
        #: In the order in which they came; with the time of that.
        self._contents: dict[int, tuple[bytes, float, int]] = {}

    def keep(self, octets: bytes, deliveries: tuple[Delivery, ...]) -> None:
        """Keep the content of a new message until each of its deliveries was let go of."""
        if not deliveries:
            return
        message = deliveries[0].message
        while self._room < len(octets) and self._contents:
            oldest = next(iter(self._contents))
            other, arrived, _ = self._contents[oldest]
            if message.arrived - arrived < KEPT:
                return
            del self._contents[oldest]
            self._room += len(other)
        if len(octets) <= self._room:
            self._room -= len(octets)
            self._contents[message.number] = octets, message.arrived, len(deliveries)

    def open(self, number: int) -> IContent | None:
        """Begin to read the content of a message, if it is kept."""
        kept = self._contents.get(number)
        return RecentContent(kept[0]) if kept else None

    def settled(self, settlement: Settlement) -> None:
        """A delivery does not need the content any more, unless it is tried again at once."""
        delivery, remaining = settlement.delivery, settlement.remaining
        # Moved, or some of it brought on: these are no failed attempts.
        if remaining is None or remaining.attempts > delivery.attempts:
            self.let_go(delivery.message.number)
        elif settlement.parts:
            self._divided(delivery.message.number, len(settlement.parts))

    def _divided(self, number: int, parts: int) -> None:
        """So many deliveries more may ask for the content of a message."""
        kept = self._contents.get(number)
        if kept is not None:
            octets, arrived, deliveries = kept
            self._contents[number] = octets, arrived, deliveries + parts

    def let_go(self, number: int) -> None:
        """One of a message's deliveries does not need the content any more."""
        kept = self._contents.get(number)
        if kept is None:
            return
        octets, arrived, deliveries = kept
        if deliveries > 1:
            self._contents[number] = octets, arrived, deliveries - 1
        else:
            del self._contents[number]
            self._room += len(octets)
