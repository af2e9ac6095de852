"""The content of one transaction on its way from the client into its message.

What is wrong with content is said when all of it has been sent; until then the rest is swallowed,
since none of it may be taken for a command.  RFC 5321 section 4.1.1.4, RFC 1870 section 6, RFC
3030 section 2.  Pure.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..mail.reply import Reply, ReplyError
from . import replies
from .content import ChunkEncoder, ContentScanner
from .talk import Connection


class ChunkedMessage(Protocol):
    """An `IMessage` that takes the content of a transaction in pieces instead of lines.

    `chunkReceived` takes content in wire form; a Deferred asks for a pause until it fires.  When it
    raises `ReplyError`, the message is refused with that reply when it has ended.
    """

    @property
    def name(self) -> str: ...  # under which it is queued, when it is

    # The trace field that goes on top; its lines are joined by CRLF.
    def lineReceived(self, line: bytes) -> None: ...
    def chunkReceived(self, chunk: bytes) -> Any: ...
    def eomReceived(self) -> Any: ...  # a Deferred that fires when it is queued
    def connectionLost(self) -> None: ...  # there is no more content, or it is not wanted


class Content:
    """The content that is arriving, and where it goes.

    :param message: ``None``: the content is to be refused.
    :param max_size: octets.
    :param scanner: of what comes after DATA, or after BDAT.
    """

    def __init__(
        self,
        message: ChunkedMessage | None,
        connection: Connection,
        scanner: ContentScanner | ChunkEncoder,
    ) -> None:
        self.message = message
        self._connection = connection
        self._max_size = connection.policy.settings.max_message_size
        self._scanner: Any = scanner
        self._size = 0
        self._refusal: Reply | None = None
        self._fault: Reply | None = None

    @property
    def refusal(self) -> Reply | None:
        """What the client gets in the end instead of a 250; ``None``: nothing is wrong so far.

        Of content that is wrong in two ways, it is the same however the octets were cut.
        """
        if self._refusal:
            return self._refusal
        if self._size > self._max_size:
            return replies.TOO_LARGE
        return self._fault if self._scanner.clean else replies.BAD_LINE_ENDS

    def feed(self, octets: bytes) -> bytes | None:
        """Take what comes after DATA.

        :return: what follows the final dot; ``None`` as long as that has not been seen.
        """
        rest: bytes | None
        piece, rest = self._scanner.feed(octets)
        self._size = self._scanner.size
        self._pass_on(piece)
        return rest

    def announce(self, octets: int) -> None:
        """Prepare for a chunk; one that would be too much is refused before it comes."""
        # What was said of the chunks before stays.
        self._refusal = self.refusal
        self._size += octets
        self._pass_on(b"")

    def feed_chunk(self, octets: bytes) -> None:
        """Take what comes after BDAT."""
        self._pass_on(self._scanner.feed(octets))

    def end_chunks(self) -> None:
        """There are no more chunks."""
        self._pass_on(self._scanner.finish())

    def _pass_on(self, piece: bytes) -> None:
        if self.refusal:
            self.abandon()
        if not (piece and self.message):
            return
        try:
            room = self.message.chunkReceived(piece)
        except ReplyError as error:
            self._fault = error.reply
            self.abandon()
        except Exception:
            self._fault = self._connection.reply_to_lost_content()
            self.abandon()
        else:
            if room:
                self._connection.wait_for(room)

    def refuse(self, reply: Reply) -> None:
        """Want no more of it; the client goes on sending, and then gets the reply."""
        self._refusal = self.refusal or reply
        self.abandon()

    def abandon(self) -> None:
        """There will be no more of it."""
        message, self.message = self.message, None
        if message:
            message.connectionLost()
