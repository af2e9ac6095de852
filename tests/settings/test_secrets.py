"""The canary: a password goes to its account's server and nowhere else, whatever happens."""

from __future__ import annotations

import base64
import json
import smtplib
from unittest.mock import Mock

from twisted.internet.threads import deferToThread
from twisted.logger import eventAsJSON, globalLogPublisher

from multisendcon_plugin.edge import guesses
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.settings.password import PasswordHash
from tests.live_relay import SENDER, LiveRelayTestCase, account

USERNAME = "c4nary-user"
PASSWORD = 'c4nary-Pa"55-wörd'
REPORTS_PASSWORD = "c4nary-of-the-reports"
FORMS = {
    form
    for secret in (PASSWORD, REPORTS_PASSWORD)
    for text in (secret, f"\0{USERNAME}\0{secret}", f"{USERNAME}\0{USERNAME}\0{secret}")
    for form in (
        text.encode(),
        base64.b64encode(text.encode()),
        repr(text)[1:-1].encode(),
        json.dumps(text)[1:-1].encode(),
    )
}
LOGIN = {"username": USERNAME, "password": PASSWORD}


class Secrets(LiveRelayTestCase):
    def setUp(self):
        super().setUp()
        self.events = []
        globalLogPublisher.addObserver(self._remember)
        self.addCleanup(globalLogPublisher.removeObserver, self._remember)

    def _remember(self, event):
        """Keep an event as people read it, as machines do, and as a debugger shows it."""
        self.events.append(f"{eventAsJSON(event)} {event!r}")

    def login_provider(self, password=PASSWORD, **settings):
        return self.provider(users={USERNAME: password}, tls=self.certificate(), **settings)

    def assert_kept(self):
        """Search for the canary, in the spool while it is in use too."""
        spool = [path.read_bytes() for path in self.folder.glob("spool/**/*") if path.is_file()]
        assert any(spool)
        places = {
            "the log": "\n".join(self.log.lines + self.events).encode(),
            "the spool": b"".join(spool),
            "the configuration": repr(self.service.configuration).encode(),
        }
        for place, octets in places.items():
            assert not [form for form in FORMS if form in octets], place

    async def test_success(self):
        provider = self.login_provider()
        self.relay(account("Sales", provider, tls_ca=self.ca, **LOGIN))
        await self.send()
        [mail] = await provider.wait_for(1)
        assert mail.username == USERNAME
        await self.log.wait_for("delivered by account")
        self.assert_kept()

    async def test_a_program_that_tells_a_new_password(self):
        kept = self.folder / "kept"
        kept.write_text(REPORTS_PASSWORD)
        provider = self.login_provider()
        told = account("Sales", provider, tls_ca=self.ca, username=USERNAME)
        self.relay(told + f'password = {{ command = ["cat", "{kept}"] }}\n')
        kept.write_text(PASSWORD)
        await self.send()
        [mail] = await provider.wait_for(1)
        assert mail.username == USERNAME
        await self.log.wait_for("delivered by account")
        self.assert_kept()

    async def assert_kept_when_refused(self, mechanism):
        provider = self.login_provider("another", mechanisms=[mechanism])
        self.relay(account("Sales", provider, tls_ca=self.ca, **LOGIN))
        await self.send()
        await self.assert_waits("login: 535")
        self.assert_kept()

    async def test_plain_refused(self):
        await self.assert_kept_when_refused("PLAIN")

    async def test_login_refused(self):
        await self.assert_kept_when_refused("LOGIN")

    async def test_cram_md5_refused(self):
        await self.assert_kept_when_refused("CRAM-MD5")

    async def test_a_server_that_repeats_what_it_was_told(self):
        echo = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()
        provider = self.login_provider(
            answer=lambda phase, about: Reply(535, "5.7.8", f"AUTH PLAIN {echo}: {PASSWORD}")
        )
        self.relay(account("Sales", provider, tls_ca=self.ca, **LOGIN))
        await self.send()
        await self.log.wait_for("deferred by account Sales")
        self.assert_kept()

    async def test_tls_that_fails(self):
        provider = self.login_provider()
        self.relay(account("Sales", provider, **LOGIN))
        await self.send()
        await self.assert_waits("authority")
        self.assert_kept()

    async def test_no_tls(self):
        provider = self.provider(users={USERNAME: PASSWORD})
        self.relay(account("Sales", provider, **LOGIN))
        await self.send()
        await self.assert_waits("the login is never sent in clear text")
        self.assert_kept()

    async def test_a_refused_mail_and_its_report(self):
        reports = self.provider()
        provider = self.login_provider(
            answer=lambda phase, about: phase == "rcpt" and Reply(550, "5.1.1", "nobody here")
        )
        self.relay(
            account("Sales", provider, tls_ca=self.ca, senders=SENDER, **LOGIN),
            account("Reports", reports, senders="<>"),
        )
        await self.send()
        [report] = await reports.wait_for(1)
        assert b"nobody here" in report.content
        assert not [form for form in FORMS if form in report.content]
        self.assert_kept()

    async def test_the_login_of_the_reports(self):
        provider = self.provider(answer=lambda phase, about: Reply(554, "5.7.1", "no"))
        reports = self.login_provider(REPORTS_PASSWORD)
        more = f"""
            [ndr]
            server = "127.0.0.1"
            port = {reports.address.port}
            username = "{USERNAME}"
            password = "{REPORTS_PASSWORD}"
        """
        self.relay(account("Sales", provider), more=more)
        await self.send()
        await self.log.wait_for("deferred by account [ndr]")
        self.assert_kept()

    async def logging_in(self, *logins, broken=None):
        """Log in at the relay itself, as a client."""
        hash_ = PasswordHash.of(PASSWORD.encode(), b"salt" * 4)
        (self.folder / "users").write_text(f"{USERNAME}:{hash_.text()}\n")
        provider = self.provider()
        self.relay(account("All", provider), settings=f'users = "{self.folder}/users"')
        if broken:
            self.patch(PasswordHash, "matches", broken)
        replies = await deferToThread(_log_in, self.service.addresses[0].port, logins)
        assert hash_.text() not in repr(self.service.configuration)
        await self.send()
        await provider.wait_for(1)
        self.assert_kept()
        return replies

    async def test_a_client_that_logs_in(self):
        assert await self.logging_in((USERNAME, PASSWORD)) == [235]
        assert self.log.having("logged in as c4nary-user")

    async def test_a_client_with_a_wrong_name(self):
        self.patch(guesses, "PAUSE", 0.05)
        assert await self.logging_in(("nobody", PASSWORD), ("x", REPORTS_PASSWORD)) == [535, 535]
        assert self.log.having("could not log in as nobody")

    async def test_a_fault_of_ours_while_a_client_logs_in(self):
        broken = Mock(side_effect=ZeroDivisionError)
        assert await self.logging_in((USERNAME, PASSWORD), broken=broken) == [451]
        assert self.flushLoggedErrors(ZeroDivisionError)

    async def test_a_fault_in_our_own_code(self):
        provider = self.login_provider()
        self.relay(account("Sales", provider, tls_ca=self.ca, **LOGIN))
        self.patch(type(self.service.spool), "content", None)
        await self.send()
        await self.log.wait_for("internal error during the attempt")
        assert self.flushLoggedErrors()
        self.assert_kept()


def _log_in(port, logins):
    """Return the codes of the replies."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo()
        responses = [f"\0{name}\0{password}".encode() for name, password in logins]
        encoded = [base64.b64encode(response).decode() for response in responses]
        return [client.docmd("AUTH PLAIN", each)[0] for each in encoded]
