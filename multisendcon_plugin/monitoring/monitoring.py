"""What watches a relay, put together: alarms, health, metrics, and who asks whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.web.resource import Resource

from ..configuration import Configuration
from ..edge.listening import NewPorts
from ..errors import ConfigurationError
from ..events import Publisher
from ..interfaces import IQueueControl, ISpool
from ..logins import LoginStanding
from ..operations.advice import advice
from ..operations.standing import Standing
from ..outcome.attempt import AccountFault
from ..relay.findings import Finding, Problem
from ..routing.account import Account
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

    :param logins: how the login of an account stands, which has one.
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
        logins: Callable[[Account], LoginStanding],
        listening: Callable[[], bool],
        reactor: Any,
        wall: Callable[[], float],
    ) -> None:
        self._configuration = configuration
        self._reactor = reactor
        self._logins = logins
        self.counters = Counters(events, clock=reactor, wall=wall)
        self.alarms = Alarms(
            settings=configuration.alarm,
            publisher=events,
            conditions=queue.conditions,
            totals=spool.totals,
            figures=spool.figures,
            logins=self._standings,
            cure=self._cure,
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
            logins=self._standings,
            clock=reactor,
            wall=wall,
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

    def _standings(self) -> list[tuple[Account, LoginStanding]]:
        """Return the accounts that have a login, and how that stands."""
        accounts = [each for each in _in_use(self._configuration) if each.logs_in]
        return [(each, self._logins(each)) for each in accounts]

    def _cure(self, name: str, fault: AccountFault) -> str:
        """Say what can be done about a fault, as a test of the account does."""
        for account in _in_use(self._configuration):
            if account.name == name:
                problem = Problem(fault.phase, fault.reply, fault.action)
                finding = Finding(step="", seconds=0.0, result="", problem=problem)
                return advice(account, finding)
        return ""

    def _expiries(self) -> Deferred[Sequence[Expiry]]:
        shown = _certificates(self._configuration)
        if not shown:
            return succeed([])
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, lambda: [_read(*each) for each in shown])


def _in_use(configuration: Configuration) -> list[Account]:
    reports = configuration.reports_account
    enabled = [account for account in configuration.accounts if account.enabled]
    return [*enabled, *([reports] if reports else [])]


def _certificates(configuration: Configuration) -> list[tuple[Expiry, str | None]]:
    """Return each certificate that is shown to others, not read yet, and the file of its key."""
    relay = configuration.master_relay
    found = []
    if relay.tls_certificate:
        found.append((Expiry(relay.tls_certificate, None, None), relay.tls_key))
    for account in _in_use(configuration):
        if account.tls_client_certificate:
            expiry = Expiry(account.tls_client_certificate, account.name, None)
            found.append((expiry, account.tls_client_key))
        oauth2 = account.oauth2
        if oauth2 and oauth2.client_certificate:
            expiry = Expiry(oauth2.client_certificate, account.name, None, for_tokens=True)
            found.append((expiry, oauth2.client_key))
    return found


def _read(expiry: Expiry, key: str | None) -> Expiry:
    try:
        certificate = load_certificate(expiry.file, key)
    except ConfigurationError as error:
        return attrs.evolve(expiry, fault=str(error))
    return attrs.evolve(expiry, end=certificate.chain[0].not_valid_after_utc.timestamp())
