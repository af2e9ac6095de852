"""The control socket: the API for the owner of the spool, without a login, on a local socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.resource import IResource

from ..network.local_port import LocalPort
from .local_socket import LocalSocket
from .site import ApiSite

#: The name of the socket, in the folder of the spool.
NAME = "control.sock"


class ControlService(Service):
    """Listens while the relay runs.

    :param folder: of the spool.
    :param root: what is served.
    """

    def __init__(self, folder: str, root: IResource, reactor: Any) -> None:
        self._path = Path(folder) / NAME
        self._site = ApiSite(root, reactor)
        self._reactor = reactor

    def startService(self) -> None:
        """Begin to listen.

        :raise ListenError: it is not possible.
        """
        self._socket = LocalSocket(self._path)
        super().startService()
        self._port = LocalPort(self._reactor, self._socket.fileno(), self._site)
        self._port.startListening()

    def stopService(self) -> Deferred[None] | None:
        """Remove the socket, and end what is asked."""
        if not self.running:
            return None
        super().stopService()
        self._socket.close()
        closed = maybeDeferred(self._port.stopListening)
        return closed.addCallback(lambda _: self._site.stop())
