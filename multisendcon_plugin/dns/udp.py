"""Asks one query by UDP, from a socket of its own.

The system gives the socket a random port (RFC 5452 section 9.2), on Linux one of 28,000, and lets
in only what comes from the address and port of the server.  With the ID and the case of the letters
(`wire`) that is beyond what can be guessed while a query waits, a question being asked once at a
time (RFC 5452 section 5).  A server whose replies are guessed at is asked by TCP.

Not with Twisted's ports: they write two lines into the log for each query.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ..settings.dns import NameServer
from .faults import UnsureError, fault_of
from .wire import Match, Query

#: Octets of a datagram, beyond what we let servers send.
_MOST = 8192
#: Datagrams that are read in one turn, and foreign ones after which nothing is believed.
_MOST_AT_ONCE, _MOST_FOREIGN = 50, 20


def ask(reactor: Any, server: NameServer, query: Query) -> Deferred[bytes]:
    """Ask, and return the octets of the reply.  Whoever has waited enough cancels.

    :param reactor: an ``IReactorFDSet``.
    :raise NoAnswerError: in the Deferred, as the others: the server cannot be reached.
    :raise UnsureError: it has to be asked otherwise.
    :raise DnsError: there is no socket.
    """
    socket_ = _Socket(reactor, query)
    socket_.open(server)
    return socket_.replied


@lru_cache(maxsize=16)
def _place(server: NameServer) -> tuple[int, Any]:
    """Return the family and the address of a server, for a socket."""
    found = socket.getaddrinfo(
        server.address, server.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )
    return int(found[0][0]), found[0][4]


@implementer(IReadDescriptor)
class _Socket:
    """The socket of one query."""

    def __init__(self, reactor: Any, query: Query) -> None:
        self._reactor = reactor
        self._query = query
        self._foreign = 0
        self._socket: socket.socket | None = None
        self.replied: Deferred[bytes] = Deferred(lambda _: self._close())

    def open(self, server: NameServer) -> None:
        try:
            family, address = _place(server)
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(address)
            self._socket.send(self._query.octets)
        except OSError as error:
            self._fail(fault_of(error))
        else:
            self._reactor.addReader(self)

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket else -1

    def logPrefix(self) -> str:  # noqa: N802
        return "dns"

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002
        """The reactor has found an error, or ends."""
        if self._socket:
            code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._fail(fault_of(OSError(code, os.strerror(code))))

    def doRead(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            if self._socket is None:
                return
            try:
                octets = self._socket.recv(_MOST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._fail(fault_of(error))
                return
            self._take(octets)

    def _take(self, octets: bytes) -> None:
        match self._query.match(octets):
            case Match.OURS:
                self._close()
                self.replied.callback(octets)
            case Match.OTHER_CASE:
                self._fail(UnsureError(other_case=True))
            case Match.FOREIGN:
                self._foreign += 1
                if self._foreign > _MOST_FOREIGN:
                    self._fail(UnsureError(other_case=False))

    def _fail(self, error: Exception) -> None:
        self._close()
        self.replied.errback(error)

    def _close(self) -> None:
        if self._socket:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None
