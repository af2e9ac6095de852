"""The mail in the queue as an admin reads it, also in the spool of a relay that does not run.

Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import attrs

from ..interfaces import IContent
from ..mail.message import Delivery, Message, number_of
from ..mail.selection import Selection
from ..spool.keys import span
from .errors import BadRequestError, NotFoundError
from .filters import selection
from .pace import LEFT, LEFT_BY_FEW
from .pieces import Pieces
from .rows import Present
from .values import Filter, WaitingDelivery, WaitingMessage


@attrs.frozen(kw_only=True)
class WaitingMail:
    """Lists deliveries, and shows messages.

    :param content: begins to read a message.
    :param present: says what is so at that moment.
    :param now: by the clock of the spool, in seconds since the epoch.
    """

    _pieces: Pieces
    _content: Callable[[Message], IContent]
    _present: Callable[[], Present]
    _now: Callable[[], float]

    async def listing(
        self, asked: Filter, limit: int | None, after: str
    ) -> AsyncGenerator[list[WaitingDelivery], None]:
        """List deliveries: see `Operations.listing`."""
        position = 0
        if after:
            number = number_of(after)
            if number is None:
                raise BadRequestError(f'"{after}" is no id')
            position = span(number)[1]
        left, last = limit, None
        chosen = selection(asked, self._now())
        # Somebody waits for a few; and they may be found only at the end of a million.
        pace = LEFT if limit is None else LEFT_BY_FEW
        async with aclosing(self._pieces.of(chosen, position, pace)) as pieces:
            async for piece in pieces:
                present = self._present()
                rows: list[WaitingDelivery] = []
                for delivery in piece:
                    if asked.state not in (None, present.state(delivery)):
                        continue
                    if left is not None:
                        if left <= 0 and delivery.message.number != last:
                            yield rows
                            return
                        left, last = left - 1, delivery.message.number
                    rows.append(present.row(delivery))
                if rows:
                    yield rows

    async def message(self, name: str) -> WaitingMessage:
        """Show a message in the queue."""
        deliveries = await self.deliveries(name)
        present = self._present()
        message = deliveries[0].message
        return WaitingMessage(
            next=present.row(min(deliveries, key=lambda each: each.position)),
            deliveries=tuple(map(present.row, deliveries)),
            header=await self._header(message),
            client=message.envelope.client,
        )

    async def deliveries(self, name: str) -> list[Delivery]:
        """Return the deliveries of a message, which has one at least.

        :raise NotFoundError: it has none any more.
        """
        number = number_of(name)
        deliveries: list[Delivery] = []
        if number is not None:
            async for piece in self._pieces.of(Selection(message=number)):
                deliveries += piece
        if not deliveries:
            raise NotFoundError(f"{name} is not in the queue; it may be in the history")
        return deliveries

    async def _header(self, message: Message) -> str:
        header = (await self.start(message, message.header_size))[: message.header_size]
        return header.decode("utf-8", "replace").replace("\r\n", "\n")

    async def start(self, message: Message, size: int) -> bytes:
        """Read so many octets of a message at least, if it has them."""
        content = self._content(message)
        start = b""
        while len(start) < size:
            piece = content.read()
            piece = piece if isinstance(piece, bytes) else await piece
            if not piece:
                break
            start += piece
        content.close()
        return start
