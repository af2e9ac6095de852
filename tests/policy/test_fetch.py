"""Policies over HTTPS: what is asked, what is believed, and what becomes of those who hang."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseDone, ResponseNeverReceived
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from multisendcon_plugin.outcome.tls import TlsResult
from multisendcon_plugin.policy import Fetcher
from multisendcon_plugin.policy.fetch import ANSWERS_WITHIN, CONNECTS_WITHIN, NotFetchedError
from multisendcon_plugin.policy.mta_sts import MOST_OCTETS, Mode, StsPolicy
from multisendcon_plugin.testing import Authority, FakeNames

DOMAIN, HOST = "example.com", "mta-sts.example.com"
TEXT = b"version: STSv1\r\nmode: enforce\r\nmx: mx1.example.com\r\nmax_age: 604800\r\n"
POLICY = StsPolicy(Mode.ENFORCE, ("mx1.example.com",), 604800)
FETCH, INVALID, WEB = (
    TlsResult.STS_POLICY_FETCH_ERROR,
    TlsResult.STS_POLICY_INVALID,
    TlsResult.STS_WEBPKI_INVALID,
)

# Answers.


@implementer(IResponse)
class Answer:
    """What a host answers; its body comes in pieces."""

    def __init__(self, *pieces, code=200, kind="text/plain", end=None):
        self.code = code
        self.headers = Headers({"Content-Type": [kind]} if kind else {})
        self.pieces = pieces or (TEXT,)
        self.end = end

    def deliverBody(self, protocol):  # noqa: N802
        for piece in self.pieces:
            protocol.dataReceived(piece)
        if self.end is not PENDING:
            protocol.connectionLost(Failure(self.end or ResponseDone()))


PENDING = object()


@implementer(IAgent)
class FakeAgent:
    """Answers each request with the same."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def request(self, method, uri, headers=None, bodyProducer=None):  # noqa: N803
        self.asked.append((method, uri, headers, bodyProducer))
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return self.answer if isinstance(self.answer, Deferred) else succeed(self.answer)


def begin(answer, clock=None):
    agent = FakeAgent(answer)
    fetcher = Fetcher(clock or Clock(), FakeNames(), agent=agent)
    results = []
    fetching = Deferred.fromCoroutine(fetcher.fetch(DOMAIN))
    fetching.addBoth(results.append)
    return agent, fetching, results


def fetched(answer):
    """Return what is fetched, or why nothing is."""
    _, _, (result,) = begin(answer)
    if isinstance(result, Failure):
        result.trap(NotFetchedError)
        finding = result.value.finding
        assert str(result.value) == finding.text
        return finding.result, finding.text
    return result


def test_what_is_asked():
    agent, _, _ = begin(Answer())
    ((method, uri, headers, body),) = agent.asked
    assert (method, uri, body) == (b"GET", f"https://{HOST}/.well-known/mta-sts.txt".encode(), None)
    assert not headers.hasHeader("Cookie")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(*(TEXT[n : n + 1] for n in range(len(TEXT)))),
        Answer(kind="text/plain; charset=utf-8"),
        Answer(kind="Text/Plain ;charset=utf-8"),
        Answer(end=PotentialDataLoss()),
        Answer(TEXT + b"x:" + b"a" * (MOST_OCTETS - len(TEXT) - 2)),
    ],
)
def test_a_policy_is_read(answer):
    assert fetched(answer) == POLICY


NOT_FETCHED = f"the policy at {HOST} cannot be fetched: "


@pytest.mark.parametrize("code", [201, 204, 301, 302, 307, 308, 404, 500])
def test_any_other_status_is_no_policy_and_nobody_is_followed_elsewhere(code):
    answer = Answer(code=code)
    answer.headers.setRawHeaders("Location", ["https://elsewhere.example/"])
    assert fetched(answer) == (FETCH, f"{NOT_FETCHED}the answer is {code}")


@pytest.mark.parametrize("kind", [None, "", "text/html", "text/plainer", "application/json"])
def test_any_other_kind_of_text_is_no_policy(kind):
    answer = Answer(kind=kind)
    assert fetched(answer) == (FETCH, f"{NOT_FETCHED}the answer is not text/plain")


def test_a_policy_that_cannot_be_read_is_none():
    text = f"the policy at {HOST} cannot be used: it has no version: STSv1"
    assert fetched(Answer(b"mode: enforce")) == (INVALID, text)


