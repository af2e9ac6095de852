"""Listening ports that are shared with the process that has opened them.

They are handed over through a socket of their own (SCM_RIGHTS, see unix(7)), at the start and
whenever there are others: what is inherited is there at the start only.  They are neither opened
nor shut down here: that would concern both processes.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..network.local_port import LocalPort

#: Ports that go in one message: Linux takes up to 253.
_AT_ONCE = 100


def hand_over(to: socket.socket, ports: Sequence[int]) -> None:
    """Hand ports over, by their file descriptors.

    :raise OSError: it is not possible.
    """
    for n in range(0, len(ports), _AT_ONCE):
        socket.send_fds(to, [b"."], ports[n : n + _AT_ONCE])


def take_over(where: socket.socket, count: int) -> list[int]:
    """Return the file descriptors of ports that were handed over before.

    :raise OSError: there are none.
    """
    ports: list[int] = []
    while len(ports) < count:
        ports += socket.recv_fds(where, 1, _AT_ONCE)[1]
    return ports


class OpenPort:
    """A port that is open already, in place of a reactor that would open it."""

    def __init__(self, reactor: Any, descriptor: int, family: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._family = family

    def listen(self, factory: Any) -> IListeningPort:
        """Begin to accept its connections."""
        port: IListeningPort
        if self._family == socket.AF_UNIX:
            port = LocalPort(self._reactor, self._descriptor, factory)
            port.startListening()
        else:
            port = self._reactor.adoptStreamPort(self._descriptor, self._family, factory)
        return port

    def listenTCP(self, _: int, factory: Any, **__: Any) -> IListeningPort:
        return self.listen(factory)

    def listenSSL(self, _: int, factory: Any, contextFactory: Any, **__: Any) -> IListeningPort:
        return self.listen(TLSMemoryBIOFactory(contextFactory, False, factory))
