"""For tests of the relay: a network in memory, servers that keep to a script, a sender to them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,  # noqa: A004
)
from twisted.internet.interfaces import IHostnameResolver, ISSLTransport, ITCPTransport
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from multisendcon_plugin.interfaces import IContent
from multisendcon_plugin.logins import Logins
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import ADDED_DOT, Delivery, Message, Recipient
from multisendcon_plugin.relay import AccountSenderFactory, ConnectionBudget, Trials
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.hop import Tls

HEADER = b"From: Boss <boss@a.example>\r\nSubject: x\r\n"
CONTENT = HEADER + b"\r\nhello\r\n..stuffed\r\n"

#: What a server may do instead of answering.
SILENT, CLOSE, BREAK_OFF = object(), object(), object()
#: What a network may do instead of connecting.
PENDING = object()


def ehlo(*offers):
    """Return the reply to EHLO that offers this."""
    *lines, last = ("mx.provider.example", *offers)
    return "\r\n".join([*(f"250-{line}" for line in lines), f"250 {last}"])


class Handle(SimpleNamespace):
    """What stands for a connection of OpenSSL."""

    __hash__ = object.__hash__


class Server:
    """One session of a scripted server.

    :param offers: of EHLO, before and after STARTTLS.
    :param answers: replies by command; ``GREETING``, ``CONTENT`` (as soon as there is some),
        ``END`` (the final dot) and ``RESPONSE`` (a line after 334) stand for what is no command.
        One answer, or a list of which each serves once and the last for ever.
    :param closes: the connection after its reply to QUIT.
    :ivar lines: the lines that it was told, without content.
    :ivar contents: what came after each 354, final dot included.
    :ivar taken: the contents that it answered with 250.
    """

    ANSWERS: ClassVar = {
        "GREETING": "220 mx.provider.example ESMTP",
        "HELO": "250 mx.provider.example",
        "STARTTLS": "220 2.0.0 go ahead",
        "AUTH": "235 2.7.0 welcome",
        "RESPONSE": "235 2.7.0 welcome",
        "MAIL": "250 2.1.0 sender ok",
        "RCPT": "250 2.1.5 recipient ok",
        "DATA": "354 go ahead",
        "CONTENT": SILENT,
        "END": "250 2.0.0 queued as 1",
        "RSET": "250 2.0.0 reset",
        "QUIT": "221 2.0.0 bye",
    }

    def __init__(self, *offers, stalled=False, closes=True, **answers):
        every = {**self.ANSWERS, "EHLO": ehlo(*offers), **answers}
        self.answers = {
            command: list(answer) if isinstance(answer, list) else answer
            for command, answer in every.items()
        }
        self.stalled = stalled
        self.closes = closes
        self.lines = []
        self.contents = []
        self.taken = []
        self.challenging = self.in_content = False
        self._input = b""

    def connected(self, wire):
        self.wire = wire
        self._answer("GREETING")

    def received(self, octets):
        self._input += octets
        while self._input and not self.wire.gone:
            if self.in_content:
                if not self._content():
                    return
            else:
                line, end, rest = self._input.partition(b"\r\n")
                if not end:
                    return
                self._input = rest
                self._command(line)

    def disconnected(self):
        """Nothing to do."""

    def say(self, text):
        """Say something: lines, or octets as they are."""
        octets = text if isinstance(text, bytes) else text.encode("latin-1") + b"\r\n"
        self.wire.to_client(octets)

    def begin_content(self):
        """Take what comes for content."""
        self.in_content = True
        self.contents.append(b"")

    def _command(self, line):
        self.lines.append(line)
        if self.challenging:
            self._answer("RESPONSE", line)
        else:
            self._answer(line.split(b" ")[0].decode("latin-1").partition(":")[0], line)

    def _content(self):
        if not self.contents[-1]:
            self._answer("CONTENT")
        octets = b"\r\n" + self.contents[-1] + self._input
        end = octets.find(b"\r\n.\r\n")
        if end < 0:
            self.contents[-1] = octets[2:]
            self._input = b""
            return False
        self.contents[-1] = octets[2 : end + 5]
        self._input = octets[end + 5 :]
        self.in_content = False
        self._answer("END")
        return True

    def _answer(self, command, line=b""):
        answer = self.answers.get(command, "500 5.5.1 command not known")
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(line)
        if answer is CLOSE:
            self.wire.end(ConnectionDone())
        elif answer is BREAK_OFF:
            self.wire.end(ConnectionLost())
        elif answer is not SILENT:
            code = answer[:3] if isinstance(answer, str) else ""
            self.challenging = code == "334"
            if command == "DATA" and code == "354":
                self.begin_content()
            if command == "END" and code == "250":
                self.taken.append(self.contents[-1])
            self.say(answer)
            if command == "QUIT" and self.closes:
                self.wire.network.callLater(0, self.wire.end, ConnectionDone())


@implementer(ITCPTransport)
class Wire(StringTransport):
    """The client's end of a connection.

    :ivar writes: what was written at a time.
    :ivar aborted: the client cut it off.
    :ivar gone: there is no connection any more.
    """

    def __init__(self, network, server, host, port):
        super().__init__(
            hostAddress=IPv4Address("TCP", "192.0.2.10", 40000),
            peerAddress=IPv4Address("TCP", host, port),
        )
        self.network, self.server = network, server
        self.writes = []
        self.nodelay = self.aborted = self.gone = False
        self._to_server, self._to_client = [], []

    @property
    def session(self):
        """The `AccountSender` at the client's end."""
        return self.protocol._wrappedProtocol

    def setTcpNoDelay(self, enabled):  # noqa: N802
        self.nodelay = enabled

    def write(self, data):
        if self.gone:
            return
        self.writes.append(data)
        self._to_server.append(data)
        if self.server.stalled:
            self.producer.pauseProducing()

    def startTLS(self, context):  # noqa: N802
        alsoProvides(self, ISSLTransport)
        if not self.server.answers.get("HANDSHAKE"):
            self.complete_handshake()

    def complete_handshake(self):
        self.protocol.handshakeCompleted()

    def getHost(self):  # noqa: N802
        if self.gone:  # as the stock transport, whose socket has been closed
            raise AttributeError("'Client' object has no attribute 'socket'")
        return super().getHost()

    def getHandle(self):  # noqa: N802
        return Handle(
            get_protocol_version_name=lambda: "TLSv1.3",
            get_cipher_name=lambda: "TLS_AES_256_GCM_SHA384",
            get_peer_cert_chain=lambda as_cryptography: None,
        )

    def loseConnection(self):
        super().loseConnection()
        self.network.callLater(0, self._close)

    def _close(self):
        self.carry()
        self.end(ConnectionDone())

    def abortConnection(self):
        self.aborted = True
        self.network.callLater(0, self.end, ConnectionAborted())

    def to_client(self, octets):
        self._to_client.append(octets)

    def end(self, reason):
        """Let the connection end, after all that was said."""
        if not self.gone:
            self._carry_to_client()
            self.gone = True
            self.protocol.connectionLost(Failure(reason))
            self.server.disconnected()

    def carry(self):
        """Carry what was said to where it is heard; tell whether there was anything."""
        if self.gone or not (self._to_client or (self._to_server and not self.server.stalled)):
            return False
        if not self.server.stalled:
            said, self._to_server = b"".join(self._to_server), []
            self.server.received(said)
        self._carry_to_client()
        return True

    def _carry_to_client(self):
        said, self._to_client = b"".join(self._to_client), []
        if said and not (self.gone or self.aborted):
            self.protocol.dataReceived(said)

    def go_on(self):
        """A stalled server reads again."""
        self.server.stalled = False
        self.network.flush()
        self.producer.resumeProducing()
        self.network.flush()


