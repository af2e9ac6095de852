"""The edge as a service of the relay, in the same process: its ports, and its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from ..settings.values import ClientSettings
from . import RelayESMTPFactory
from .admission import Admission
from .delivery import TransactionPolicy
from .listening import NewPorts, Ports, close_all, listener


@attrs.frozen
class _Prepared:
    admission: Admission
    ports: NewPorts


class EdgeService(Service):
    """Listens while the relay runs.

    :param listen: endpoint strings.
    :ivar sessions: makes those of the clients.
    """

    def __init__(self, listen: Sequence[str], sessions: RelayESMTPFactory, reactor: Any) -> None:
        self.sessions = sessions
        self._listen = listen
        self._ports = Ports(partial(listener, sessions=sessions, reactor=reactor), reactor)

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return self._ports.addresses

    def privilegedStartService(self) -> None:
        """Begin to listen.

        :raise ListenError: it is not possible.
        """
        super().privilegedStartService()
        self._ports.use(self._ports.prepared(self._listen))

    def prepared(
        self, transactions: TransactionPolicy, clients: Sequence[ClientSettings]
    ) -> _Prepared:
        """Do all that can fail before other settings hold: see `use`.

        :raise ConfigurationError: the certificate cannot be used.
        :raise ListenError: it cannot listen there.
        """
        admission = self.sessions.prepared(transactions, clients)
        return _Prepared(admission, self._ports.prepared(transactions.settings.listen))

    def use(self, prepared: _Prepared) -> Deferred[Any]:
        """Let other settings hold for clients that connect from now on.

        :return: fires when the ports are closed that are not needed any more.
        """
        self.sessions.use(prepared.admission)
        return close_all(self._ports.use(prepared.ports))

    def stopService(self) -> Deferred[Any]:
        """Close the ports, then end the sessions."""
        super().stopService()
        return self._ports.close().addCallback(lambda _: self.sessions.stop())
