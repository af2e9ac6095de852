"""What serves ``[metrics]``: ``/metrics``, ``/healthz`` and ``/readyz``, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress

from ..edge.listening import NewPorts, Ports, close_all
from ..errors import ConfigurationError
from ..settings.operation import MetricsSettings
from ..web.root import Folder, Page
from ..web.site import ApiSite
from .health import Health
from .probes import add_probes
from .sources import Sources


class MonitoringServer(Service):
    """Listens while the relay runs, if the settings want it.

    :param settings: ``None``: there are to be no metrics.
    :param not_ready: says why new mail is not taken.
    """

    def __init__(
        self,
        settings: MetricsSettings | None,
        sources: Sources,
        health: Health,
        not_ready: Callable[[], str],
        reactor: Any,
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._root = Folder("there is nothing here but /metrics, /healthz and /readyz")
        add_probes(self._root, health, not_ready)
        self._site = ApiSite(self._root, reactor)
        self._ports = Ports(lambda _: self._site, reactor)

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return self._ports.addresses

    def privilegedStartService(self) -> None:
        """Begin to listen.

        :raise ListenError: it is not possible.
        :raise ConfigurationError: see `prepared`.
        """
        super().privilegedStartService()
        self.use(self.prepared(self._settings))

    def prepared(self, settings: MetricsSettings | None) -> NewPorts:
        """Do all that can fail of a change of the settings; for `use`.

        :raise ListenError: it is not possible to listen there.
        :raise ConfigurationError: a module is not installed.
        """
        if settings is None:
            return NewPorts(())
        try:
            # No part of every installation.
            from .metrics import Metrics  # noqa: PLC0415
        except ImportError as error:
            text = f"[metrics]: {error}; run: pip install 'multisendcon[metrics]'"
            raise ConfigurationError([text]) from error
        self._root.putChild(b"metrics", Page(Metrics(self._sources).answer))
        return self._ports.prepared(settings.listen)

    def use(self, new: NewPorts) -> Deferred[Any]:
        """Listen there, and nowhere else.

        :return: fires when the other ports are closed.
        """
        return close_all(self._ports.use(new))

    def stopService(self) -> Deferred[Any]:
        """Close the ports, then the connections."""
        super().stopService()
        return self._ports.close().addCallback(lambda _: self._site.stop())