def test_an_answer_without_end_is_cut_off():
    answer = Answer(*[b"x:" + b"a" * 1000 + b"\n"] * 1000, end=ConnectionLost())
    text = f"the policy at {HOST} cannot be used: it is longer than 64 KiB"
    assert fetched(answer) == (INVALID, text)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionDone(), (FETCH, "the connection was closed")),
        (ZeroDivisionError("secret"), (FETCH, "ZeroDivisionError")),
        (
            SSL.Error([("SSL routines", "", "certificate verify failed")]),
            (WEB, "TLS: certificate verify failed"),
        ),
        (SSL.Error(), (FETCH, "TLS: no handshake")),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_why_there_is_no_answer(error, expected, wrapped):
    result, text = expected
    if wrapped:
        error = ResponseNeverReceived([Failure(error)])
    assert fetched(error) == (result, NOT_FETCHED + text)


def test_an_answer_that_breaks_off_is_none():
    assert fetched(Answer(TEXT, end=ConnectionDone()))[0] is FETCH


@pytest.mark.parametrize("answer", [Deferred, lambda: Answer(TEXT, end=PENDING)])
def test_who_hangs_is_given_up_after_a_minute(answer):
    clock = Clock()
    answer = answer()
    _, _, results = begin(answer, clock)
    clock.advance(ANSWERS_WITHIN - 1)
    assert results == []
    clock.advance(1)
    assert str(results[0].value) == f"{NOT_FETCHED}no answer within 60 s"
    assert clock.getDelayedCalls() == []


def test_who_gives_up_is_no_failure_of_the_host():
    clock = Clock()
    _, fetching, results = begin(Deferred(), clock)
    fetching.cancel()
    assert results[0].check(CancelledError)
    assert clock.getDelayedCalls() == []


# Addresses.


def reached(names, **settings):
    """Return a reactor that is asked for connections, and what came of it."""
    reactor = MemoryReactorClock()
    results = []
    fetcher = Fetcher(reactor, names, **settings)
    Deferred.fromCoroutine(fetcher.fetch(DOMAIN)).addBoth(results.append)
    return reactor, results


def test_the_addresses_are_those_of_our_dns_in_turn():
    names = FakeNames(zones={HOST: {"A": ["1.1.1.1", "1.1.1.2"], "AAAA": ["2606:4700::1"]}})
    reactor, results = reached(names)
    for n in range(3):
        host, port, factory, timeout, _ = reactor.tcpClients[n]
        assert host == ["1.1.1.1", "1.1.1.2", "2606:4700::1"][n]
        assert (port, timeout) == (443, CONNECTS_WITHIN)
        factory.clientConnectionFailed(reactor.connectors[n], Failure(ConnectError()))
        if n < 2:
            assert results == []
    assert results


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_addresses_of_this_house_are_left_out_unless_they_are_allowed(address):
    names = FakeNames(zones={HOST: {"AAAA" if ":" in address else "A": [address]}})
    reactor, results = reached(names)
    assert reactor.tcpClients == []
    assert str(results[0].value) == (
        f"{NOT_FETCHED}it has no address that can be reached from here"
    )
    reactor, results = reached(names, allow_private=lambda: True)
    assert [each[0] for each in reactor.tcpClients] == [address]


def test_a_host_that_is_not_in_the_dns_has_no_policy():
    _, results = reached(FakeNames())
    assert "it has no address" in str(results[0].value)
    _, results = reached(FakeNames(failures={HOST: "no server answers"}))
    assert str(results[0].value) == f"{NOT_FETCHED}AAAA of {HOST}: no server answers"
    reactor, _ = reached(
        FakeNames(zones={HOST: {"A": ["1.1.1.1"]}}, failures={(HOST, "AAAA"): "no answer"})
    )
    assert len(reactor.tcpClients) == 1


# Real HTTPS.


class Redirected:
    """The real reactor; where HTTPS goes to its port, it goes to that of a test."""

    def __init__(self, reactor, port):
        self._reactor = reactor
        self._port = port

    def __getattr__(self, name):
        return getattr(self._reactor, name)

    def connectTCP(self, host, port, *args, **options):  # noqa: N802
        assert port == 443
        return self._reactor.connectTCP(host, self._port, *args, **options)


class Text(Resource):
    """A text."""

    def __init__(self, octets):
        super().__init__()
        self.octets = octets

    def render_GET(self, request):  # noqa: N802
        request.setHeader("Content-Type", "text/plain")
        return self.octets


