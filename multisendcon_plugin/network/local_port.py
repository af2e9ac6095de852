"""A local socket that is open already, as a port of the reactor."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import unix


class LocalPort(unix.Port):
    """A port whose address is a file that is not the port's own.

    One that it adopts, Twisted takes for its own: it lets everybody write to the file, and removes
    it in the end.
    """

    def __init__(self, reactor: Any, descriptor: int, factory: Any) -> None:
        self._opened = _OpenSocket(fileno=os.dup(descriptor))
        # A name that begins like this is no file's: of that, Twisted keeps its hands off.
        name = b"\0" + os.fsencode(self._opened.getsockname())
        super().__init__(name, factory, reactor=reactor)

    def createInternetSocket(self) -> socket.socket:  # noqa: N802
        return self._opened


class _OpenSocket(socket.socket):
    """A socket that listens, maybe in another process too."""

    def bind(self, _: Any) -> None:
        """It has its address."""

    def listen(self, _: int = 0) -> None:
        """It does."""

    def shutdown(self, _: int) -> None:
        """The other process goes on with it."""
