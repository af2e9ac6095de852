"""What accounts need that deliver to the recipients' own servers: the DNS, and policies of domains.

It is there from the moment in which there is such an account; without one nothing of it is loaded,
and what it takes (``multisendcon[direct]``) need not be installed.
"""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed

from .configuration import Configuration
from .events import Publisher
from .relay.direct import MailServers, Ourselves, Routes
from .settings.destinations import Destinations
from .settings.endpoints import parse_endpoint

if TYPE_CHECKING:
    from .dns.resolver import Resolver
    from .policy import DnsPolicies


class DirectDelivery(Service):
    """Knows the mail servers of all destinations, for all accounts.

    :param events: is told of sessions.
    :param reactor: connects, and is the clock.
    :param wall: tells the time in seconds since the epoch.
    """

    def __init__(
        self,
        configuration: Configuration,
        events: Publisher,
        reactor: Any,
        wall: Callable[[], float],
    ) -> None:
        self._events = events
        self._reactor = reactor
        self._wall = wall
        self._servers: MailServers | None = None
        self._names: Resolver | None = None
        self._policies: DnsPolicies | None = None
        self.reconfigure(configuration)

    def servers(self) -> MailServers:
        """Return what knows them, which is made when it is asked for the first time."""
        if self._servers is None:
            self._servers = self._make()
        return self._servers

    def _make(self) -> MailServers:
        # A plain installation lacks a part of what they need.
        from .dns.resolver import Resolver  # noqa: PLC0415
        from .policy import make_policies  # noqa: PLC0415

        settings = self._configuration.dns
        self._names = Resolver(self._reactor, settings)
        self._policies = make_policies(
            self._reactor,
            self._names,
            self._configuration.spool.path,
            self._wall,
            allow_private=settings.allow_private,
        )
        if self.running:
            self._policies.start()
        chance = SystemRandom()
        return MailServers(
            routes=Routes(
                self._names,
                ourselves=lambda: self._ourselves,
                allow_private=lambda: self._configuration.dns.allow_private,
                shuffle=chance.shuffle,
            ),
            policies=self._policies,
            destinations=lambda: self._destinations,
            events=self._events,
            jitter=chance.random,
        )

    def reconfigure(self, configuration: Configuration) -> None:
        """Go on with another configuration."""
        self._configuration = configuration
        self._destinations = Destinations(configuration.destinations)
        master_relay = configuration.master_relay
        ports = (parse_endpoint(each).port for each in master_relay.listen)
        self._ourselves = Ourselves(
            frozenset({master_relay.hostname.lower()}), frozenset(filter(None, ports))
        )
        if self._names is not None:
            self._names.reconfigure(configuration.dns)

    def startService(self) -> None:
        super().startService()
        if self._policies is not None:
            self._policies.start()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self._names is not None:
            self._names.stop()
        return self._policies.stop() if self._policies is not None else succeed(None)
