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

from ..configuration import Configuration
from ..dns import Names
from ..events import Publisher
from ..relay.direct import MailServers, Ourselves, Routes
from ..settings.destinations import Destinations
from ..settings.endpoints import address_of, parse_endpoint

if TYPE_CHECKING:
    from ..dns.resolver import Resolver
    from ..policy import DnsPolicies


def _one_address(interface: str) -> str:
    """Return the address on which an endpoint listens; ``""``: on all."""
    address = address_of(interface)
    return "" if address is None or address.is_unspecified else str(address)


class DirectDelivery(Service):
    """Knows the mail servers of all destinations, for all accounts.

    :param events: is told of sessions.
    :param reactor: connects, and is the clock.
    :param wall: tells the time in seconds since the epoch.
    :param folder: of the spool, where policies are kept; ``None``: they are not.
    :param names: answers questions to the DNS; ``None``: the servers of ``[dns]`` do.
    """

    def __init__(
        self,
        configuration: Configuration,
        events: Publisher,
        reactor: Any,
        wall: Callable[[], float],
        *,
        folder: str | None,
        names: Names | None = None,
    ) -> None:
        self._events = events
        self._reactor = reactor
        self._wall = wall
        self._servers: MailServers | None = None
        self._folder = folder
        self._names = names
        self._resolver: Resolver | None = None
        self._policies: DnsPolicies | None = None
        self.reconfigure(configuration)

    def servers(self) -> MailServers:
        """Return what knows them, which is made when it is asked for the first time."""
        if self._servers is None:
            self._servers = self._make()
        return self._servers

    def _make(self) -> MailServers:
        # A plain installation lacks a part of what they need.
        from ..policy import make_policies  # noqa: PLC0415

        names = self._names or self._make_resolver()
        self._policies = make_policies(
            self._reactor, names, self._folder, self._wall, allow_private=self._allow_private
        )
        if self.running:
            self._policies.start()
        chance = SystemRandom()
        return MailServers(
            routes=Routes(
                names,
                ourselves=lambda: self._ourselves,
                allow_private=self._allow_private,
                shuffle=chance.shuffle,
            ),
            policies=self._policies,
            destinations=lambda: self._destinations,
            events=self._events,
            jitter=chance.random,
        )

    def _make_resolver(self) -> Resolver:
        from ..dns.resolver import Resolver  # noqa: PLC0415 -- as above

        self._resolver = Resolver(self._reactor, self._configuration.dns)
        return self._resolver

    def _allow_private(self) -> bool:
        return self._configuration.dns.allow_private

    def reconfigure(self, configuration: Configuration) -> None:
        """Go on with another configuration."""
        self._configuration = configuration
        self._destinations = Destinations(configuration.destinations)
        master_relay = configuration.master_relay
        endpoints = map(parse_endpoint, master_relay.listen)
        self._ourselves = Ourselves(
            frozenset({master_relay.hostname.lower()}),
            frozenset((_one_address(each.interface), each.port) for each in endpoints if each.port),
        )
        if self._resolver is not None:
            self._resolver.reconfigure(configuration.dns)

    def startService(self) -> None:
        super().startService()
        if self._policies is not None:
            self._policies.start()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        if self._resolver is not None:
            self._resolver.stop()
        return self._policies.stop() if self._policies is not None else succeed(None)
