"""Asks one query by TCP, over a connection of its own (RFC 7766).

It is for the few replies that do not fit in a datagram, or that may be forged there.
"""

from __future__ import annotations

from typing import Any, cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectingCancelledError
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from ..settings.dns import NameServer
from .faults import NoAnswerError
from .wire import Match, Query

#: Seconds; whoever waits for less cancels.
_CONNECTS_WITHIN = 10.0


@attrs.frozen
class Reply:
    """What has come over the connection.

    :param same_case: the name has the letters that were sent.
    """

    octets: bytes
    same_case: bool


async def ask(reactor: Any, server: NameServer, query: Query) -> Reply:
    """Ask, and return the reply.

    :raise NoAnswerError: there is none.
    """
    kind = TCP6ClientEndpoint if ":" in server.address else TCP4ClientEndpoint
    endpoint = kind(reactor, server.address, server.port, timeout=_CONNECTS_WITHIN)
    connection = _Connection(query)
    factory = Factory.forProtocol(lambda: connection)
    factory.noisy = False
    try:
        await endpoint.connect(factory)
    except ConnectingCancelledError:
        raise CancelledError from None  # as all others have it
    except (ConnectError, OSError) as error:
        raise NoAnswerError(f"cannot be reached by TCP: {error}".rstrip(".")) from None
    return await connection.replied


class _Connection(Int16StringReceiver):
    """The connection of one query; its messages are of up to 64 KiB."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self.replied: Deferred[Reply] = Deferred(lambda _: self._abort())

    def connectionMade(self) -> None:
        self.sendString(self._query.octets)

    def stringReceived(self, string: bytes) -> None:
        if self.replied.called:
            return
        match = self._query.match(string)
        if match is Match.FOREIGN:
            self.replied.errback(NoAnswerError("answers what was not asked"))
        else:
            self.replied.callback(Reply(string, same_case=match is Match.OURS))
        self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        if not self.replied.called:
            self.replied.errback(NoAnswerError("closes the connection without an answer"))

    def _abort(self) -> None:
        # Nothing is left to say, and a server that does not close it keeps nothing open.
        cast("ITCPTransport", self.transport).abortConnection()
