"""Makes the factory of the sessions, and opens the ports of ``[master_relay]``.

Used by both that have an edge, the relay in one process and the front process.  It decides nothing
about mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IAddress
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from ..errors import ListenError
from ..events import Publisher
from ..settings.endpoints import PROXY, completed, parse_endpoint
from ..settings.values import ClientSettings
from . import ClientsTLS, ProxyFactory, RelayESMTPFactory
from .delivery import TransactionPolicy
from .tls import PortTLS


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
        reactor = _ClientsReactor(reactor, PortTLS())
    return _endpoint(description, reactor)


def _endpoint(description: str, reactor: Any) -> Any:
    return serverFromString(reactor, completed(description).removeprefix(PROXY))


@attrs.frozen
class _ClientsReactor:
    """A reactor whose ports with TLS speak with each client as its settings say."""

    reactor: Any
    tls: PortTLS

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, **options: Any) -> Any:
        self.tls.use(ClientsTLS(contextFactory))
        return self.reactor.listenSSL(port, factory, self.tls, **options)


class _NoReactor:
    """Tells the TLS of an endpoint, whose files were read for it, instead of listening."""

    def listenSSL(self, port: int, factory: Any, contextFactory: Any, **options: Any) -> ClientsTLS:  # noqa: ARG002
        return ClientsTLS(contextFactory)


@attrs.frozen
class _OpenPort:
    """A port that listens.

    :param tls: of its sessions, where these begin with it.
    """

    port: Any
    tls: PortTLS


@attrs.frozen
class NewPorts:
    """What `Ports.use` takes: the ports that are to be there, and what they have to be given.

    :param opened: those of them that were not there before.
    :param renewed: their files as they are now.
    """

    descriptions: Sequence[str]
    opened: dict[str, _OpenPort] = attrs.field(factory=dict)
    renewed: dict[str, ClientsTLS] = attrs.field(factory=dict)

    def give_up(self) -> None:
        """Close the ports that were opened for it."""
        for each in self.opened.values():
            each.port.stopListening()


class Ports:
    """The ports of ``[master_relay]``, by their endpoint strings.

    :param take: what takes the connections of one, by its endpoint string.
    :param accept: else clients wait in their backlogs, until another process accepts them.
    """

    def __init__(self, take: Callable[[str], Any], reactor: Any, *, accept: bool = True) -> None:
        self._take = take
        self._reactor = reactor
        self._accept = accept
        self._ports: dict[str, _OpenPort] = {}

    @property
    def addresses(self) -> list[IAddress]:
        """Where it listens."""
        return [each.port.getHost() for each in self._ports.values()]

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Iterate over the endpoint strings and ports that are open."""
        return iter([(description, each.port) for description, each in self._ports.items()])

    def prepared(self, descriptions: Sequence[str]) -> NewPorts:
        """Open the ports that are not open yet; beside others, their clients wait for `use`.

        :raise ListenError: it is not possible; then none is.
        """
        new = NewPorts(descriptions)
        faults = []
        for description in dict.fromkeys(descriptions):
            try:
                if description not in self._ports:
                    new.opened[description] = self._open(description)
                elif parse_endpoint(description).prefix == "ssl":
                    new.renewed[description] = _read_tls(description)
            except ListenError as error:
                faults.append(str(error))
        if faults:
            new.give_up()
            raise ListenError("\n".join(faults))
        return new

    def _open(self, description: str) -> _OpenPort:
        tls = PortTLS()
        reactor = self._reactor
        if parse_endpoint(description).prefix == "ssl":
            reactor = _ClientsReactor(reactor, tls)
        port: Any = _listen(description, self._take(description), reactor)
        if self._ports or not self._accept:
            port.stopReading()
        if not self._accept:
            # It is closed here and not shut down: the other process would find it broken.
            port._shouldShutdown = False  # noqa: SLF001 -- there is no public way
        return _OpenPort(port, tls)

    def use(self, new: NewPorts) -> list[Any]:
        """Let these be the ports.

        :return: the ports that are not needed any more, which are open still.
        """
        before, after = self._ports, self._ports | new.opened
        self._ports = {each: after[each] for each in new.descriptions}
        for description, tls in new.renewed.items():
            self._ports[description].tls.use(tls)
        if before and self._accept:
            for each in new.opened.values():
                each.port.startReading()
        return [each.port for name, each in before.items() if name not in self._ports]

    def close(self) -> Deferred[Any]:
        """Listen no longer."""
        ports, self._ports = self._ports, {}
        return close_all(each.port for each in ports.values())


def close_all(ports: Iterable[Any]) -> Deferred[Any]:
    """Listen on these no longer."""
    return DeferredList([maybeDeferred(port.stopListening) for port in ports])


def _listen(description: str, factory: Any, reactor: Any) -> Any:
    results: list[Any] = []
    problems: list[Failure] = []
    listening = maybeDeferred(lambda: _endpoint(description, reactor).listen(factory))
    listening.addCallbacks(results.append, problems.append)
    if problems:
        reason = problems[0].getErrorMessage()
        if problems[0].check(LookupError):  # what Twisted says then is an index, or a name
            reason = "systemd passed no such socket (see systemd.socket(5))"
        raise ListenError(f"cannot listen on {description}: {reason}") from problems[0].value
    return results[0]


def _read_tls(description: str) -> ClientsTLS:
    tls: ClientsTLS = _listen(description, None, _NoReactor())
    return tls
