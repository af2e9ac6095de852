"""Makes the factory of the sessions, and opens the ports of ``[master_relay]``.

Used by both that have an edge, the relay in one process and the front process.  It decides nothing
about mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import classImplements

from ..errors import ListenError
from ..events import Publisher
from ..interfaces import IAccountRegistry
from ..routing.registry import AccountRegistry
from ..settings.endpoints import PROXY, completed, parse_endpoint
from ..settings.values import ClientSettings
from . import ClientsTLS, ProxyFactory, RelayESMTPFactory
from .delivery import TransactionPolicy

classImplements(AccountRegistry, IAccountRegistry)


def master_relay(
    policy: TransactionPolicy,
    clients: Sequence[ClientSettings],
    events: Publisher,
    reactor: Any,
) -> RelayESMTPFactory:
    """Return the factory of the sessions.

    :raise ConfigurationError: the certificate cannot be used.
    """
    return RelayESMTPFactory(
        policy, reactor, events=events, clients=clients, in_thread=partial(_in_thread, reactor)
    )


def _in_thread(reactor: Any, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)


def listener(description: str, sessions: RelayESMTPFactory, reactor: Any) -> Any:
    """Return what takes the connections of an endpoint."""
    return ProxyFactory(sessions, reactor) if description.startswith(PROXY) else sessions


def endpoint(description: str, reactor: Any) -> Any:
    """Return an endpoint of `[master_relay]`.

    :raise ValueError: or another error, when Twisted cannot make it.
    """
    if parse_endpoint(description).prefix == "ssl":
        reactor = _ClientsReactor(reactor)
    return serverFromString(reactor, completed(description).removeprefix(PROXY))


class _ClientsReactor:
    """A reactor whose ports with TLS speak with each client as its settings say."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, **options: Any) -> Any:
        return self._reactor.listenSSL(port, factory, ClientsTLS(contextFactory), **options)


class Ports:
    """The ports of ``[master_relay]``.

    :param descriptions: their endpoint strings.
    :param take: what takes the connections of one, by its endpoint string.
    """

    def __init__(
        self, descriptions: Sequence[str], take: Callable[[str], Any], reactor: Any
    ) -> None:
        self._descriptions = descriptions
        self._take = take
        self._reactor = reactor
        self._ports: list[Any] = []

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return [port.getHost() for port in self._ports]

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the endpoint strings and ports that are open."""
        return zip(self._descriptions, self._ports, strict=True)

    def open(self, *, accept: bool = True) -> None:
        """Begin to listen.

        :param accept: else clients wait in the backlog, until another process accepts them.
        :raise ListenError: it is not possible.
        """
        for description in self._descriptions:
            port: Any = _listen(description, self._take(description), self._reactor)
            if not accept:
                port.stopReading()
            self._ports.append(port)

    def close(self) -> Deferred[Any]:
        """Listen no longer."""
        ports, self._ports = self._ports, []
        return DeferredList([maybeDeferred(port.stopListening) for port in ports])


def _listen(description: str, factory: Any, reactor: Any) -> IListeningPort:
    ports: list[IListeningPort] = []
    problems: list[Failure] = []
    listening = maybeDeferred(lambda: endpoint(description, reactor).listen(factory))
    listening.addCallbacks(ports.append, problems.append)
    if problems:
        reason = problems[0].getErrorMessage()
        if problems[0].check(LookupError):  # what Twisted says then is an index, or a name
            reason = "systemd passed no such socket (see systemd.socket(5))"
        raise ListenError(f"cannot listen on {description}: {reason}") from problems[0].value
    return ports[0]
