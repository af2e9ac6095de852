"""One session in memory, with all that can happen around it; after each step it is judged."""

from __future__ import annotations

from ipaddress import ip_network

from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import LogLevel, eventAsText, globalLogPublisher
from twisted.mail.imap4 import LOGINCredentials, PLAINCredentials
from twisted.mail.interfaces import IMessageDeliveryFactory

from multisendcon_plugin.errors import SpoolError, SpoolFullError
from multisendcon_plugin.settings.values import ClientSettings
from tests.edge.clients import Edge, account
from tests.fuzz.dialogue import Dialogue

TOLERANT = ClientSettings(addresses=(ip_network("127.0.0.1"),), tolerant=True)
#: What the edge may be set to.
SETTINGS = (
    {},
    {"max_recipients": 2, "max_message_size": 300},
    {"clients": [TOLERANT]},
    {"clients": [TOLERANT], "max_recipients": 2, "max_message_size": 300},
)
FAULTS = (None, SpoolError, SpoolFullError)
USERNAME, PASSWORD = b"joe", b"secret"


class _Portal:
    """Lets in whoever has the password."""

    def __init__(self, factory):
        self._factory = factory

    def login(self, credentials, mind, *interfaces):
        known = credentials.username == USERNAME and credentials.checkPassword(PASSWORD)
        if not known:
            return fail(UnauthorizedLogin())
        return succeed((IMessageDeliveryFactory, self._factory, lambda: None))


class Session:
    """A session; what is sent while the server does not read waits, as it does in the system.

    :param settings: one of `SETTINGS`.
    :param secured: STARTTLS and AUTH are offered.
    """

    def __init__(self, settings=SETTINGS[0], *, secured=False):
        self._errors = []
        globalLogPublisher.addObserver(self._look_for_errors)
        self.edge = Edge(account(recipients=["!*@no.example"]), **settings)
        self.intake = self.edge.intake
        client = self.edge.client(hello=None)
        self._protocol, self._transport = client.session, client.transport
        if secured:
            self._protocol.ctx = object()
            self._protocol.portal = _Portal(self._protocol.deliveryFactory)
            self._protocol.challengers = {b"PLAIN": PLAINCredentials, b"LOGIN": LOGINCredentials}
        self._dialogue = Dialogue(self.edge.messages, tolerant="clients" in settings)
        self._dialogue.hear(b"".join(line.encode() + b"\r\n" for line in client.greeting))
        self._in_system = b""
        self._connected = True
        self._deaf = False

    def _look_for_errors(self, event):
        if "log_failure" in event or event["log_level"] >= LogLevel.critical:
            self._errors.append(eventAsText(event))

    @property
    def open(self):
        """The client may go on."""
        return self._connected and not self._transport.disconnecting

    # What the client does.

    def send(self, octets):
        """Send one segment."""
        self._in_system += octets
        self._settle()

    def stop_reading(self):
        """Leave the replies unread, so that the transport is full."""
        if self.open and not self._deaf:
            self._deaf = True
            self._protocol.pauseProducing()
        self._settle()

    def read_on(self):
        if self._deaf:
            self._deaf = False
            if self.open:
                self._protocol.resumeProducing()
        self._settle()

    def hang_up(self):
        if self._connected:
            self._connected = False
            self._transport.connected = False
            self._protocol.connectionLost()

    # What happens on our side.

    def answer(self):
        """Let the intake go on with what has waited longest, and the disk with all."""
        if self.intake.waiting:
            self.intake.go_on()
        if self.intake.room:
            room, self.intake.room = self.intake.room, None
            room.callback(None)
        self._settle()

    def make_slow(self):
        """Commits, and writing to drafts that begin later, wait for `answer`."""
        self.intake.waits = True
        self.intake.room = self.intake.room or Deferred()

    def make_fast(self):
        self.intake.waits = False
        while self.intake.waiting or self.intake.room:
            self.answer()

    def fail_with(self, fault):
        """Let commits fail, or no longer: one of `FAULTS`."""
        self.intake.fault = fault and fault("the disk does not work")

    def wait(self, seconds):
        self.edge.clock.advance(seconds)
        if self._transport.disconnected:
            assert not self.open, "the connection was cut off without last words"
            self.hang_up()
        self._settle()

    def stop_relay(self):
        self.edge.factory.stop()
        self._settle()

    # Judgement.

    def _settle(self):
        """Let the server read what it wants to, and judge what it says."""
        self._judge()
        while self._in_system and self.open and self._transport.producerState != "paused":
            octets, self._in_system = self._in_system, b""
            if self._protocol._in_handshake:
                self._protocol.handshakeCompleted()
            self._dialogue.send(octets)
            self._protocol.dataReceived(octets)
            self._judge()

    def _judge(self):
        if self._connected:
            self._dialogue.hear(self._transport.value())
            self._transport.clear()
            self._dialogue.judge(
                waits=bool(self.intake.waiting),
                held_back=self._protocol.dialogue.talk.pausing,
                closed=self._transport.disconnecting,
            )
        assert not self._errors, self._errors[0]

    def end(self):
        """Bring all to an end; nothing may be left."""
        try:
            self.read_on()
            self.make_fast()
            assert not (self.open and self._in_system), "the server does not read on"
            self.hang_up()
            assert not self.edge.clock.getDelayedCalls(), "a timer is left"
            assert not self.edge.factory._sessions, "a session is left"
            assert not self._errors, self._errors[0]
        finally:
            globalLogPublisher.removeObserver(self._look_for_errors)
