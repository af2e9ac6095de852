"""Refuses connections: one reply, then the connection is closed.

They count for no limit of sessions, or a client that is refused could keep others away.  So they
have a limit of their own: no number of them takes up the descriptors of the process.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from ..mail.reply import Reply
from .protocol import LAST_WORDS

#: Refused connections that may be there at a time; those beyond get no reply.
MOST_REFUSED = 32


class Refusals:
    """Makes the protocols of connections that are refused.

    :param clock: for clients that do not take their reply.
    :ivar there: refused connections that are not gone yet.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.there = 0

    def saying(self, reply: Reply) -> Protocol:
        """Return the protocol of a connection that gets this reply."""
        return _Refusal(self, reply)


class _Refusal(Protocol):
    """A connection that gets one reply and is closed."""

    transport: Any

    def __init__(self, refusals: Refusals, reply: Reply) -> None:
        self._refusals = refusals
        self._reply = reply
        self._last_words: IDelayedCall | None = None

    def connectionMade(self) -> None:
        refusals = self._refusals
        refusals.there += 1
        # Inside TLS the client would have to shake hands first, at our expense.
        if ISSLTransport.providedBy(self.transport) or refusals.there > MOST_REFUSED:
            self.transport.abortConnection()
            return
        self._last_words = refusals.clock.callLater(LAST_WORDS, self.transport.abortConnection)
        self.transport.write(self._reply.wire)
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        self._refusals.there -= 1
        if self._last_words and self._last_words.active():
            self._last_words.cancel()
