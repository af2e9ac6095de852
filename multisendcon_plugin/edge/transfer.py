"""The content of one transaction on its way from the client into its message.

What is wrong with content is said when all of it has been sent; until then the rest is swallowed,
since none of it may be taken for a command.  RFC 5321 section 4.1.1.4, RFC 1870 section 6, RFC
3030 section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from ..mail.reply import Reply, ReplyError
from . import replies
from .content import ChunkEncoder, ContentScanner


class ChunkedMessage(Protocol):
    """An `IMessage` that takes the content of a transaction in pieces instead of lines."""

    def lineReceived(self, line: bytes) -> None:
        """Take the trace field that goes on top; its lines are joined by CRLF."""

    def chunkReceived(self, chunk: bytes) -> Deferred[None] | None:
        """Take content in wire form; a Deferred asks for a pause until it fires.

        :raise ReplyError: the message is refused with this reply when it has ended.
        """

    def eomReceived(self) -> Deferred[str]:
        """All content is here: answer with the name under which the message is queued."""

    def connectionLost(self) -> None:
        """There will be no more content, or it is not wanted."""


class Content:
    """The content that is arriving, and where it goes.

    :param message: ``None``: the content is to be refused.
    :param peer: whose it is, for the log.
    :param wait: called with a Deferred that fires when the message can take more.
    :param max_size: octets.
    :param fix_bare_lf: a line may end with a bare LF, which becomes CRLF.
    :ivar refusal: what the client gets in the end instead of a 250.
    """

    log = Logger()

    def __init__(
        self,
        message: ChunkedMessage | None,
        peer: str,
        wait: Callable[[Deferred[None]], None],
        *,
        max_size: int,
        fix_bare_lf: bool,
    ) -> None:
        self._message = message
        self._max_size = max_size
        self._peer = peer
        self._wait = wait
        self._scanner = ContentScanner(fix_bare_lf=fix_bare_lf)
        self._encoder = ChunkEncoder(fix_bare_lf=fix_bare_lf)
        self._announced = 0
        self.refusal: Reply | None = None

    def feed(self, octets: bytes) -> bytes | None:
        """Take what comes after DATA.

        :return: what follows the final dot; ``None`` as long as that has not been seen.
        """
        piece, rest = self._scanner.feed(octets)
        if not self._scanner.clean:
            self.refuse(replies.BAD_LINE_ENDS)
        if self._scanner.size > self._max_size:
            self.refuse(replies.TOO_LARGE)
        self._take(piece)
        return rest

    def announce(self, octets: int) -> None:
        """Prepare for a chunk; one that would be too much is refused before it comes."""
        self._announced += octets
        if self._announced > self._max_size:
            self.refuse(replies.TOO_LARGE)

    def feed_chunk(self, octets: bytes) -> None:
        """Take what comes after BDAT."""
        self._take_encoded(self._encoder.feed(octets))

    def end_chunks(self) -> None:
        """There are no more chunks."""
        self._take_encoded(self._encoder.finish())

    def _take_encoded(self, piece: bytes) -> None:
        if not self._encoder.clean:
            self.refuse(replies.BAD_LINE_ENDS)
        self._take(piece)

    def _take(self, piece: bytes) -> None:
        if not (piece and self._message):
            return
        try:
            pause = self._message.chunkReceived(piece)
        except ReplyError as error:
            self.refuse(error.reply)
        except Exception:
            self.log.failure(
                "internal error while content was received from {address} (a bug); traceback"
                " follows",
                address=self._peer,
            )
            self.refuse(replies.LOCAL_ERROR)
        else:
            if pause:
                self._wait(pause)

    def refuse(self, reply: Reply) -> None:
        """Want no more of it; the client goes on sending, and then gets the reply."""
        self.refusal = self.refusal or reply
        self.abandon()

    def abandon(self) -> None:
        """There will be no more of it."""
        message, self._message = self._message, None
        if message:
            message.connectionLost()

    def end(self) -> Deferred[str]:
        """Hand over the message; the answer is the name under which it is queued."""
        assert self._message is not None, "it was not refused"  # noqa: S101 -- for the type checker
        return maybeDeferred(self._message.eomReceived)