class Network(MemoryReactorClock):
    """Connects each client with the next server, in memory.

    :param servers: `Server`, `PENDING`, or the error that a connection fails with.
    :ivar wires: the connections so far.
    """

    def __init__(self, *servers):
        super().__init__()
        self.servers = list(servers)
        self.wires = []

    def connectTCP(self, host, port, factory, timeout=30, bindAddress=None):  # noqa: N802, N803
        connector = super().connectTCP(host, port, factory, timeout, bindAddress)
        server = self.servers.pop(0) if self.servers else ConnectionRefusedError(111, "refused")
        if isinstance(server, Exception):
            factory.clientConnectionFailed(connector, Failure(server))
        elif server is not PENDING:
            wire = Wire(self, server, host, port)
            self.wires.append(wire)
            wire.protocol = factory.buildProtocol(wire.getPeer())
            wire.protocol.makeConnection(wire)
            server.connected(wire)
        return connector

    def flush(self):
        """Let everything happen that happens without delay."""
        while True:
            super().advance(0)
            carried = [wire.carry() for wire in self.wires]
            if not any(carried):
                return

    def advance(self, amount):
        super().advance(amount)
        self.flush()

    @property
    def timers(self):
        """The delays of the calls that are still to come."""
        return [round(call.getTime() - self.seconds()) for call in self.getDelayedCalls()]


@implementer(IContent)
class Content:
    """A content in pieces, of which some may be Deferreds or errors."""

    def __init__(self, pieces):
        self.pieces = list(pieces)
        self.closed = 0

    def read(self):
        assert not self.closed
        piece = self.pieces.pop(0) if self.pieces else b""
        # Nobody else holds a Deferred that never fires: it and the mail would be collected.
        self.last = piece
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self):
        self.closed += 1


