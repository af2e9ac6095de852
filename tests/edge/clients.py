"""Clients of the edge in memory: a transport, a client on it, and an intake to wait for."""

from __future__ import annotations

import functools
from ipaddress import ip_network
from itertools import pairwise
from tempfile import NamedTemporaryFile

import attrs
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, execute, gatherResults, maybeDeferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ISSLTransport, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.mail.imap4 import PLAINCredentials
from twisted.mail.interfaces import IMessageDeliveryFactory
from twisted.python.failure import Failure
from zope.interface import alsoProvides, implementer

from multisendcon_plugin.edge import RelayESMTPFactory
from multisendcon_plugin.edge.delivery import Routing, TransactionPolicy
from multisendcon_plugin.edge.submission import submit
from multisendcon_plugin.interfaces import IBatchIntake, IDraft
from multisendcon_plugin.mail.masks import Masks
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.values import MasterRelay
from multisendcon_plugin.testing import Authority
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.queues import in_the_log

EXAMPLE_PEER = IPv4Address("TCP", "127.0.0.1", 4711)
MAIL = b"Subject: x\r\n\r\nhello\r\n"


def chunk(octets, *, last=False):
    """Return a BDAT and what it announces."""
    return b"BDAT %d%s\r\n%s" % (len(octets), b" LAST" if last else b"", octets)


def chunks(content, *cuts):
    """Return content cut into chunks."""
    ends = [0, *cuts, len(content)]
    last = len(ends) - 2
    return b"".join(
        chunk(content[start:end], last=number == last)
        for number, (start, end) in enumerate(pairwise(ends))
    )


def account(name="Rest", senders=(), recipients=()):
    return Account(
        name=name,
        server="smtp.example",
        senders=Masks.parse(senders),
        recipients=Masks.parse(recipients),
    )


@implementer(ITCPTransport)
class MemoryTransport(StringTransport):
    """Knows when nothing may be written any more, and that TLS was begun."""

    no_delay = False
    tls = None

    def write(self, data):
        super().write(data)
        assert self.connected, "the connection is gone"
        assert not self.disconnecting, "something is written after the last reply"

    def setTcpNoDelay(self, enabled):  # noqa: N802
        self.no_delay = enabled

    def startTLS(self, context):  # noqa: N802
        self.tls = context
        alsoProvides(self, ISSLTransport)


def in_segments(octets, lengths):
    """Cut octets into segments of these lengths, over and over."""
    segments = []
    while octets:
        length = lengths[len(segments) % len(lengths)]
        segments.append(octets[:length])
        octets = octets[length:]
    return segments


class Client:
    """One session with a server's factory."""

    def __init__(self, factory, peer=EXAMPLE_PEER, hello=b"EHLO client.example"):
        self.session = factory.buildProtocol(peer)
        self.transport = MemoryTransport(peerAddress=peer)
        self.session.makeConnection(self.transport)
        self.greeting = self.replies()
        if hello and not self.closed:
            self.ask(hello)

    def send(self, octets):
        self.session.dataReceived(octets)
        self.catch_up()

    def catch_up(self):
        """Let the turns of the reactor pass that the session takes for what it has got."""
        session = self.session
        while (pause := getattr(session, "_pause", None)) and pause.active():
            if pause.getTime() > pause.seconds():
                break
            session.callLater.__self__.advance(0)

    def replies(self):
        """Return the lines of all replies that came since the last time."""
        text = self.transport.value().decode()
        self.transport.clear()
        assert not text or text.endswith("\r\n")
        return text.split("\r\n")[:-1]

    def ask(self, *lines):
        """Send lines in one segment; return the lines of the replies."""
        self.send(b"".join(line + b"\r\n" for line in lines))
        return self.replies()

    def begin(self, sender=b"a@x.example", recipients=(b"b@y.example",)):
        """Go as far as the content."""
        paths = [b"RCPT TO:<%s>" % recipient for recipient in recipients]
        return self.ask(b"MAIL FROM:<%s>" % sender, *paths, b"DATA")

    def begin_chunks(self):
        """Go as far as the first BDAT."""
        self.ask(b"MAIL FROM:<a@x.example>", b"RCPT TO:<b@y.example>")

    def send_chunks(self, octets):
        """Send chunks in one segment; return what is said to them."""
        self.send(octets)
        return self.replies()

    def send_mail(self, content=MAIL, **envelope):
        """Send a mail whole; return what is said to its final dot."""
        assert self.begin(**envelope)[-1][:3] == "354"
        return self.ask(content + b".")

    def allow_login_in_clear(self, allowed):
        talk = self.session.dialogue.talk
        talk.policy = attrs.evolve(talk.policy, login_in_clear=allowed)

    @property
    def recipients(self):
        """Those of the mail under way."""
        return self.session.dialogue.mail.recipients

    @property
    def owes_reply(self):
        """A mail was sent whole, and is not answered."""
        return self.session.dialogue.mail.owes_reply

    def send_no_more(self):
        """Close the direction to the server, as a socket's shutdown does."""
        self.session.readConnectionLost()

    def hang_up(self):
        self.transport.connected = False
        self.session.connectionLost(Failure(ConnectionLost()))

    @property
    def closed(self):
        return self.transport.disconnecting

    @property
    def cut_off(self):
        return self.transport.disconnected

    @property
    def paused(self):
        return self.transport.producerState == "paused"


