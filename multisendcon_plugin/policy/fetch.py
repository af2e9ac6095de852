"""Fetches the policy of a domain over HTTPS (RFC 8461 section 3.3).

The certificate has to be valid for the host, by the authorities of the system; its addresses are
those that our own DNS servers say; nobody is followed elsewhere.  A host that hangs or floods costs
a connection and some memory, both with limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionDone
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from ..dns import DnsError, Names
from ..errors import MultisendconError
from ..outcome.tls import TlsFinding, TlsResult
from ..routing.next_hops import may_be_tried
from .mta_sts import MOST_OCTETS, PolicyError, StsPolicy, read_policy

#: Seconds for one address, and for all of a policy.
CONNECTS_WITHIN, ANSWERS_WITHIN = 15.0, 60.0
#: Addresses of a host that are tried.
MOST_ADDRESSES = 4
#: Octets of a connection, also for the handshake and the header, in which Twisted takes any number
#: of lines.
MOST_RECEIVED = 4 * MOST_OCTETS
_HEADERS = Headers({"User-Agent": ["multisendcon"], "Accept": ["text/plain"]})
_LONGEST_REASON = 200


class NotFetchedError(MultisendconError):
    """There is no policy to be had.

    :ivar finding: why.
    """

    def __init__(self, result: TlsResult, text: str) -> None:
        super().__init__(text)
        self.finding = TlsFinding(result, text)


class Fetcher:
    """Fetches policies.

    :param reactor: connects, and is the clock.
    :param names: answers which addresses a host has.
    :param allow_private: tells whether private addresses may be connected to, too.
    :param https: verifies certificates.
    :param agent: sends requests.
    """

    def __init__(
        self,
        reactor: Any,
        names: Names,
        *,
        allow_private: Callable[[], bool] = bool,
        https: IPolicyForHTTPS | None = None,
        agent: IAgent | None = None,
    ) -> None:
        self._reactor = reactor
        self._names = names
        self._allow_private = allow_private
        self._https = https or BrowserLikePolicyForHTTPS()
        self._agent = agent

    async def fetch(self, domain: str) -> StsPolicy:
        """Fetch the policy of a domain.

        :param domain: an A-label in lower case.
        :raise NotFetchedError: there is none.
        """
        host = f"mta-sts.{domain}"
        asked = Deferred.fromCoroutine(self._fetch(host))
        try:
            octets = await asked.addTimeout(ANSWERS_WITHIN, self._reactor, _time_is_up)
            return read_policy(octets)
        except PolicyError as error:
            text = f"the policy at {host} cannot be used: {error}"
            raise NotFetchedError(TlsResult.STS_POLICY_INVALID, text) from None
        except Exception as error:
            result, why = _reason(_innermost(error))
            raise NotFetchedError(
                result, f"the policy at {host} cannot be fetched: {why}"
            ) from None

    async def _fetch(self, host: str) -> bytes:
        ways = _Ways(self._reactor, self._names, self._https, allow_private=self._allow_private())
        agent = self._agent or Agent.usingEndpointFactory(self._reactor, ways)
        url = f"https://{host}/.well-known/mta-sts.txt".encode("ascii")
        try:
            response: IResponse = await agent.request(b"GET", url, _HEADERS, None)
            if problem := _problem_of(response):
                raise _RefusedError(problem)
            body = _Body()
            response.deliverBody(body)
            return await body.received
        except Exception:
            if ways.flooded:
                raise _RefusedError(f"more comes than {MOST_RECEIVED // 1024} KiB") from None
            raise
        finally:
            ways.close()


def _time_is_up(_: object, seconds: float) -> bytes:
    raise _RefusedError(f"no answer within {seconds:.0f} s")


def _problem_of(response: IResponse) -> str:
    if response.code != 200:
        return f"the answer is {response.code}"
    (kind,) = (response.headers.getRawHeaders("Content-Type") or [""])[:1]
    if kind.partition(";")[0].strip().lower() != "text/plain":
        return "the answer is not text/plain"
    return ""


class _RefusedError(Exception):
    """An answer is of no use; the text says why."""


class _Body(Protocol):
    """Takes the body of an answer, as far as the longest policy there may be."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self.received: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > MOST_OCTETS and not self.received.called:
            self.received.callback(bytes(self._octets))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.received.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.received.callback(bytes(self._octets))
        else:
            self.received.errback(reason)


