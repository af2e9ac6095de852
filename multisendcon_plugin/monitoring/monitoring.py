"""What watches a relay, put together: alarms, health, metrics, and who asks whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.web.resource import Resource

from ..configuration import Configuration
from ..edge.listening import NewPorts
from ..errors import ConfigurationError
from ..events import Publisher
from ..interfaces import IQueueControl, ISpool
from ..operations.standing import Standing
from ..settings.files import load_certificate
from ..settings.operation import AlarmSettings
from .alarms import Alarms, Teller
from .command import AlarmCommand
from .counters import Counters
from .health import Health, not_ready
from .probes import add_probes
from .server import MonitoringServer
from .sources import Sources
from .troubles import Expiry
from .webhook import Webhook


class Monitoring:
    """What watches one relay.

    :param listening: says whether ports are open for clients.
    :ivar counters: what is counted of what happens.
    :ivar alarms: to be started after the spool.
    :ivar health: tells whether nothing hangs.
    :ivar server: of metrics, likewise.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        events: Publisher,
        queue: IQueueControl,
        spool: ISpool,
        standing: Standing,
        listening: Callable[[], bool],
        reactor: Any,
        wall: Callable[[], float],
    ) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self.counters = Counters(events, clock=reactor, wall=wall)
        self.alarms = Alarms(
            settings=configuration.alarm,
            publisher=events,
            conditions=queue.conditions,
            totals=spool.totals,
            figures=spool.figures,
            expiries=self._expiries,
            make_tellers=self._make_tellers,
            clock=reactor,
            wall=wall,
        )
        self.health = Health(spool.heartbeat, reactor)
        sources = Sources(
            counters=self.counters,
            conditions=queue.conditions,
            totals=spool.totals,
            figures=spool.figures,
            alarms=lambda: self.alarms.current,
            clock=reactor,
        )
        self._not_ready = lambda: not_ready(standing, listening=listening())
        self.server = MonitoringServer(
            configuration.metrics, sources, self.health, self._not_ready, reactor
        )

    def add_probes(self, root: Resource) -> None:
        """Serve ``/healthz`` and ``/readyz`` there, too."""
        add_probes(root, self.health, self._not_ready)

    def prepared(self, configuration: Configuration) -> NewPorts:
        """Do all that can fail of a change of the configuration, for `use`.

        :raise ListenError: metrics cannot be served where it says.
        :raise ConfigurationError: what they need is not installed.
        """
        return self.server.prepared(configuration.metrics)

    def use(self, configuration: Configuration, prepared: NewPorts) -> Deferred[Any]:
        """Go by another configuration.

        :return: fires when ports that are not needed any more are closed.
        """
        self._configuration = configuration
        self.alarms.reconfigure(configuration.alarm)
        return self.server.use(prepared)

    def _make_tellers(
        self, settings: AlarmSettings, report: Callable[[str], None]
    ) -> Sequence[Teller]:
        tellers: list[Teller] = []
        if settings.command:
            tellers.append(AlarmCommand(settings.command, self._reactor))
        if settings.webhook:
            tellers.append(Webhook(settings.webhook, self._reactor, report))
        return tellers

    def _expiries(self) -> Deferred[Sequence[Expiry]]:
        shown = _certificates(self._configuration)
        if not shown:
            return succeed([])
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, lambda: [_expiry(*each) for each in shown])


def _certificates(configuration: Configuration) -> list[tuple[str | None, str, str | None]]:
    """Return each certificate that is shown to others: by which account, its file, its key's."""
    relay, reports = configuration.master_relay, configuration.reports_account
    accounts = [account for account in configuration.accounts if account.enabled]
    return [
        *([(None, relay.tls_certificate, relay.tls_key)] if relay.tls_certificate else []),
        *(
            (each.name, each.tls_client_certificate, each.tls_client_key)
            for each in [*accounts, *([reports] if reports else [])]
            if each.tls_client_certificate
        ),
    ]


def _expiry(account: str | None, file: str, key: str | None) -> Expiry:
    try:
        certificate = load_certificate(file, key)
    except ConfigurationError as error:
        return Expiry(file, account, None, str(error))
    return Expiry(file, account, certificate.chain[0].not_valid_after_utc.timestamp())
