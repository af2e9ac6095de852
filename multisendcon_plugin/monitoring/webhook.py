"""Tells of alarms by HTTP POST: each is sent as JSON, one after the other, until it is taken.

A server that hangs, floods or lies costs a connection and some memory, both with limits.  The
address may hold a token: nothing says more of it than the host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from ..operations.json_form import encode
from ..operations.values import Alarm, AlarmKind

#: Seconds for a connection, and for the whole of a try.
CONNECTS_WITHIN, ANSWERS_WITHIN = 10.0, 30.0
#: Seconds between tries; the last one repeats.
PAUSES = (5.0, 30.0, 120.0, 600.0)
#: Tries that fail until that is a trouble of its own.
TRIES_UNTOLD = 3
#: Alarms that wait; beyond, the oldest are dropped.
MOST_WAITING = 1000
#: Octets that a server may say before it is hung up on; nothing of it is of interest but a status.
MOST_SAID = 64 * 1024
#: Characters of why a try has failed.
_LONGEST_REASON = 300


class Webhook:
    """Sends alarms to the address of ``[alarm]``, webhook.

    :param address: on the web.
    :param reactor: connects, and is the clock.
    :param report: is told why it cannot be reached, and ``""`` when it can again.
    :param agent: sends requests.
    """

    log = Logger()

    def __init__(
        self,
        address: str,
        reactor: Any,
        report: Callable[[str], None],
        agent: IAgent | None = None,
    ) -> None:
        self._address = address.encode()
        self._host = urlsplit(address).hostname
        self._reactor = reactor
        self._report = report
        self._endpoints = _Endpoints(reactor)
        self._agent = agent or Agent.usingEndpointFactory(reactor, self._endpoints)
        self._waiting: deque[Alarm] = deque()
        self._failures = 0
        self._stopping = False
        self._sending: Deferred[None] | None = None

    def tell(self, alarm: Alarm) -> None:
        """Send an alarm, when those before have been taken; not the one that this is impossible."""
        if alarm.kind is AlarmKind.WEBHOOK or self._stopping:
            return
        if len(self._waiting) == MOST_WAITING:
            self.log.error("webhook {host}: too many alarms wait, one is dropped", host=self._host)
            self._waiting.popleft()
        self._waiting.append(alarm)
        if self._sending is None:
            self._sending = Deferred.fromCoroutine(self._send_all())
            self._sending.addErrback(self._stopped)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopping = True
        if self._sending is not None:
            self._sending.cancel()

    def _stopped(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("internal error of the webhook (a bug); traceback follows", failure)

    async def _send_all(self) -> None:
        while self._waiting:
            alarm = self._waiting.popleft()
            while why := await self._send(alarm):
                if self._stopping:
                    return
                self._failures += 1
                if self._failures == TRIES_UNTOLD:
                    self._report(f"the webhook at {self._host} does not take alarms: {why}")
                pause = PAUSES[min(self._failures, len(PAUSES)) - 1]
                await deferLater(self._reactor, pause)
            if self._failures >= TRIES_UNTOLD:
                self._report("")
            self._failures = 0
        self._sending = None

    async def _send(self, alarm: Alarm) -> str:
        """Send an alarm; return why it was not taken."""
        body = _Body(encode(alarm))
        asked = self._agent.request(b"POST", self._address, Headers(_HEADERS), body)
        try:
            response: IResponse = await asked.addTimeout(ANSWERS_WITHIN, self._reactor)
        except Exception as error:
            return _reason(error)
        finally:
            # What else it says, if ever, is of no interest.
            self._endpoints.hang_up()
        return "" if 200 <= response.code < 300 else f"it answers {response.code}"


_HEADERS = {"Content-Type": ["application/json"], "User-Agent": ["multisendcon"]}


def _reason(error: BaseException) -> str:
    """Say why there was no answer."""
    while reasons := getattr(error, "reasons", None):  # Twisted puts one into another
        error = reasons[0].value
    if isinstance(error, defer.TimeoutError | CancelledError | ConnectingCancelledError):
        return f"there is no answer within {ANSWERS_WITHIN:.0f} s"
    return f"{type(error).__name__}: {error}"[:_LONGEST_REASON]


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
        """End the connections, also with a server that does not want to hear of it."""
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
