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
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from ..dns import DnsError, Names
from ..errors import MultisendconError
from ..outcome.tls import TlsFinding, TlsResult
from .mta_sts import MOST_OCTETS, PolicyError, StsPolicy, read_policy

#: Seconds for one address, and for all of a policy.
CONNECTS_WITHIN, ANSWERS_WITHIN = 15.0, 60.0
#: Addresses of a host that are tried.
MOST_ADDRESSES = 4
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
    :param may_reach: tells whether an address may be connected to.
    :param https: verifies certificates.
    :param agent: sends requests.
    """

    def __init__(
        self,
        reactor: Any,
        names: Names,
        *,
        may_reach: Callable[[str], bool] = bool,
        https: IPolicyForHTTPS | None = None,
        agent: IAgent | None = None,
    ) -> None:
        self._reactor = reactor
        ways = _Ways(reactor, names, may_reach, https or BrowserLikePolicyForHTTPS())
        self._agent = agent or Agent.usingEndpointFactory(reactor, ways)

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
        url = f"https://{host}/.well-known/mta-sts.txt".encode("ascii")
        response: IResponse = await self._agent.request(b"GET", url, _HEADERS, None)
        problem = _problem_of(response)
        body = _Body(keep=not problem)
        response.deliverBody(body)
        octets = await body.received
        if problem:
            raise _RefusedError(problem)
        return octets


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
    """Takes the body of an answer, up to the longest policy there may be."""

    transport: Any

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._octets = bytearray()
        self.received: Deferred[bytes] = Deferred(lambda _: self._stop())

    def connectionMade(self) -> None:
        if not self._keep:
            self._end()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > MOST_OCTETS:
            self._end()

    def _end(self) -> None:
        """What follows is of no use."""
        if not self.received.called:
            self.received.callback(bytes(self._octets))
        self._stop()

    def _stop(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.transport = None
        if self.received.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.received.callback(bytes(self._octets))
        else:
            self.received.errback(reason)


@implementer(IAgentEndpointFactory)
class _Ways:
    """Says how the host of an address is reached."""

    def __init__(
        self,
        reactor: Any,
        names: Names,
        may_reach: Callable[[str], bool],
        https: IPolicyForHTTPS,
    ) -> None:
        self._reactor = reactor
        self._names = names
        self._may_reach = may_reach
        self._https = https

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        way = _Way(self._reactor, self._names, self._may_reach, uri)
        endpoint: IStreamClientEndpoint = wrapClientTLS(
            self._https.creatorForNetloc(uri.host, uri.port), way
        )
        return endpoint


@implementer(IStreamClientEndpoint)
class _Way:
    """A host, by the addresses that our DNS servers say; the first that answers."""

    def __init__(
        self, reactor: Any, names: Names, may_reach: Callable[[str], bool], uri: URI
    ) -> None:
        self._reactor = reactor
        self._names = names
        self._may_reach = may_reach
        self._uri = uri

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        failure: Exception = _RefusedError("it has no address that can be reached from here")
        for address in (await self._addresses())[:MOST_ADDRESSES]:
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            endpoint = kind(self._reactor, address, self._uri.port, CONNECTS_WITHIN)
            try:
                return await endpoint.connect(factory)
            except ConnectError as error:
                failure = error
        raise failure

    async def _addresses(self) -> list[str]:
        """Return the addresses, those of IPv4 first: every machine has that."""
        found: list[str] = []
        failure: DnsError | None = None
        for rdtype in ("A", "AAAA"):
            try:
                answer = await self._names.query(self._uri.host.decode("ascii"), rdtype)
            except DnsError as error:
                failure = error
            else:
                found += [str(each) for each in answer.records]
        if failure and not found:
            raise failure
        return [each for each in found if self._may_reach(each)]


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
        text = entries[-1][-1] if isinstance(entries, list) and entries else "no handshake"
        return TlsResult.STS_WEBPKI_INVALID, f"TLS: {text}"[:_LONGEST_REASON]
    why = type(error).__name__  # the text of others is longer than what it says
    if isinstance(error, _RefusedError | DnsError | ConnectError):
        why = str(error).rstrip(".")[:_LONGEST_REASON]
    elif isinstance(error, ConnectionDone):
        why = "the connection was closed"
    return TlsResult.STS_POLICY_FETCH_ERROR, why
