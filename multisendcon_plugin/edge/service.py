"""The edge as a service of the relay, in the same process: its ports, and its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from . import RelayESMTPFactory
from .listening import Ports, listener


class EdgeService(Service):
    """Listens while the relay runs.

    :param listen: endpoint strings.
    :ivar sessions: makes those of the clients.
    """

    def __init__(self, listen: Sequence[str], sessions: RelayESMTPFactory, reactor: Any) -> None:
        self.sessions = sessions
        take = partial(listener, sessions=sessions, reactor=reactor)
        self._ports = Ports(listen, take, reactor)

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return self._ports.addresses

    def privilegedStartService(self) -> None:
        """Begin to listen.

        :raise ListenError: it is not possible.
        """
        super().privilegedStartService()
        self._ports.open()

    def stopService(self) -> Deferred[Any]:
        """Close the ports, then end the sessions."""
        super().stopService()
        return self._ports.close().addCallback(lambda _: self.sessions.stop())
