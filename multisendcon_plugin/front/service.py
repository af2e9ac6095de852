"""The edge as a service of the relay, in a process of its own.

The ports are opened here, while that is allowed, and stay open whatever becomes of that process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from ..configuration import Configuration
from ..edge import ProxyFactory, RelayESMTPFactory
from ..edge.listening import NewPorts, Ports, close_all
from ..edge.tls import server_tls
from ..events import Publisher
from ..interfaces import IBatchIntake
from ..settings.endpoints import PROXY
from .process import FrontProcess
from .setup import Port, setup_of


class FrontService(Service):
    """Has clients served by a front process while the relay runs.

    :param intake: takes over what it hands over.
    :param events: is told of clients.
    :param wall: tells the time, in seconds since the epoch.
    :raise ConfigurationError: the certificate cannot be used.
    """

    def __init__(
        self,
        configuration: Configuration,
        intake: IBatchIntake,
        events: Publisher,
        *,
        reactor: Any,
        wall: Callable[[], float],
    ) -> None:
        self._configuration = configuration
        self._wall = wall
        self._ports = Ports(_Elsewhere, reactor, accept=False)
        self._front = FrontProcess(intake, events, reactor)
        self._check_tls(configuration)

    def _check_tls(self, configuration: Configuration) -> None:
        # The front process could only tell the log, and would be started again and again.
        server_tls(configuration.master_relay, self._wall)

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return self._ports.addresses

    def privilegedStartService(self) -> None:
        """Open the ports; clients wait.

        :raise ListenError: it is not possible.
        """
        super().privilegedStartService()
        self._ports.use(self._ports.prepared(self._configuration.master_relay.listen))

    def startService(self) -> None:
        """Have clients served."""
        super().startService()
        self._tell()

    def _tell(self) -> Deferred[None]:
        ports = tuple(Port(description, port.addressFamily) for description, port in self._ports)
        descriptors = [port.fileno() for _, port in self._ports]
        return self._front.tell(setup_of(self._configuration, ports), descriptors)

    def prepared(self, configuration: Configuration) -> tuple[Configuration, NewPorts]:
        """Do all that can fail before another configuration holds: see `use`.

        :raise ConfigurationError: the certificate cannot be used.
        :raise ListenError: it cannot listen there.
        """
        self._check_tls(configuration)
        return configuration, self._ports.prepared(configuration.master_relay.listen)

    def use(self, prepared: tuple[Configuration, NewPorts]) -> Deferred[Any]:
        """Let another configuration hold for clients that connect from now on.

        :return: fires when it does in the front process, and the ports are closed that are not
            needed any more.
        """
        self._configuration, new = prepared
        left = self._ports.use(new)
        return self._tell().addCallback(lambda _: close_all(left))

    def stopService(self) -> Deferred[Any]:
        """Close the ports, then have the sessions ended."""
        super().stopService()
        # At once: until then, it might be started again, without ports.
        return DeferredList([self._ports.close(), self._front.stop()])


class _Elsewhere(Factory):
    """In place of sessions: the port is told by their name in twistd's log."""

    noisy = False

    def __init__(self, description: str) -> None:
        proxied = description.startswith(PROXY)
        self._sessions = ProxyFactory if proxied else RelayESMTPFactory

    def logPrefix(self) -> str:  # noqa: N802
        return self._sessions.__name__
