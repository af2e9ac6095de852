"""Listening ports that are shared with the process that has opened them.

They are neither opened nor shut down here: that would concern both processes.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IListeningPort
from twisted.protocols.tls import TLSMemoryBIOFactory

from ..local_port import LocalPort


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
