"""STARTTLS and AUTH, as a server with logins offers them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import smtplib
import ssl

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from multisendcon_plugin.edge.tarpit import MOST_WRONG_LOGINS
from multisendcon_plugin.testing import Authority, Provider
from tests.edge.clients import MAIL, Client

PASSWORD = "pass wörd"
AUTHENTICATED = ["235 2.7.0 authentication successful"]
WRONG = ["535 5.7.8 username or password not accepted"]
NOT_BASE64 = ["501 5.5.2 that is not the base64 that was expected"]
SAYS_MAIL = b"MAIL FROM:<a@x.example>"


def encoded(text):
    return base64.b64encode(text.encode())


def plain(username, password):
    return b"AUTH PLAIN " + encoded(f"\0{username}\0{password}")


class TLSContext:
    """Stands for TLS settings; the transport in memory only remembers it."""


@pytest.fixture
def provider():
    return Provider(Clock(), users={"joe": PASSWORD}, tls=TLSContext())


@pytest.fixture
def client(provider):
    return Client(provider)


# STARTTLS.


def test_starttls_begins_tls_after_its_reply(client):
    assert "250-STARTTLS" in client.ask(b"EHLO x")
    assert client.ask(b"STARTTLS") == ["220 2.0.0 ready to start TLS"]
    assert isinstance(client.transport.tls, TLSContext)


@pytest.mark.parametrize("injected", [b"NOOP\r\n", b"EHLO x", b"\r\n", b"\x16\x03\x01"])
def test_what_follows_starttls_in_the_clear_ends_the_session(client, injected):
    client.send(b"STARTTLS\r\n" + injected)
    assert client.replies() == ["554 5.5.1 nothing may follow STARTTLS before its reply, closing"]
    assert client.transport.tls is None
    assert client.closed


def test_what_comes_before_starttls_in_its_segment_is_harmless(client):
    assert client.ask(b"NOOP", b"STARTTLS")[-1].startswith("220")
    assert client.transport.tls


def test_tls_forgets_what_was_said_in_the_clear():
    client = Client(Provider(Clock(), tls=TLSContext()))
    client.ask(SAYS_MAIL, b"RCPT TO:<b@y.example>")
    client.ask(b"STARTTLS")
    assert client.ask(b"DATA")[0].startswith("503 5.5.1")
    assert client.ask(SAYS_MAIL) == ["503 5.5.1 say EHLO first"]
    assert not any("STARTTLS" in line for line in client.ask(b"EHLO x"))
    assert client.session.keyword() == "ESMTPS"
    assert client.ask(b"STARTTLS") == ["503 5.5.1 TLS is active already"]


def test_a_pause_that_tls_asks_for_does_not_stop_its_handshake(client):
    client.ask(b"STARTTLS")
    client.session.pauseProducing()
    assert not client.paused
    client.session.handshakeCompleted()
    client.session.pauseProducing()
    assert client.paused


def test_a_login_in_the_clear_cannot_be_carried_into_tls(client):
    client.ask(plain("joe", PASSWORD))
    assert not any("STARTTLS" in line for line in client.ask(b"EHLO x"))
    assert client.ask(b"STARTTLS") == ["503 5.5.1 authenticated already"]
    assert client.transport.tls is None


@pytest.mark.parametrize(
    ("tls", "command", "code"),
    [
        (None, b"STARTTLS", "502 5.5.1"),
        (TLSContext(), b"STARTTLS now", "501 5.5.4"),
    ],
)
def test_starttls_is_refused(tls, command, code):
    client = Client(Provider(Clock(), tls=tls))
    assert client.ask(command)[0].startswith(code)
    assert client.transport.tls is None


# AUTH.


def test_login_is_offered_until_there_is_one(client):
    assert "250 AUTH CRAM-MD5 PLAIN LOGIN" in client.ask(b"EHLO x")
    assert client.ask(SAYS_MAIL) == ["530 5.7.0 authentication required"]
    assert client.ask(plain("joe", PASSWORD)) == AUTHENTICATED
    assert not any("AUTH" in line for line in client.ask(b"EHLO x"))
    assert client.session.keyword() == "ESMTPA"
    assert client.ask(SAYS_MAIL) == ["250 2.1.0 sender ok"]


def test_plain_with_a_challenge(client):
    assert client.ask(b"auth plain") == ["334 "]
    assert client.ask(encoded(f"\0joe\0{PASSWORD}")) == AUTHENTICATED


def test_login(client):
    assert client.ask(b"AUTH LOGIN") == ["334 VXNlcm5hbWU6"]
    assert client.ask(encoded("joe")) == ["334 UGFzc3dvcmQ6"]
    assert client.ask(encoded(PASSWORD)) == AUTHENTICATED


def test_login_with_an_initial_response(client):
    assert client.ask(b"AUTH LOGIN " + encoded("joe")) == ["334 UGFzc3dvcmQ6"]
    assert client.ask(encoded(PASSWORD)) == AUTHENTICATED


def cram_md5(client, password):
    (reply,) = client.ask(b"AUTH CRAM-MD5")
    assert reply.startswith("334 ")
    challenge = base64.b64decode(reply[4:])
    digest = hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()
    return client.ask(encoded(f"joe {digest}"))


def test_cram_md5(client):
    assert cram_md5(client, "wrong") == WRONG
    assert cram_md5(client, PASSWORD) == AUTHENTICATED


@pytest.mark.parametrize(
    "lines",
    [
        [plain("joe", "wrong")],
        [plain("nobody", PASSWORD)],
        [plain("joe", "")],
        [b"AUTH LOGIN", encoded("joe"), encoded("wrong")],
        [b"AUTH LOGIN", b"", b""],
    ],
)
def test_wrong_credentials(client, lines):
    assert [client.ask(line) for line in lines][-1] == WRONG
    assert client.ask(SAYS_MAIL)[0].startswith("530")
    assert client.ask(plain("joe", PASSWORD)) == AUTHENTICATED


@pytest.mark.parametrize(
    ("lines", "reply"),
    [
        ([b"AUTH"], "501 5.5.4 argument missing"),
        ([b"AUTH GSSAPI"], "504 5.5.4 authentication mechanism not offered"),
        ([b"AUTH PLAIN ***"], NOT_BASE64[0]),
        ([b"AUTH PLAIN am9l\xff"], NOT_BASE64[0]),
        ([b"AUTH PLAIN am9"], NOT_BASE64[0]),
        ([b"AUTH PLAIN ="], NOT_BASE64[0]),
        ([b"AUTH PLAIN " + encoded("joe")], NOT_BASE64[0]),
        ([b"AUTH PLAIN", b"a b"], NOT_BASE64[0]),
        ([b"AUTH LOGIN", b"am9l ", b"*"], NOT_BASE64[0]),
        ([b"AUTH CRAM-MD5", encoded("joe")], NOT_BASE64[0]),
        ([b"AUTH CRAM-MD5", b""], NOT_BASE64[0]),
        ([b"AUTH PLAIN", b"*"], "501 5.7.0 authentication aborted"),
        ([b"AUTH PLAIN *"], "501 5.7.0 authentication aborted"),
        ([b"AUTH LOGIN", encoded("joe"), b"*"], "501 5.7.0 authentication aborted"),
        ([b"AUTH PLAIN", b"A" * 20_000], "500 5.5.2 line too long"),
    ],
)
def test_exchange_that_breaks_off_is_over(client, lines, reply):
    replies = [client.ask(line) for line in lines]
    assert [reply] in replies
    assert not client.session.authenticated
    assert client.ask(b"RSET") == ["250 2.0.0 nothing remembered"]
    assert client.ask(plain("joe", PASSWORD)) == AUTHENTICATED


@pytest.mark.parametrize(
    ("before", "reply"),
    [
        ([plain("joe", PASSWORD)], "503 5.5.1 authenticated already"),
        ([plain("joe", PASSWORD), SAYS_MAIL], "503 5.5.1 authenticated already"),
    ],
)
def test_login_twice(client, before, reply):
    for line in before:
        client.ask(line)
    assert client.ask(b"AUTH PLAIN") == [reply]


def test_login_before_ehlo(provider):
    client = Client(provider, hello=None)
    assert client.ask(b"AUTH PLAIN") == ["503 5.5.1 say EHLO first"]


def test_login_during_a_mail(client):
    client.session.deliveryFactory = client.session.portal.realm
    client.ask(SAYS_MAIL)
    assert client.ask(b"AUTH PLAIN") == ["503 5.5.1 not during a mail transaction"]


def test_login_where_there_is_none():
    client = Client(Provider(Clock()))
    assert client.ask(b"AUTH PLAIN") == ["502 5.5.1 not offered"]


def test_guessing_passwords_ends_the_session(client):
    replies = client.ask(*[plain("joe", "wrong")] * (MOST_WRONG_LOGINS + 5))
    assert replies == WRONG * MOST_WRONG_LOGINS + ["421 4.7.0 too many wrong logins, closing"]
    assert client.closed


def test_commands_wait_for_a_login(client, provider):
    asked = Deferred()
    provider.answer = lambda phase, about: asked if phase == "login" else None
    assert client.ask(plain("joe", PASSWORD), SAYS_MAIL) == []
    asked.callback(None)
    assert client.replies() == [*AUTHENTICATED, "250 2.1.0 sender ok"]


def test_fault_of_a_login_is_temporary_and_keeps_the_secret(client, provider):
    def broken(phase, about):
        raise ZeroDivisionError

    provider.answer = broken
    with capturedLogs() as events:
        assert client.ask(plain("joe", PASSWORD)) == ["451 4.3.0 local error, try again later"]
    (event,) = [event for event in events if "log_failure" in event]
    text = event["log_failure"].getTraceback()
    assert "ZeroDivisionError" in text
    assert PASSWORD not in text
    assert encoded(f"\0joe\0{PASSWORD}").decode() not in text


def test_logging_out_at_the_end(client):
    client.ask(plain("joe", PASSWORD))
    logouts = []
    client.session._onLogout = lambda: logouts.append(1)
    client.hang_up()
    assert logouts == [1]


# Over real sockets, with a client of another make.


class RealTLS(TestCase):
    timeout = 30

    def setUp(self):
        from twisted.internet import reactor

        self.authority = Authority()
        self.server = self.authority.server("127.0.0.1")
        self.reactor = reactor

    def talk(self, conversation, **settings):
        provider = Provider(self.reactor, users={"joe": "secret"}, tls=self.server, **settings)
        port = provider.listen()
        self.addCleanup(provider.stop)
        talk = deferToThread(conversation, port)
        return talk.addCallback(lambda _: provider)

    def test_starttls(self):
        def conversation(port):
            with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=20) as smtp:
                smtp.starttls(context=self.context())
                assert smtp.docmd("MAIL FROM:<a@x.example>")[0] == 503
                smtp.login("joe", "secret")
                smtp.sendmail("a@x.example", ["b@y.example"], MAIL)

        return self.talk(conversation).addCallback(self.check)

    def test_implicit_tls(self):
        def conversation(port):
            context = self.context()
            with smtplib.SMTP_SSL("127.0.0.1", port, timeout=20, context=context) as smtp:
                smtp.ehlo("client.example")
                assert not smtp.has_extn("STARTTLS")
                smtp.login("joe", "secret")
                smtp.sendmail("a@x.example", ["b@y.example"], MAIL)

        return self.talk(conversation, implicit_tls=True).addCallback(self.check)

    def context(self):
        return ssl.create_default_context(cadata=self.authority.pem.decode())

    def check(self, provider):
        (mail,) = provider.mails
        assert (mail.tls[:3], mail.username, mail.helo) == ("TLS", "joe", "client.example")
        assert mail.content.endswith(MAIL)
