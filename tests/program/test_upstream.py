"""Facts of Twisted that our code relies on: a Twisted that changes is noticed here."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from OpenSSL import SSL
from twisted.cred.credentials import CramMD5Credentials
from twisted.internet import ssl
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
    ITLSTransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.mail import smtp
from twisted.mail.interfaces import IMessageDeliveryFactory
from twisted.mail.smtp import LOGINCredentials
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from multisendcon_plugin.edge.factory import RelayESMTPFactory
from multisendcon_plugin.edge.protocol import RelayESMTP
from multisendcon_plugin.relay.factory import AccountSenderFactory
from multisendcon_plugin.relay.sender import AccountSender
from multisendcon_plugin.testing import Authority

# The mail protocols.


def hooks(ours):
    """Return the names in camelCase: those by which Twisted calls us."""
    return [name for name in vars(ours) if re.search("[a-z][A-Z]", name) and name[0] != "_"]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (RelayESMTP, smtp.ESMTP),
        (RelayESMTPFactory, smtp.SMTPFactory),
        (AccountSender, smtp.ESMTPSender),
        (AccountSenderFactory, smtp.ESMTPSenderFactory),
    ],
)
def test_every_hook_of_ours_is_one_of_theirs(ours, theirs):
    interfaces = [*IPushProducer, *IHandshakeListener, *IHalfCloseableProtocol]
    names = hooks(ours)
    assert names
    assert [name for name in names if not (hasattr(theirs, name) or name in interfaces)] == []


def test_attributes_of_the_server():
    server = smtp.ESMTP({b"PLAIN": object}, "context")
    assert server.mode == smtp.COMMAND != smtp.DATA
    assert server.challengers == {b"PLAIN": object}
    assert server.ctx == "context"
    assert server.authenticated is False
    assert server.delivery is server.deliveryFactory is server.portal is server._onLogout is None
    server.host = "relay.example"
    assert server.host == b"relay.example"


def test_a_login_brings_a_delivery_factory():
    server = smtp.ESMTP()
    server.delivery = "another's"
    server._cbAuthenticated((IMessageDeliveryFactory, "factory", "logout"))
    assert server.authenticated
    assert (server.deliveryFactory, server.delivery) == ("factory", None)
    assert server._onLogout == "logout"


def test_arguments_of_the_hooks():
    def arguments(method):
        return list(inspect.signature(method).parameters)

    assert arguments(smtp.ESMTP.validateFrom) == ["self", "helo", "origin"]
    assert arguments(smtp.ESMTP.validateTo) == ["self", "user"]
    assert arguments(smtp.ESMTP.receivedHeader) == ["self", "helo", "origin", "recipients"]
    assert arguments(smtp.ESMTP.sendCode) == ["self", "code", "message"]


def test_errors_of_hooks_have_code_and_text():
    error = smtp.SMTPServerError(451, "later")
    assert (error.code, error.resp) == (451, "later")
    assert isinstance(smtp.SMTPBadRcpt("a@b"), smtp.SMTPServerError)
    assert isinstance(smtp.SMTPBadSender("a@b"), smtp.SMTPServerError)


def test_challenges_of_logins():
    credentials = LOGINCredentials()
    assert credentials.getChallenge() == b"Username:"
    credentials.setResponse(b"joe")
    assert credentials.moreChallenges()
    assert credentials.getChallenge() == b"Password:"
    credentials.setResponse(b"secret")
    assert not credentials.moreChallenges()
    assert (credentials.username, credentials.password) == (b"joe", b"secret")
    with pytest.raises(ValueError, match="not enough values"):
        CramMD5Credentials().setResponse(b"joe")


def test_attributes_of_the_client():
    client = smtp.ESMTPSender(b"joe", b"secret", "context", b"client.example", 0)
    assert (client.username, client.secret) == (b"joe", b"secret")
    assert client.context == "context"
    assert client.identity == b"client.example"
    assert isinstance(client, LineReceiver)
    assert isinstance(client, TimeoutMixin)


def test_client_factory_can_do_without_a_mail():
    factory = smtp.ESMTPSenderFactory(b"joe", b"", b"", (), None, Deferred(), retries=0)
    assert (factory.toEmail, factory.file) == ([], None)


def test_authenticators_answer_with_octets():
    login = smtp.LOGINAuthenticator(b"joe")
    assert login.challengeResponse(b"secret", b"Username:") == b"joe"
    assert login.challengeResponse(b"secret", b"Password:") == b"secret"
    cram = smtp.CramMD5ClientAuthenticator(b"joe")
    assert cram.challengeResponse(b"secret", b"<1@x>").startswith(b"joe ")


def test_line_receiver_keeps_what_follows_a_line():
    seen = []

    class Lines(LineReceiver):
        def lineReceived(self, line):
            seen.append((line, self._buffer))

    receiver = Lines()
    receiver.makeConnection(StringTransport())
    receiver.dataReceived(b"220 ok\r\ninjected")
    assert seen == [(b"220 ok", b"injected")]


def test_time_outs_use_the_protocol_s_own_call_later():
    clock = Clock()

    class Timed(TimeoutMixin):
        timed_out = 0

        def timeoutConnection(self):
            self.timed_out += 1

    timed = Timed()
    timed.callLater = clock.callLater
    timed.setTimeout(10)
    clock.advance(9)
    timed.resetTimeout()
    clock.advance(9)
    assert timed.timed_out == 0
    clock.advance(1)
    assert timed.timed_out == 1
    timed.resetTimeout()
    assert clock.getDelayedCalls() == []
    timed.setTimeout(10)
    timed.setTimeout(None)
    assert clock.getDelayedCalls() == []


# Transports.


@implementer(IPushProducer, IHandshakeListener)
class Recorder(Protocol):
    """Notes what happens to a protocol that is the producer of what it writes."""

    greeting = b""

    def __init__(self):
        self.events = []
        self.received = b""

    def connectionMade(self):
        self.transport.registerProducer(self, True)
        if self.greeting:
            self.transport.write(self.greeting)

    def handshakeCompleted(self):
        self.events.append("handshake")

    def pauseProducing(self):
        self.events.append("pause")

    def resumeProducing(self):
        self.events.append("resume")

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.events.append(reason)


class Greeter(Recorder):
    greeting = b"220 hello\r\n"


class Descriptor(FileDescriptor):
    """A transport whose other end takes as much as the test says."""

    def __init__(self):
        super().__init__(MemoryReactorClock())
        self.connected = 1
        self.takes = 0
        self.lost = []

    def writeSomeData(self, data):  # noqa: N802
        return min(self.takes, len(data))

    def connectionLost(self, reason):
        self.lost.append(reason)


def test_unread_octets_pause_the_producer_until_they_are_read():
    transport = Descriptor()
    producer = Recorder()
    transport.registerProducer(producer, True)
    transport.write(b"x" * transport.bufferSize)
    assert producer.events == []
    transport.write(b"x")
    assert producer.events == ["pause"]
    transport.takes = transport.bufferSize + 1
    transport.doWrite()
    assert producer.events == ["pause", "resume"]


def test_a_connection_with_a_paused_producer_is_not_closed():
    transport = Descriptor()
    producer = Recorder()
    transport.registerProducer(producer, True)
    transport.write(b"x" * (transport.bufferSize + 1))
    transport.loseConnection()
    transport.takes = transport.bufferSize + 1
    assert transport.doWrite() is None
    transport.unregisterProducer()
    assert isinstance(transport.doWrite(), ConnectionDone)


def test_tcp_transports_can_start_tls_later():
    assert ITLSTransport.implementedBy(Connection)


# TLS.


class Pipe:
    """Two protocols that speak TLS with each other in memory."""

    def __init__(self, server, client, server_options, client_options):
        self.clock = Clock()
        self.server = self._end(server, server_options, is_client=False)
        self.client = self._end(client, client_options, is_client=True)

    def _end(self, protocol, options, *, is_client):
        factory = TLSMemoryBIOFactory(
            options, is_client, Factory.forProtocol(lambda: protocol), clock=self.clock
        )
        tls = factory.buildProtocol(None)
        tls.makeConnection(StringTransport())
        return tls

    def pump(self):
        """Carry octets over until both ends are silent."""
        moved = True
        while moved:
            self.clock.advance(0)
            moved = False
            for source, sink in ((self.server, self.client), (self.client, self.server)):
                octets = source.transport.value()
                source.transport.clear()
                if octets:
                    moved = True
                    sink.dataReceived(octets)


@pytest.fixture(scope="module")
def server_options():
    return Authority().server("127.0.0.1")


def test_tls_transports_say_so(server_options):
    server, client = Recorder(), Recorder()
    pipe = Pipe(server, client, server_options, ssl.CertificateOptions())
    assert ISSLTransport.providedBy(client.transport)
    assert ITCPTransport.providedBy(client.transport)
    pipe.pump()
    assert client.transport.getHandle().get_protocol_version_name().startswith("TLSv1.")


def test_a_server_s_side_of_tls_is_made_when_the_session_in_it_is_known(server_options):
    known = []

    @implementer(IOpenSSLServerConnectionCreator)
    class Creator:
        def serverConnectionForTLS(self, protocol):
            known.append(protocol.wrappedProtocol)
            return SSL.Connection(server_options.getContext(), None)

    server = Recorder()
    pipe = Pipe(server, Recorder(), Creator(), ssl.CertificateOptions())
    assert known == [server]
    assert server.transport.getHandle().client_random() is None
    pipe.pump()
    assert server.transport.getHandle().client_random()


def test_options_of_tls_tell_what_they_were_made_of(server_options):
    names = ("privateKey", "certificate", "extraCertChain", "dhParameters")
    assert all(hasattr(server_options, name) for name in names)


def test_tls_pauses_who_writes_before_the_handshake(server_options):
    server, client = Greeter(), Recorder()
    pipe = Pipe(server, client, server_options, ssl.CertificateOptions())
    pipe.clock.advance(0)
    assert server.events == ["pause"]
    pipe.pump()
    assert server.events == ["pause", "handshake", "resume"]
    assert client.events == ["handshake"]
    assert client.received == b"220 hello\r\n"


def test_tls_closes_only_without_a_producer(server_options):
    server, client = Recorder(), Recorder()
    pipe = Pipe(server, client, server_options, ssl.CertificateOptions())
    pipe.pump()
    server.transport.loseConnection()
    pipe.pump()
    assert not pipe.client.transport.disconnecting
    server.transport.unregisterProducer()
    pipe.pump()
    assert pipe.client.transport.disconnecting


class UnfitError(Exception):
    """The certificate is not liked."""


@implementer(IOpenSSLClientConnectionCreator)
class Picky:
    """Fails the verification of every certificate."""

    def clientConnectionForTLS(self, protocol):
        def verify(*args):
            protocol.failVerification(Failure(UnfitError()))
            return False

        connection = SSL.Connection(ssl.CertificateOptions().getContext(), None)
        connection.set_verify(SSL.VERIFY_PEER, verify)
        return connection


def test_reason_of_a_failed_verification_reaches_the_protocol(server_options):
    server, client = Recorder(), Recorder()
    pipe = Pipe(server, client, server_options, Picky())
    pipe.pump()
    assert pipe.client.transport.disconnected
    pipe.client.connectionLost(Failure(ConnectionDone()))
    (reason,) = client.events
    assert reason.check(UnfitError)


def test_no_expression_has_a_possessive_group():
    """Up to Python 3.11.4 such a group may end at a wrong place (CPython issue 106052)."""
    group = re.compile(r"(?<!\\)\)([*+?]|\{[0-9,]+\})\+")
    for path in (Path(__file__).parents[2] / "multisendcon_plugin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                assert not group.search(str(node.value)), f"{path.name}, line {node.lineno}"
