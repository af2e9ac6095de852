"""What serves ``[metrics]``: ``/metrics``, ``/healthz`` and ``/readyz``, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from ..edge.listening import Ports
from ..operations.health import Health
from .health import add_probes
from .metrics import MetricsResource, Sources
from .root import Folder
from .site import ApiSite


class MonitoringService(Service):
    """Listens while the relay runs.

    :param listen: endpoint strings.
    :param not_ready: says why new mail is not taken.
    """

    def __init__(
        self,
        listen: Sequence[str],
        sources: Sources,
        health: Health,
        not_ready: Callable[[], str],
        reactor: Any,
    ) -> None:
        root = Folder("there is nothing here but /metrics, /healthz and /readyz")
        root.putChild(b"metrics", MetricsResource(sources))
        add_probes(root, health, not_ready)
        self._site = ApiSite(root, reactor)
        self._ports = Ports(listen, lambda _: self._site, reactor)

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
        """Close the ports, then the connections."""
        super().stopService()
        return self._ports.close().addCallback(lambda _: self._site.stop())
