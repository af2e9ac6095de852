"""The master relay as it listens: its factory, and its ports.

Makes them from the configuration for `service`, and for the front process.  It decides nothing
about mail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import classImplements

from ..errors import ListenError
from ..events import Publisher
from ..interfaces import IAccountRegistry, IIntake
from ..routing.registry import AccountRegistry
from ..settings.endpoints import PROXY, completed, parse_endpoint
from ..settings.values import ClientSettings, MasterRelay
from . import ClientsTLS, ProxyFactory, RelayESMTPFactory

classImplements(AccountRegistry, IAccountRegistry)


def master_relay(
    settings: MasterRelay,
    clients: Sequence[ClientSettings],
    registry: AccountRegistry,
    intake: IIntake,
    *,
    events: Publisher,
    reactor: Any,
    wall: Callable[[], float],
) -> RelayESMTPFactory:
    """Return the factory of the sessions.

    :param wall: tells the time that people read, in seconds since the epoch.
    """
    return RelayESMTPFactory(
        settings,
        registry,
        intake,
        reactor,
        wall,
        events=events,
        clients=clients,
        in_thread=partial(_in_thread, reactor),
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


def listen(description: str, sessions: RelayESMTPFactory, reactor: Any) -> IListeningPort:
    """Begin to listen.

    :raise ListenError: it is not possible.
    """
    ports: list[IListeningPort] = []
    problems: list[Failure] = []
    factory = listener(description, sessions, reactor)
    listening = maybeDeferred(lambda: endpoint(description, reactor).listen(factory))
    listening.addCallbacks(ports.append, problems.append)
    if problems:
        reason = problems[0].getErrorMessage()
        if problems[0].check(LookupError):  # what Twisted says then is an index, or a name
            reason = "systemd passed no such socket (see systemd.socket(5))"
        raise ListenError(f"cannot listen on {description}: {reason}") from problems[0].value
    return ports[0]
