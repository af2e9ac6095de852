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
from ..edge.listening import Ports
from ..edge.tls import server_tls
from ..events import Publisher
from ..interfaces import IBatchIntake
from ..settings.endpoints import PROXY
from .process import FrontProcess
from .setup import Port, Setup, setup_of


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
        # The front process could only tell the log, and would be started again and again.
        server_tls(configuration.master_relay, wall)
        self._configuration = configuration
        self._ports = Ports(configuration.master_relay.listen, _Elsewhere, reactor)
        self._front = FrontProcess(intake, events, self._setup, reactor)

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return self._ports.addresses

    def privilegedStartService(self) -> None:
        """Open the ports; clients wait.

        :raise ListenError: it is not possible.
        """
        super().privilegedStartService()
        self._ports.open(accept=False)

    def startService(self) -> None:
        """Have clients served."""
        super().startService()
        self._front.start([port.fileno() for _, port in self._ports])

    def _setup(self) -> Setup:
        ports = (Port(description, port.addressFamily) for description, port in self._ports)
        return setup_of(self._configuration, tuple(ports))

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