@implementer(IRealm)
@attrs.frozen
class _Realm:
    """Gives whoever has logged in the delivery hooks of the session."""

    deliveries: object

    def requestAvatar(self, avatar, mind, *interfaces):
        return IMessageDeliveryFactory, self.deliveries, lambda: None


def offer_security(client, checker=None):
    """Offer TLS and AUTH PLAIN; joe has the password secret, unless a checker is given."""
    if checker is None:
        checker = InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(b"joe", b"secret")
    session = client.session
    session.ctx = object()
    session.challengers = {b"PLAIN": PLAINCredentials}
    session.portal = Portal(_Realm(session.deliveryFactory), [checker])


@attrs.frozen
class Committed:
    """A message that the intake has taken over."""

    envelope: object
    content: bytes
    header_size: int
    parcels: tuple

    @property
    def header(self):
        return self.content[: self.header_size]

    @property
    def recipients(self):
        return [recipient for parcel in self.parcels for recipient in parcel.recipients]

    @property
    def accounts(self):
        return {
            parcel.account: [recipient.address for recipient in parcel.recipients]
            for parcel in self.parcels
        }


@implementer(IDraft)
class Draft:
    """A draft of the memory spool that can tell what became of it.

    :ivar room: what `write` answers; a Deferred asks for a pause.
    :ivar written: all content.
    """

    def __init__(self, draft, room):
        self._draft = draft
        self.number = draft.number
        self.room = room
        self.written = b""
        self.fault = None
        self.discarded = False

    def write(self, data):
        if self.fault:
            raise self.fault
        self.written += data
        self._draft.write(data)
        return self.room

    def discard(self):
        self.discarded = True
        self._draft.discard()


@implementer(IBatchIntake)
class Intake:
    """Takes over messages, when it is let.

    :ivar messages: what was taken over.
    :ivar waiting: commits that `go_on` has not answered yet.
    :ivar waits: messages are not taken over before `go_on` is called.
    :ivar fault: why no message can be taken over.
    :ivar room: what new drafts answer to `write`.
    :ivar full: there was no room for the last message.
    """

    full = False

    def __init__(self, clock):
        self._spool = MemorySpool(clock)
        self._spool.open()
        self.waiting = []
        self.drafts = []
        self.messages = []
        self.waits = False
        self.fault = None
        self.room = None

    def draft(self, number=None):
        self.drafts.append(Draft(self._spool.draft(number), self.room))
        return self.drafts[-1]

    def commit(self, draft, *message):
        answer = Deferred()
        self.waiting.append((answer, draft, message))
        if not self.waits:
            self.go_on()
        return answer

    def commit_all(self, commits):
        """Answer when each of them is."""
        committed = [self.commit(*each[:4]).addErrback(_error) for each in commits]
        return gatherResults(committed)

    def go_on(self):
        """Take over, or refuse, what has waited longest."""
        answer, draft, message = self.waiting.pop(0)
        execute(self._commit, draft, *message).chainDeferred(answer)

    def _commit(self, draft, envelope, header_size, parcels):
        if self.fault:
            raise self.fault
        assert not draft.discarded
        self.messages.append(Committed(envelope, draft.written, header_size, parcels))


def _error(failure):
    return failure.value


@functools.cache
def _pem():
    """Return a file, there as long as the tests, with a certificate and its key."""
    file = NamedTemporaryFile(suffix=".pem")  # noqa: SIM115
    file.write(b"".join(Authority().server_pem("relay.example")))
    file.flush()
    return file


class Edge:
    """A whole edge in memory: its factory, and everything around it.

    :param in_thread: hashes passwords; left out: at once.
    :param tls: it has a certificate.
    """

    def __init__(self, *accounts, clients=(), in_thread=maybeDeferred, tls=False, **settings):
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.events = in_the_log(self.clock)
        self.intake = Intake(self.clock)
        settings.setdefault("hostname", "relay.example")
        if tls:
            settings["tls_certificate"] = _pem().name
        for key in settings.keys() & {"allow", "proxies"}:
            settings[key] = tuple(map(ip_network, settings[key]))
        self.policy = TransactionPolicy(
            MasterRelay(**settings),
            Routing(AccountRegistry(accounts or [account()])),
            self.entrance(),
            self.clock.seconds,
        )
        self.factory = RelayESMTPFactory(
            self.policy,
            self.clock,
            clients=clients,
            events=self.events,
            in_thread=in_thread,
        )

    def entrance(self):
        """Return the intake that the sessions know."""
        return self.intake

    def client(self, *args, **kwargs):
        return Client(self.factory, *args, **kwargs)

    def submit(self, envelope, content):
        return Deferred.fromCoroutine(submit(self.policy, envelope, content))

    @property
    def messages(self):
        return self.intake.messages

    @property
    def draft(self):
        (draft,) = self.intake.drafts
        return draft