class _Bounded(ProtocolWrapper):
    """Ends a connection over which more comes than an answer can have.

    :ivar flooded: that has happened.
    """

    flooded = False
    _left = MOST_RECEIVED

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self.flooded = True
            self.abortConnection()
        else:
            super().dataReceived(data)


class _BoundedFactory(WrappingFactory):
    protocol = _Bounded
    noisy = False


@implementer(IAgentEndpointFactory)
class _Ways:
    """Says how a host is reached: by the addresses that our DNS servers say, in turn."""

    def __init__(
        self,
        reactor: Any,
        names: Names,
        https: IPolicyForHTTPS,
        *,
        allow_private: bool,
    ) -> None:
        self._reactor = reactor
        self._names = names
        self._https = https
        self._allow_private = allow_private
        self._connected: list[Any] = []

    @property
    def flooded(self) -> bool:
        """Whether a connection was ended since too much came."""
        return any(each.flooded for each in self._connected)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        tls = self._https.creatorForNetloc(uri.host, uri.port)
        endpoint: IStreamClientEndpoint = wrapClientTLS(tls, _Way(self, uri))
        return endpoint

    def close(self) -> None:
        """Let nothing more come: to end in good order would be up to the host."""
        for protocol in self._connected:
            protocol.transport.abortConnection()

    async def connect(self, uri: URI, factory: IProtocolFactory) -> IProtocol:
        """Connect to the host of an address."""
        failure: Exception = _RefusedError("it has no address that can be reached from here")
        for address in (await self._addresses(uri.host.decode("ascii")))[:MOST_ADDRESSES]:
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint = kind(self._reactor, address, uri.port, CONNECTS_WITHIN)
            try:
                bounded: Any = await endpoint.connect(_BoundedFactory(factory))
            except ConnectError as error:
                failure = error
            else:
                self._connected.append(bounded)
                protocol: IProtocol = bounded.wrappedProtocol
                return protocol
        raise failure

    async def _addresses(self, host: str) -> list[str]:
        """Return the addresses, those of IPv4 first: every machine has that."""
        found: list[str] = []
        failure: DnsError | None = None
        for rdtype in ("A", "AAAA"):
            try:
                answer = await self._names.query(host, rdtype)
            except DnsError as error:
                failure = error
            else:
                found += [str(each) for each in answer.records]
        if failure and not found:
            raise failure
        allow_private = self._allow_private
        return [each for each in found if may_be_tried(each, allow_private=allow_private)]


@implementer(IStreamClientEndpoint)
class _Way:
    """One host, as Twisted wants to have it."""

    def __init__(self, ways: _Ways, uri: URI) -> None:
        self._ways = ways
        self._uri = uri

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._ways.connect(self._uri, protocolFactory))


def _innermost(error: BaseException) -> BaseException:
    """Return an error that Twisted has put into others.

    :raise CancelledError: it is none.
    """
    while reasons := getattr(error, "reasons", None):
        error = reasons[0].value
    if isinstance(error, CancelledError | ConnectingCancelledError):
        raise CancelledError from None
    return error


def _reason(error: BaseException) -> tuple[TlsResult, str]:
    """Say why there was no answer."""
    if isinstance(error, VerificationError):
        return TlsResult.STS_WEBPKI_INVALID, "its certificate is for another host"
    if isinstance(error, SSL.Error):
        entries = error.args[0] if error.args else []
        text = str(entries[-1][-1]) if isinstance(entries, list) and entries else "no handshake"
        web = "certificate" in text
        result = TlsResult.STS_WEBPKI_INVALID if web else TlsResult.STS_POLICY_FETCH_ERROR
        return result, f"TLS: {text}"[:_LONGEST_REASON]
    why = type(error).__name__  # the text of others is longer than what it says
    if isinstance(error, _RefusedError | DnsError | ConnectError):
        why = str(error).rstrip(".")[:_LONGEST_REASON]
    elif isinstance(error, ConnectionDone):
        why = "the connection was closed"
    return TlsResult.STS_POLICY_FETCH_ERROR, why
