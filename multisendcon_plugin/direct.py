"""What accounts that deliver by the DNS have in common: resolver, policies, routes.

Made when it is asked for, by the first such account: without one, nothing asks the DNS, and
dnspython need not be there.  It sends no mail: that is `relay.direct`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress

from .configuration import Configuration
from .dns import Names
from .events import Publisher
from .relay.direct import MailServers, Ourselves, Routes
from .settings.destinations import Destinations

if TYPE_CHECKING:
    from .dns.resolver import Resolver
    from .policy import DnsPolicies


class DirectDelivery:
    """Knows the mail servers of all destinations, once there is an account that asks.

    :param reactor: has sockets and threads, and is the clock.
    :param events: is told of sessions.
    :param wall: tells the time in seconds since the epoch.
    :param listening: returns where the relay listens now.
    :param folder: of the spool; ``None``: nothing is kept over restarts.
    :param names: answers questions to the DNS; ``None``: the servers of ``[dns]`` do.
    """

    def __init__(
        self,
        configuration: Configuration,
        reactor: Any,
        *,
        events: Publisher,
        wall: Callable[[], float],
        listening: Callable[[], Iterable[IAddress]],
        folder: str | None,
        names: Names | None = None,
    ) -> None:
        self._configuration = configuration
        self._destinations = Destinations(configuration.destinations)
        self._reactor = reactor
        self._events = events
        self._wall = wall
        self._listening = listening
        self._folder = folder
        self._names = names
        self._made: _Made | None = None

    def servers(self) -> MailServers:
        """Return what knows the mail servers; what it needs is there from the first time on."""
        if self._made is None:
            self._made = self._make()
        return self._made.servers

    def reconfigure(self, configuration: Configuration) -> None:
        """Go on with other settings; what is under way ends as it has begun."""
        self._configuration = configuration
        self._destinations = Destinations(configuration.destinations)
        if self._made is not None and self._made.resolver is not None:
            self._made.resolver.reconfigure(configuration.dns)

    def stop(self) -> Deferred[Any]:
        """Ask no more; fires when nothing is being written any more."""
        if self._made is None:
            return succeed(None)
        made = self._made
        if made.resolver is not None:
            made.resolver.stop()
        return maybeDeferred(made.policies.stop)

    def _make(self) -> _Made:
        # Libraries that a plain installation lacks, and much that only such accounts need.
        from .policy import make_policies  # noqa: PLC0415

        names, resolver = self._names, None
        if names is None:
            from .dns.resolver import Resolver  # noqa: PLC0415

            names = resolver = Resolver(self._reactor, self._configuration.dns)
        policies = make_policies(
            self._reactor, names, self._folder, self._wall, allow_private=self._allow_private
        )
        policies.start()
        servers = MailServers(
            routes=Routes(names, self._ourselves, self._allow_private, random.shuffle),
            policies=policies,
            destinations=lambda: self._destinations,
            events=self._events,
            jitter=random.random,
        )
        return _Made(servers, policies, resolver)

    def _allow_private(self) -> bool:
        return self._configuration.dns.allow_private

    def _ourselves(self) -> Ourselves:
        ports = (getattr(each, "port", None) for each in self._listening())
        return Ourselves(
            names=frozenset({self._configuration.master_relay.hostname.lower()}),
            ports=frozenset(port for port in ports if port is not None),
        )


@attrs.frozen
class _Made:
    servers: MailServers
    policies: DnsPolicies
    resolver: Resolver | None