class Endless(Resource):
    """More than a policy, and more to come."""

    def render_GET(self, request):  # noqa: N802
        request.setHeader("Content-Type", "text/plain")
        request.write(TEXT + b"x:y\n" * 100_000)
        return NOT_DONE_YET


class Tracked(WrappingFactory):
    """Knows when all its connections are gone."""

    noisy = False
    _waiting = None

    def gone(self):
        self._waiting = Deferred()
        self._look()
        return self._waiting

    def unregisterProtocol(self, protocol):
        super().unregisterProtocol(protocol)
        self._look()

    def _look(self):
        if self._waiting and not self.protocols and not self._waiting.called:
            self._waiting.callback(None)


class RealHttps(TestCase):
    timeout = 60

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        self.authority = Authority()
        self.trust(self.authority)
        self.names = FakeNames(zones={HOST: {"A": ["127.0.0.1"]}})

    def trust(self, authority):
        """Let an authority be one of the system."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = authority.write(Path(folder.name) / "authority.pem")
        patched = patch.dict(os.environ, SSL_CERT_FILE=path)
        patched.start()
        self.addCleanup(patched.stop)

    async def fetch(self, tls, resource=None, factory=None):
        """Fetch the policy of a host with a certificate; return it, or why there is none."""
        root, well_known = Resource(), Resource()
        root.putChild(b".well-known", well_known)
        well_known.putChild(b"mta-sts.txt", resource or Text(TEXT))
        site = Tracked(factory or Site(root))
        kind = SSL4ServerEndpoint if tls else TCP4ServerEndpoint
        endpoint = kind(self.reactor, 0, *([tls] if tls else []), interface="127.0.0.1")
        port = await endpoint.listen(site)
        self.addCleanup(site.gone)
        self.addCleanup(port.stopListening)
        fetcher = Fetcher(
            Redirected(self.reactor, port.getHost().port), self.names, allow_private=lambda: True
        )
        try:
            return await fetcher.fetch(DOMAIN)
        except NotFetchedError as error:
            return error.finding.result, error.finding.text

    async def test_a_certificate_for_the_host_is_believed(self):
        assert await self.fetch(self.authority.server(HOST)) == POLICY
        assert await self.fetch(self.authority.server("*.example.com")) == POLICY

    async def test_any_other_certificate_is_not(self):
        for server in (
            self.authority.server(DOMAIN, "mx1.example.com"),
            self.authority.expired(HOST),
            Authority("Somebody else").server(HOST),
        ):
            result, text = await self.fetch(server)
            assert result is WEB, text
            assert text.startswith(NOT_FETCHED)

    async def test_the_name_of_the_host_is_sent(self):
        server = self.authority.server(HOST)
        names = []
        server.getContext().set_tlsext_servername_callback(
            lambda connection: names.append(connection.get_servername())
        )
        await self.fetch(server)
        assert names == [HOST.encode()]

    async def test_a_host_without_tls_has_no_policy(self):
        result, text = await self.fetch(None, factory=Factory.forProtocol(Plain))
        assert result is FETCH
        assert text.startswith(f"{NOT_FETCHED}TLS: ")

    async def test_a_host_that_floods_is_cut_off(self):
        server = self.authority.server(HOST)
        result, text = await self.fetch(server, Endless())
        assert (result, text) == (
            INVALID,
            f"the policy at {HOST} cannot be used: it is longer than 64 KiB",
        )

    async def test_nor_has_a_header_any_length(self):
        """Twisted's client takes any number of lines, and any number of them for one field."""
        for line in (b"X-Long: way\r\n", b" and winding\r\n"):
            factory = Factory.forProtocol(type("", (HeaderWithoutEnd,), {"line": line}))
            result, text = await self.fetch(self.authority.server(HOST), factory=factory)
            assert (result, text) == (FETCH, f"{NOT_FETCHED}more comes than 256 KiB")

    async def test_a_host_that_closes_at_once_has_no_policy(self):
        factory = Factory.forProtocol(Closing)
        result, text = await self.fetch(self.authority.server(HOST), factory=factory)
        assert result is FETCH
        assert text.startswith(NOT_FETCHED)


class HeaderWithoutEnd(Protocol):
    line = b""

    def connectionMade(self):
        self.transport.write(b"HTTP/1.1 200 OK\r\nX-Long: way\r\n" + self.line * 50_000)


class Plain(Protocol):
    def dataReceived(self, data):
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Closing(Protocol):
    def dataReceived(self, data):
        self.transport.abortConnection()