def delivery(
    content=CONTENT,
    *,
    recipients=("r@b.example",),
    reverse_path="boss@a.example",
    wishes=None,
    header_size=None,
    attempts=0,
    **envelope,
):
    """Return a delivery of a content in wire form.

    :param header_size: ``None``: the header ends at the first empty line.
    :param wishes: by recipient, the values of NOTIFY and ORCPT.
    """
    wishes = wishes or {}
    head, _, _ = content.partition(b"\r\n\r\n")
    return Delivery(
        number=1,
        message=Message(
            number=1,
            envelope=Envelope(reverse_path=reverse_path, recipients=recipients, **envelope),
            size=len(content),
            header_size=len(head) + 2 if header_size is None else header_size,
            arrived=0.0,
            dots=content.count(ADDED_DOT),
        ),
        account="Sales",
        recipients=tuple(
            Recipient(address=each, reason="test", notify=notify, original=original)
            for each in recipients
            for notify, original in [wishes.get(each, (None, ""))]
        ),
        due=0.0,
        attempts=attempts,
    )


class Way:
    """An account, and what is at its end.

    :param servers: see `Network`.
    :param account: what is set about the account, beside the server.
    :ivar contents: all contents that were opened.
    """

    def __init__(self, *servers, network=None, budget=None, trials=None, logins=None, **account):
        self.network = network or Network()
        self.network.servers += servers
        # There is no certificate to verify; not to read the authorities saves time.
        settings = {"server": "192.0.2.1", "tls_verify": False, **account}
        self.account = Account(name="Sales", **{"helo_domain": "relay.example.com", **settings})
        self.budget = budget or ConnectionBudget(50, self.network)
        self.factory = AccountSenderFactory(
            self.account,
            self.network,
            self.budget,
            trials or Trials(),
            logins=logins or Logins(self.network).of,
        )
        self.contents = []

    @property
    def wire(self):
        """The last connection."""
        return self.network.wires[-1]

    def begin(self, content=CONTENT, *, pieces=None, **more):
        """Begin an attempt; return where its `Attempt` arrives.

        :param pieces: of the content; a function is called each time the content is opened.
        """

        def open_content():
            opened = pieces() if callable(pieces) else pieces
            self.contents.append(Content([content] if opened is None else opened))
            return self.contents[-1]

        results = []
        self.factory.attempt(delivery(content, **more), open_content).addBoth(results.append)
        self.network.flush()
        return results

    def send(self, content=CONTENT, **more):
        """Make an attempt and return it; it must not need time."""
        (attempt,) = self.begin(content, **more)
        assert not isinstance(attempt, Failure), attempt.getTraceback()
        assert all(content.closed for content in self.contents)
        return attempt


class Name:
    """A resolution that is complete at once."""

    def __init__(self, name):
        self.name = name

    def cancel(self):
        """Nothing to do."""


@implementer(IHostnameResolver)
class Names:
    """A resolver with addresses by name.

    :ivar asked: the names and address types of all questions.
    """

    def __init__(self, **addresses):
        self.addresses = addresses
        self.asked = []

    def resolveHostName(  # noqa: N802
        self,
        receiver,
        hostName,  # noqa: N803
        portNumber=0,  # noqa: N803
        addressTypes=None,  # noqa: N803
        transportSemantics="TCP",  # noqa: N803
    ):
        kinds = addressTypes or [IPv4Address, IPv6Address]
        self.asked.append((hostName, kinds))
        resolution = Name(hostName)
        receiver.resolutionBegan(resolution)
        for address in self.addresses.get(hostName, ()):
            kind = IPv6Address if ":" in address else IPv4Address
            if kind in kinds:
                receiver.addressResolved(kind("TCP", address, portNumber))
        receiver.resolutionComplete()
        return resolution


def send(case, reactor, content=CONTENT, **account):
    """Make an attempt over real sockets, for a trial test case."""
    factory = AccountSenderFactory(
        Account(name="Sales", helo_domain="relay.example.com", **account),
        reactor,
        ConnectionBudget(5, reactor),
        Trials(),
        logins=Logins(reactor).of,
    )
    case.addCleanup(factory.stop, 5)
    pieces = [content[n : n + 100_000] for n in range(0, len(content), 100_000)]
    return factory.attempt(delivery(content), lambda: Content(pieces))


def login(**account):
    """Return the settings of an account with a login."""
    return {"username": "sales", "password": "s3cret", "tls": Tls.NONE, **account}


def verdicts(attempt):
    """Return what an attempt says, in short."""
    return [outcome.verdict for outcome in attempt.outcomes]
