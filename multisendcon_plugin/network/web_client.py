"""Posts to web servers; one that hangs, floods or lies costs a connection and some memory.

The limits hold for connections, in octets, so they hold whatever an answer is made of.
Certificates are verified by the authorities of the system; nobody is followed elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionAborted,
    DNSLookupError,
)
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

#: Seconds for a connection, and for the whole of a request.
CONNECTS_WITHIN, ANSWERS_WITHIN = 10.0, 30.0
#: Octets that a server may say before it is hung up on.
MOST_SAID = 64 * 1024
#: Characters of why there was no answer.
_LONGEST_REASON = 200


class WebClient:
    """Sends one request at a time.

    :param reactor: connects, and is the clock.
    :param agent: sends requests; ``None``: one with these limits.
    """

    def __init__(self, reactor: Any, agent: IAgent | None = None) -> None:
        self._endpoints = _Endpoints(reactor)
        self._agent = agent or Agent.usingEndpointFactory(reactor, self._endpoints)

    def post(self, address: bytes, headers: Mapping[str, str], body: bytes) -> Deferred[IResponse]:
        """Post something; fires when the answer has begun."""
        fields = Headers({name: [value] for name, value in headers.items()})
        asked: Deferred[IResponse] = self._agent.request(b"POST", address, fields, _Body(body))
        return asked

    def hang_up(self) -> None:
        """End the connections, also with a server that does not want to hear of it."""
        self._endpoints.hang_up()


def reason(error: BaseException) -> str:
    """Say what has kept an answer from coming, as what the server does.

    Nothing of what it says, which may be what it was asked.
    """
    while reasons := getattr(error, "reasons", None):  # Twisted puts one into another
        error = reasons[0].value
    if isinstance(error, defer.TimeoutError | CancelledError | ConnectingCancelledError):
        return f"gives no answer within {ANSWERS_WITHIN:.0f} s"
    if isinstance(error, DNSLookupError):
        return "cannot be found in the DNS"
    if isinstance(error, ConnectError):
        return f"cannot be reached: {error}".rstrip(".")[:_LONGEST_REASON]
    if isinstance(error, ConnectionAborted):
        return "says more than an answer"
    return f"cannot be asked: {_tls_fault(error) or type(error).__name__}"


def _tls_fault(error: BaseException) -> str:
    """Return what OpenSSL says; ``""``: it is another error."""
    faults = error.args[0] if error.args else None
    if isinstance(faults, list) and faults and isinstance(faults[0], tuple):
        return f"TLS: {faults[0][-1]}"[:_LONGEST_REASON]
    return ""


@implementer(IBodyProducer)
class _Body:
    """What is sent; it is short."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All is written."""

    resumeProducing = stopProducing = pauseProducing


class _Limited(ProtocolWrapper):
    """A connection to a server that may say so much only."""

    said = 0

    def dataReceived(self, data: bytes) -> None:
        self.said += len(data)
        if self.said > MOST_SAID:
            self.abortConnection()
        else:
            super().dataReceived(data)


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Makes connections as Twisted's agent does by itself, but `_Limited`, and ends them."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._tls = BrowserLikePolicyForHTTPS()
        self._open: list[_Limited] = []

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """Return where to connect."""
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor, uri.host, uri.port, timeout=CONNECTS_WITHIN
        )
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._tls.creatorForNetloc(uri.host, uri.port), endpoint)
        return _Endpoint(endpoint, self._open)

    def hang_up(self) -> None:
        while self._open:
            self._open.pop().abortConnection()


@implementer(IStreamClientEndpoint)
class _Endpoint:
    def __init__(self, endpoint: IStreamClientEndpoint, connected: list[_Limited]) -> None:
        self._endpoint = endpoint
        self._connected = connected

    def connect(self, factory: Any) -> Deferred[Any]:
        """Connect."""
        limited = WrappingFactory[_Limited](factory)
        limited.noisy = factory.noisy = False
        limited.protocol = _Limited
        return self._endpoint.connect(limited).addCallback(self._made)

    def _made(self, connection: Any) -> Any:
        self._connected.append(connection)
        return connection.wrappedProtocol
