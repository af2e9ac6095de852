"""Clients that log in, by the settings of ``[master_relay]``: a whole relay on real sockets."""

from __future__ import annotations

import smtplib
import socket
import ssl

import pytest
from twisted.internet.threads import deferToThread

from multisendcon_plugin.edge import guesses
from multisendcon_plugin.errors import ListenError
from multisendcon_plugin.testing import Authority
from tests.configuration.examples import HASH
from tests.live_relay import CONTENT, RECIPIENT, SENDER, LiveRelayTestCase, account

PLAIN = "tcp:port=0:interface=127.0.0.1"


class ClientLogins(LiveRelayTestCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority()
        self.pem = self.folder / "relay.pem"
        self.renew()
        self.users = self.folder / "users"
        self.users.write_text(f"joe:{HASH}\n")
        self.users.chmod(0o600)

    def renew(self, **options):
        certificate, key = self.authority.server_pem("127.0.0.1", **options)
        self.pem.write_bytes(certificate + key)
        self.pem.chmod(0o600)

    def start(self, *listen, more="", **keys):
        self.far = self.provider()
        settings = "\n".join(f"{key} = {value}" for key, value in keys.items())
        text = f'tls_certificate = "{self.pem}"\nusers = "{self.users}"\n{settings}'
        self.relay(account("All", self.far), listen=listen or (PLAIN,), settings=text, more=more)

    def port(self, number=0):
        return self.service.addresses[number].port

    def context(self):
        return ssl.create_default_context(cadata=self.authority.pem.decode())

    def talk(self, conversation, number=0):
        return deferToThread(conversation, self.port(number))

    def starttls(self, login=("joe", "secret")):
        """Return a conversation; its answer is the TLS version."""

        def conversation(port):
            with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=20) as client:
                client.starttls(context=self.context())
                version = client.sock.version()
                if login:
                    client.login(*login)
                client.sendmail(SENDER, [RECIPIENT], CONTENT)
                return version

        return conversation

    async def trace(self):
        [mail] = await self.far.wait_for(1)
        return mail.content.partition(b"\r\n\t")[2].partition(b";")[0]

    async def test_starttls_and_a_login(self):
        self.start()
        version = await self.talk(self.starttls())
        assert version in ("TLSv1.2", "TLSv1.3")
        assert b" with ESMTPSA id " in await self.trace()
        [line] = self.log.having("logged in as joe")
        assert "127.0.0.1 logged" in line

    async def test_starttls_without_a_login(self):
        self.start()
        await self.talk(self.starttls(login=None))
        assert b" with ESMTPS id " in await self.trace()

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    async def test_an_old_tls_is_refused(self):
        self.start()
        context = self.context()
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")

        def conversation(port):
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.ehlo()
                client.starttls(context=context)

        with pytest.raises(ssl.SSLError) as caught:
            await self.talk(conversation)
        # The server has said so.
        assert caught.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    async def test_an_old_tls_is_spoken_with_an_old_device(self):
        device = '[[client]]\naddresses = ["127.0.0.1"]\nminimum_tls = "1.0"'
        listen = (PLAIN, f"ssl:port=0:interface=127.0.0.1:privateKey={self.pem}")
        self.start(*listen, more=device)
        context = self.context()
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")

        def starttls(port):
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.starttls(context=context)
                client.sendmail(SENDER, [RECIPIENT], CONTENT)
                return client.sock.version()

        def implicit(port):
            with smtplib.SMTP_SSL("127.0.0.1", port, timeout=20, context=context) as client:
                client.sendmail(SENDER, [RECIPIENT], CONTENT)
                return client.sock.version()

        assert await self.talk(starttls) == "TLSv1"
        assert await self.talk(implicit, 1) == "TLSv1"
        await self.far.wait_for(2)

    async def test_a_handshake_that_fails_is_logged_with_the_reason(self):
        self.start(PLAIN, f"ssl:port=0:interface=127.0.0.1:privateKey={self.pem}")

        def plain_text(before, *sent):
            def conversation(port):
                with socket.create_connection(("127.0.0.1", port), 20) as connection:
                    for octets in before:
                        connection.recv(1000)
                        connection.sendall(octets)
                    if before:
                        connection.recv(1000)
                    for octets in sent:
                        connection.sendall(octets)
                        connection.recv(1000)

            return conversation

        def untrusting(port):
            with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=20) as client:
                client.starttls(context=ssl.create_default_context())

        starttls = [b"EHLO x\r\n", b"STARTTLS\r\n"]
        prefix = "127.0.0.1: session closed: "
        for number, conversation, why in [
            (0, plain_text(starttls, b"EHLO x\r\n"), "plain text where TLS begins"),
            (0, plain_text(starttls), "the client hung up in the TLS handshake"),
            (0, plain_text([], b"\x16\x03\x01\x02\x00" + bytes(20)), "the client began TLS on a"),
            (1, plain_text([], b"EHLO client.example\r\n"), "plain text where TLS begins"),
            (1, plain_text([], b"GET / HTTP/1.1\r\n"), "HTTP where TLS begins"),
        ]:
            self.log.lines.clear()
            await self.talk(conversation, number)
            [line] = await self.log.wait_for("session closed")
            assert prefix in line
            assert why in line
        self.log.lines.clear()
        with pytest.raises(ssl.SSLError):
            await self.talk(untrusting)
        [line] = await self.log.wait_for("session closed")
        assert "the client does not trust the certificate" in line

    async def test_a_stranger_sends_only_after_its_login(self):
        self.start(allow='["192.0.2.1"]', users_from_anywhere="true")
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            await self.talk(self.starttls(login=None))
        assert caught.value.smtp_code == 530
        await self.talk(self.starttls())
        assert b" with ESMTPSA id " in await self.trace()

    async def test_a_wrong_login_is_refused_after_the_pause(self):
        # smtplib logs in twice; how long the pause is, tests.edge.test_logins shows with a clock.
        self.patch(guesses, "PAUSE", 0.05)
        self.start()
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            await self.talk(self.starttls(("joe", "c4nary")))
        assert caught.value.smtp_code == 535
        assert self.log.having("could not log in as joe")
        assert not self.log.having("c4nary")

    async def test_a_renewed_certificate_is_shown_without_a_restart(self):
        self.start()
        first = await self.talk(self.shown_certificate())
        assert await self.talk(self.shown_certificate()) == first
        self.renew()
        assert await self.talk(self.shown_certificate()) != first

    def shown_certificate(self):
        def conversation(port):
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.starttls(context=self.context())
                return client.sock.getpeercert(binary_form=True)

        return conversation

    async def test_what_should_not_stay_so_is_logged_at_the_start(self):
        self.renew(days=(-9, -1))
        self.users.chmod(0o644)
        self.start()
        assert self.log.having("relay.pem: the certificate expired on ")
        assert self.log.having("users: readable by everyone on this machine")

    async def test_implicit_tls(self):
        self.start(f"ssl:port=0:interface=127.0.0.1:privateKey={self.pem}")

        def conversation(port):
            context = self.context()
            with smtplib.SMTP_SSL("127.0.0.1", port, timeout=20, context=context) as client:
                client.ehlo("client.example")
                assert not client.has_extn("STARTTLS")
                assert client.docmd("STARTTLS")[0] == 503
                client.login("joe", "secret")
                client.sendmail(SENDER, [RECIPIENT], CONTENT)
                return client.sock.version(), client.sock.cipher()[0]

        version, cipher = await self.talk(conversation)
        assert version in ("TLSv1.2", "TLSv1.3")
        assert b" with ESMTPSA id " in await self.trace()
        [accepted] = self.log.having(": accepted from")
        client = f"client 127.0.0.1, user joe, {version} {cipher}, HELO client.example"
        assert f": accepted from <{SENDER}> ({client}), " in accepted

    async def test_implicit_tls_without_its_files_is_told(self):
        with pytest.raises(ListenError, match=r"cannot listen on ssl:.*No such file"):
            self.start("ssl:port=0:interface=127.0.0.1:privateKey=/missing/key.pem")

    async def test_behind_a_proxy(self):
        listen = "haproxy:tcp:port=0:interface=127.0.0.1"
        self.start(listen, allow='["192.0.2.1"]', proxies='["127.0.0.1"]')

        def conversation(port):
            with _Proxied("PROXY TCP4 192.0.2.1 127.0.0.1 4711 25\r\n", port) as client:
                client.ehlo()
                assert not client.has_extn("AUTH")
                client.starttls(context=self.context())
                client.login("joe", "secret")
                client.sendmail(SENDER, [RECIPIENT], CONTENT)

        await self.talk(conversation)
        [mail] = await self.far.wait_for(1)
        assert mail.content.startswith(b"Received: from client.example ([192.0.2.1])\r\n")
        assert b" with ESMTPSA id " in await self.trace()

    async def test_a_client_that_a_proxy_names_has_to_be_allowed(self):
        self.start("haproxy:tcp:port=0:interface=127.0.0.1", proxies='["127.0.0.1"]')

        def conversation(port):
            with pytest.raises(smtplib.SMTPConnectError) as caught:
                _Proxied("PROXY TCP4 192.0.2.1 127.0.0.1 4711 25\r\n", port)
            return caught.value.smtp_code

        assert await self.talk(conversation) == 554

    async def test_a_proxy_that_names_no_client_relays_nothing(self):
        """Before, its own address counted: 6 of 6 mails left without a login."""
        self.start("haproxy:tcp:port=0:interface=127.0.0.1", proxies='["127.0.0.1"]')
        signature = "\r\n\r\n\0\r\nQUIT\n"
        headers = (
            "PROXY UNKNOWN\r\n",
            "PROXY UNKNOWN 192.0.2.1 127.0.0.1 4711 25\r\n",
            signature + "\x20\0\0\0",
            signature + "\x21\0\0\0",
            signature + "\x21\x31\0\xd8" + 216 * "\0",
        )

        def conversation(port):
            for header in headers:
                with _Proxied(header, port) as client:
                    with pytest.raises(smtplib.SMTPSenderRefused) as caught:
                        client.sendmail(SENDER, [RECIPIENT], CONTENT)
                    assert caught.value.smtp_code == 554
                    client.starttls(context=self.context())
                    client.ehlo()
                    assert not client.has_extn("AUTH")

        await self.talk(conversation)

    async def test_a_client_that_is_no_proxy_speaks_for_itself_alone(self):
        """Before, any client in allow could name any address."""
        self.start("haproxy:tcp:port=0:interface=127.0.0.1", proxies='["192.0.2.1"]')

        def conversation(port):
            with pytest.raises(smtplib.SMTPConnectError) as caught:
                _Proxied("PROXY TCP4 127.0.0.1 127.0.0.1 4711 25\r\n", port)
            return caught.value.smtp_code

        assert await self.talk(conversation) == 554

    async def test_a_socket_that_systemd_has_not_handed_over_is_told(self):
        for where in ("index=7", "name=smtp"):
            with pytest.raises(ListenError, match="systemd passed no such socket"):
                self.start(f"systemd:domain=INET:{where}")


class _Proxied(smtplib.SMTP):
    """A client whose connection begins with the header of a proxy."""

    def __init__(self, header, port):
        self._header = header.encode("latin-1")
        super().__init__("127.0.0.1", port, "client.example", timeout=20)

    def _get_socket(self, host, port, timeout):
        connection = socket.create_connection((host, port), timeout)
        connection.sendall(self._header)
        return connection
