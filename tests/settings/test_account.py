"""Each setting of an account, as its server sees it: real sockets from the client to the server."""

from __future__ import annotations

import base64
import errno
import itertools
from smtplib import SMTPRecipientsRefused

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.trial import unittest

from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.testing import Authority, Provider
from tests.live_relay import (
    CONTENT,
    RECIPIENT,
    SENDER,
    LiveRelayTestCase,
    account,
    without_trace,
)
from tests.relays import Names

PASSWORD = "c4nary-Pa55word"
LOGIN = {"username": "sales", "password": PASSWORD}
USERS = {"sales": PASSWORD}


class Hold:
    """An answer of a provider that keeps its clients waiting in one phase."""

    def __init__(self, phase):
        self._phase = phase
        self.held = []
        self._awaited = []
        self.most = 0

    def __call__(self, phase, about):
        if phase != self._phase:
            return None
        held = Deferred()
        self.held.append(held)
        self.most = max(self.most, len(self.held))
        for count, reached in self._awaited:
            if count <= len(self.held) and not reached.called:
                reached.callback(None)
        return held

    def wait_for(self, count):
        """Wait until so many clients are kept waiting."""
        if len(self.held) >= count:
            return succeed(None)
        reached = Deferred()
        self._awaited.append((count, reached))
        return reached

    def let_go(self):
        """Answer one client as usual."""
        self.held.pop(0).callback(None)


class Basics(LiveRelayTestCase):
    async def test_the_name_stands_in_the_log_with_the_reason_and_the_outcome(self):
        provider = self.provider()
        self.relay(account("Sales & Co.", provider, senders="*@home.example"))
        await self.send()
        [accepted] = await self.log.wait_for(": accepted from")
        assert (
            f"<{RECIPIENT}> by Sales & Co. (sender matches *@home.example, every recipient)"
            in accepted
        )
        [delivered] = await self.log.wait_for("delivered by account")
        assert f"<{RECIPIENT}> delivered by account Sales & Co.: 250" in delivered

    async def test_the_server_gets_the_mail_as_it_was_sent(self):
        provider, other = self.provider("127.0.9.1"), self.provider("127.0.9.2")
        self.relay(account("Sales", provider, senders=SENDER), account("Rest", other))
        await self.send(recipients=["a@far.example", "b@far.example"])
        [mail] = await provider.wait_for(1)
        assert mail.reverse_path == SENDER
        assert mail.recipients == ("a@far.example", "b@far.example")
        assert without_trace(mail.content) == CONTENT
        assert other.mails == []

    async def test_the_server_may_be_a_host_name(self):
        provider = self.provider(tls=self.certificate("localhost"))
        self.relay(account("Sales", provider, server="localhost", tls="starttls", tls_ca=self.ca))
        await self.send()
        await provider.wait_for(1)

    async def test_the_connection_comes_from_the_local_address(self):
        provider = self.provider()
        self.relay(
            account("Sales", provider, local_address=("127.0.0.77",), senders=SENDER),
            account("Rest", provider, local_address=("127.0.0.78",)),
        )
        await self.send()
        await self.send("else@home.example")
        mails = await provider.wait_for(2)
        assert {mail.reverse_path: mail.peer for mail in mails} == {
            SENDER: "127.0.0.77",
            "else@home.example": "127.0.0.78",
        }

    async def test_a_local_address_that_is_not_here_is_never_replaced(self):
        provider = self.provider()
        self.relay(account("Sales", provider, local_address=("192.0.2.10",)))
        await self.send()
        await self.assert_waits("local_address 192.0.2.10 cannot be used")
        assert provider.sessions == 0

    async def test_the_unspecified_address_chooses_nothing_but_the_family(
        self,
    ):
        names = Names(**{"mx.example": ("::1", "127.0.0.1")})
        self.addCleanup(self.reactor.installNameResolver, self.reactor.installNameResolver(names))
        four = self.provider()
        port = four.address.port
        six = self.provider("::1", port)
        server = {"server": "mx.example", "port": port}
        self.relay(
            account("Four", **server, local_address=("0.0.0.0",), senders="four@home.example"),
            account("Six", **server, local_address=("::",), senders="six@home.example"),
        )
        await self.send("four@home.example")
        await self.send("six@home.example")
        [by_four], [by_six] = await four.wait_for(1), await six.wait_for(1)
        assert (by_four.reverse_path, by_four.peer) == ("four@home.example", "127.0.0.1")
        assert (by_six.reverse_path, by_six.peer) == ("six@home.example", "::1")

    async def test_the_unspecified_address_reaches_no_server_of_the_other_family(self):
        provider = self.provider()
        self.relay(account("Sales", provider, local_address=("::",)))
        await self.send()
        await self.assert_waits("local_address :: cannot be used: 127.0.0.1 is an IPv4 address")
        assert provider.sessions == 0

    async def test_the_helo_domain_is_said(self):
        provider = self.provider()
        self.relay(
            account("Sales", provider, helo_domain="mail.home.example", senders=SENDER),
            account("Rest", provider),
        )
        await self.send()
        await self.send("else@home.example")
        mails = await provider.wait_for(2)
        assert {mail.reverse_path: mail.helo for mail in mails} == {
            SENDER: "mail.home.example",
            "else@home.example": "relay.example",
        }

    async def test_an_account_that_is_not_enabled_takes_nothing(self):
        provider, rest = self.provider(), self.provider()
        self.relay(account("Sales", provider, enabled=False), account("Rest", rest))
        await self.send()
        await rest.wait_for(1)
        assert provider.sessions == 0


class Port(LiveRelayTestCase):
    """The ports that have a meaning of their own; an account without `tls` knows it."""

    #: Other tests of the same machine may use the same port.
    ADDRESSES = tuple(f"127.0.25.{n}" for n in range(1, 20))

    def provider_at(self, port, *, implicit_tls):
        certificate = self.certificate(*self.ADDRESSES)
        provider = Provider(self.reactor, tls=certificate, implicit_tls=implicit_tls)
        for address in self.ADDRESSES:
            try:
                provider.listen(address, port)
            except CannotListenError as error:
                if error.socketError.errno == errno.EADDRINUSE:
                    continue
                raise unittest.SkipTest(f"port {port} cannot be had: {error}") from None
            self.addCleanup(provider.stop)
            return provider
        raise unittest.SkipTest(f"port {port} is in use on every address")

    async def assert_delivered_by(self, provider, **settings):
        self.relay(account("Sales", tls_ca=self.ca, server=provider.address.host, **settings))
        await self.send()
        [mail] = await provider.wait_for(1)
        assert mail.tls in ("TLSv1.2", "TLSv1.3")

    async def test_25_is_the_default_and_means_starttls(self):
        await self.assert_delivered_by(self.provider_at(25, implicit_tls=False))

    async def test_587_means_starttls(self):
        await self.assert_delivered_by(self.provider_at(587, implicit_tls=False), port=587)

    async def test_465_means_tls_from_the_start(self):
        await self.assert_delivered_by(self.provider_at(465, implicit_tls=True), port=465)


class Login(LiveRelayTestCase):
    async def test_username_and_password_log_in(self):
        provider = self.provider(users=USERS, tls=self.certificate())
        self.relay(account("Sales", provider, tls_ca=self.ca, **LOGIN))
        await self.send()
        [mail] = await provider.wait_for(1)
        assert mail.username == "sales"

    async def test_without_a_username_there_is_no_login(self):
        provider = self.provider(users=USERS, tls=self.certificate())
        self.relay(account("Sales", provider, tls_ca=self.ca))
        await self.send()
        await self.assert_waits("mail: 530")
        assert provider.mails == []

    async def test_with_a_wrong_password_mail_waits_and_the_fault_is_said_once(self):
        hold = Hold("login")
        provider = self.provider(users={"sales": "another"}, tls=self.certificate(), answer=hold)
        self.relay(account("Sales", provider, tls_ca=self.ca, auth="plain", **LOGIN))
        await self.send()
        await self.send()
        await hold.wait_for(1)
        hold.let_go()
        await self.log.wait_for("deferred by account Sales", 2)
        assert (hold.most, hold.held) == (1, [])  # the second mail has not tried it as well
        [fault] = self.log.having("; its mail waits")
        assert "account Sales cannot be used: login: 535 5.7.8" in fault
        assert provider.mails == []
        assert await self.waiting() == {("Sales", ""): 2}
        for secret in (PASSWORD, base64.b64encode(f"\0sales\0{PASSWORD}".encode()).decode()):
            assert self.log.having(secret) == []

    async def test_a_login_is_not_sent_in_the_clear(self):
        logins = []
        provider = self.provider(users=USERS, answer=lambda phase, about: logins.append(phase))
        self.relay(account("Sales", provider, **LOGIN))
        await self.send()
        await self.assert_waits("the server does not offer STARTTLS (the login is never sent")
        assert logins == []

    async def test_a_login_is_sent_in_the_clear_where_the_account_says_so(self):
        provider = self.provider(users=USERS)
        self.relay(account("Sales", provider, tls="none", **LOGIN))
        await self.send()
        [mail] = await provider.wait_for(1)
        assert (mail.username, mail.tls) == ("sales", "")


class MinimumWait(LiveRelayTestCase):
    WAIT = 0.15

    async def test_mails_keep_their_distance_over_all_connections(self):
        tired = iter([None, Reply(421, "4.4.2", "enough mails for this session"), None] * 10)

        def answer(phase, about):
            return next(tired) if phase == "mail" else None

        provider = self.provider(answer=answer)
        self.relay(account("Sales", provider, minimum_wait=self.WAIT, max_connections=5))
        for _ in range(5):
            await self.send()
        mails = await provider.wait_for(5)
        assert len({mail.session for mail in mails}) > 1
        for mail, following in itertools.pairwise(mails):
            assert following.mail_from_at - mail.received_at >= self.WAIT

    async def test_a_refused_mail_counts(self):
        refused_at = []

        def answer(phase, about):
            if phase == "rcpt" and not refused_at:
                refused_at.append(self.reactor.seconds())
                return Reply(450, "4.2.0", "not now")
            return None

        provider = self.provider(answer=answer)
        self.relay(account("Sales", provider, minimum_wait=self.WAIT))
        await self.send()
        await self.send()
        [mail] = await provider.wait_for(1)
        assert mail.mail_from_at - refused_at[0] >= self.WAIT

    async def test_another_account_is_not_delayed(self):
        slow, fast = self.provider(), self.provider()
        self.relay(
            account("Slow", slow, minimum_wait="1h", senders=SENDER),
            account("Fast", fast),
        )
        for _ in range(3):
            await self.send()
            await self.send("else@home.example")
        await fast.wait_for(3)
        await slow.wait_for(1)
        assert len(slow.mails) == 1


class Senders(LiveRelayTestCase):
    ALL = (
        "boss@home.example",
        "BOSS@Home.Example",
        "clerk@home.example",
        "intern@home.example",
        "boss@sub.home.example",
        "boss@else.example",
    )

    async def assert_taken(self, senders, *expected):
        """The mails of these, and of nobody else, leave by the account with these masks."""
        provider = self.provider()
        self.relay(
            account("Sales", provider, senders=senders, helo_domain="sales.example"),
            account("Rest", provider),
        )
        for sender in self.ALL:
            await self.send(sender)
        mails = await provider.wait_for(len(self.ALL))
        taken = {mail.reverse_path for mail in mails if mail.helo == "sales.example"}
        assert taken == set(expected)

    async def test_one(self):
        await self.assert_taken("boss@home.example", *self.ALL[:2])

    async def test_several(self):
        await self.assert_taken(
            ["clerk@home.example", "boss@else.example"], "clerk@home.example", "boss@else.example"
        )

    async def test_a_domain(self):
        await self.assert_taken(["*@home.example"], *self.ALL[:4])

    async def test_subdomains(self):
        await self.assert_taken("*@*.home.example", "boss@sub.home.example")

    async def test_a_wildcard_in_a_name(self):
        await self.assert_taken(["?????@home.example"], "clerk@home.example")

    async def test_all_but_some(self):
        await self.assert_taken(["*@home.example", "!intern@home.example"], *self.ALL[:3])

    async def test_a_string_with_commas(self):
        await self.assert_taken(
            "clerk@home.example, *@sub.home.example,!boss@else.example",
            "clerk@home.example",
            "boss@sub.home.example",
        )

    async def test_nobody_else_is_served(self):
        provider = self.provider()
        self.relay(account("Sales", provider, senders="boss@home.example"))
        refused = self.assertFailure(self.send("clerk@home.example"), SMTPRecipientsRefused)
        code, text = (await refused).recipients[RECIPIENT]
        assert code == 550
        assert text.startswith(b"5.7.1 no account is configured for mail from <clerk@home.example>")


class Recipients(LiveRelayTestCase):
    async def test_one_transaction_leaves_by_as_many_accounts_as_it_has_to(self):
        partner, rest = self.provider(), self.provider()
        self.relay(
            account("Partner", partner, recipients=["*@partner.example", "!lost@partner.example"]),
            account("Rest", rest),
        )
        await self.send(
            recipients=[
                "a@partner.example",
                "b@far.example",
                "c@PARTNER.example",
                "lost@partner.example",
            ]
        )
        [to_partner], [to_rest] = await partner.wait_for(1), await rest.wait_for(1)
        assert to_partner.recipients == ("a@partner.example", "c@PARTNER.example")
        assert to_rest.recipients == ("b@far.example", "lost@partner.example")
        assert to_partner.content == to_rest.content
        assert without_trace(to_rest.content) == CONTENT


class FixedSender(LiveRelayTestCase):
    HEADER = b"\r\n".join(
        [
            b"DKIM-Signature: v=1; a=rsa-sha256; d=home.example; s=x;",
            b"\th=from:subject; bh=eA==; b=eA==",
            b"From: =?utf-8?Q?D=C3=B6rte?= <doerte@home.example>",
            b"Sender: secretary@home.example",
            b"To: reader@far.example",
            b"Subject: hello",
            b"",
        ]
    )
    BODY = b"\r\nFrom: nobody\r\n\r\n.\r\nb\xc3\xb6dy \t \r\n\r\n..\r\n"

    async def delivered(self, content, **settings):
        provider = self.provider()
        fixed = {"fixed_sender": "office@home.example"} | settings
        self.relay(account("Sales", provider, **fixed))
        await self.send("doerte@home.example", content=content)
        [mail] = await provider.wait_for(1)
        return mail

    async def test_envelope_and_header_have_the_fixed_sender_and_the_body_is_untouched(self):
        mail = await self.delivered(self.HEADER + self.BODY)
        assert mail.reverse_path == "office@home.example"
        expected = b"\r\n".join(
            [
                b"From: =?utf-8?Q?D=C3=B6rte?= <office@home.example>",
                b"Reply-To: =?utf-8?Q?D=C3=B6rte?= <doerte@home.example>",
                b"Sender: office@home.example",
                b"To: reader@far.example",
                b"Subject: hello",
                b"",
            ]
        )
        assert without_trace(mail.content) == expected + self.BODY

    async def test_a_reply_to_is_kept(self):
        reply_to = b"Reply-To: desk@home.example\r\n"
        mail = await self.delivered(reply_to + self.HEADER + self.BODY)
        assert mail.content.count(b"Reply-To:") == 1
        assert reply_to in mail.content

    async def test_without_it_nothing_is_replaced(self):
        provider = self.provider()
        self.relay(account("Sales", provider))
        await self.send("doerte@home.example", content=self.HEADER + self.BODY)
        [mail] = await provider.wait_for(1)
        assert mail.reverse_path == "doerte@home.example"
        assert without_trace(mail.content) == self.HEADER + self.BODY

    NOTICE = b"Disposition-Notification-To: doerte@home.example\r\n"

    async def test_other_fields_that_show_the_sender_are_removed(self):
        content = b"X-Mailer: x\r\n" + self.NOTICE + self.HEADER + self.BODY
        mail = await self.delivered(content)
        assert b"X-Mailer: x\r\nFrom:" in mail.content

    async def test_which_ones_are_removed_can_be_set(self):
        content = b"X-Mailer: x\r\n" + self.NOTICE + self.HEADER + self.BODY
        mail = await self.delivered(content, fixed_sender_removes=["x-mailer"])
        assert self.NOTICE + b"From:" in mail.content
        assert b"X-Mailer" not in mail.content

    async def test_a_header_that_ends_at_no_field_ends_there_for_everybody(self):
        mail = await self.delivered(
            self.HEADER + b": x\r\nFrom: doerte@home.example\r\n" + self.BODY
        )
        assert b"Subject: hello\r\n\r\n: x\r\nFrom: doerte@home.example\r\n" in mail.content
        [warning] = await self.log.wait_for("its header ends at a line that is no field")
        assert "account Sales" in warning

    async def automatic_reply(self, **settings):
        """Send one by an account with a fixed sender and these settings, or by the next one."""
        provider, rest = self.provider("127.0.9.1"), self.provider("127.0.9.2")
        fixed = {"fixed_sender": "office@home.example"} | settings
        self.relay(account("Sales", provider, **fixed), account("Rest", rest))
        await self.send("", content=self.HEADER + self.BODY)
        taken_by = rest if settings.get("null_sender") == "skip" else provider
        [mail] = await taken_by.wait_for(1)
        assert len(provider.mails + rest.mails) == 1
        return mail

    async def test_the_null_reverse_path_stays_and_the_header_has_the_fixed_sender(self):
        mail = await self.automatic_reply()
        assert mail.reverse_path == ""
        assert b"From: =?utf-8?Q?D=C3=B6rte?= <office@home.example>\r\n" in mail.content
        assert mail.content.endswith(self.BODY)

    async def test_the_null_reverse_path_can_be_replaced(self):
        mail = await self.automatic_reply(null_sender="replace")
        assert mail.reverse_path == "office@home.example"
        assert b"From: =?utf-8?Q?D=C3=B6rte?= <office@home.example>\r\n" in mail.content

    async def test_the_null_reverse_path_can_skip_the_account(self):
        mail = await self.automatic_reply(null_sender="skip")
        assert mail.reverse_path == ""
        assert without_trace(mail.content) == self.HEADER + self.BODY

    async def test_a_report_of_ours_has_the_fixed_sender(self):
        refusing = self.provider(answer=lambda phase, about: Reply(550, "5.7.1", "no"))
        provider = self.provider()
        self.relay(
            account("Sales", refusing, recipients=RECIPIENT),
            account("Rest", provider, fixed_sender="office@home.example", null_sender="replace"),
        )
        await self.send()
        [report] = await provider.wait_for(1)
        assert (report.reverse_path, report.recipients) == ("office@home.example", (SENDER,))
        assert b"From: Mail Delivery System <office@home.example>\r\n" in report.content

    async def test_private_mail_keeps_its_sender_where_the_account_says_so(self):
        content = b"sensitivity: PRIVATE\r\n" + self.HEADER + self.BODY
        mail = await self.delivered(content, fixed_sender_unless_private=True)
        assert mail.reverse_path == "doerte@home.example"
        assert without_trace(mail.content) == content

    async def test_other_mail_has_the_fixed_sender_there(self):
        content = b"Sensitivity: Personal\r\n" + self.HEADER + self.BODY
        mail = await self.delivered(content, fixed_sender_unless_private=True)
        assert mail.reverse_path == "office@home.example"
        assert b"From: =?utf-8?Q?D=C3=B6rte?= <doerte@" not in mail.content

    async def test_private_mail_has_the_fixed_sender_elsewhere(self):
        mail = await self.delivered(b"Sensitivity: Private\r\n" + self.HEADER + self.BODY)
        assert mail.reverse_path == "office@home.example"


class Tls(LiveRelayTestCase):
    def tls_provider(self, *names, **settings):
        return self.provider(tls=self.certificate(*names), **settings)

    async def assert_tls(self, provider, **settings):
        assert await self.tls_of_the_mail(provider, **settings) in ("TLSv1.2", "TLSv1.3")

    async def assert_no_tls(self, provider, **settings):
        assert await self.tls_of_the_mail(provider, **settings) == ""

    async def tls_of_the_mail(self, provider, **settings):
        self.relay(account("Sales", provider, **settings))
        await self.send()
        [mail] = await provider.wait_for(1)
        return mail.tls

    async def assert_mail_waits(self, provider, reason, **settings):
        self.relay(account("Sales", provider, **settings))
        await self.send()
        await self.assert_waits(reason)
        assert provider.mails == []

    # tls

    async def test_auto_uses_starttls_where_it_is_offered(self):
        provider = self.tls_provider()
        await self.assert_tls(provider, tls_ca=self.ca)

    async def test_auto_sends_without_tls_where_there_is_none(self):
        await self.assert_no_tls(self.provider(), tls="auto")

    async def test_implicit_begins_with_tls_on_any_port(self):
        provider = self.tls_provider(implicit_tls=True)
        await self.assert_tls(provider, tls="implicit", tls_ca=self.ca)

    async def test_starttls_is_used(self):
        provider = self.tls_provider()
        await self.assert_tls(provider, tls="starttls", tls_ca=self.ca)

    async def test_starttls_sends_nothing_without_it(self):
        reason = "tls: 4.7.0 the server does not offer STARTTLS (TLS is required)"
        await self.assert_mail_waits(self.provider(), reason, tls="starttls")

    async def test_opportunistic_takes_any_certificate(self):
        await self.assert_tls(self.tls_provider("elsewhere.example"), tls="opportunistic")

    async def test_opportunistic_sends_without_tls_where_there_is_none(self):
        await self.assert_no_tls(self.provider(), tls="opportunistic")

    async def test_none_never_uses_it(self):
        await self.assert_no_tls(self.tls_provider(), tls="none")

    # tls_verify and tls_ca

    async def test_an_unknown_authority_is_not_trusted(self):
        await self.assert_mail_waits(
            self.tls_provider(), "the certificate was issued by an unknown authority"
        )

    async def test_tls_ca_replaces_the_authorities(self):
        other = Authority("Another authority").write(self.folder / "other.pem")
        await self.assert_mail_waits(
            self.tls_provider(), "the certificate was issued by an unknown authority", tls_ca=other
        )

    async def test_a_certificate_for_another_name_is_refused(self):
        provider = self.tls_provider("elsewhere.example")
        reason = "the certificate is not for 127.0.0.1"
        await self.assert_mail_waits(provider, reason, tls_ca=self.ca)

    async def test_an_expired_certificate_is_refused(self):
        authority = Authority()
        ca = authority.write(self.folder / "authority.pem")
        provider = self.provider(tls=authority.server("127.0.0.1", days=(-3, -1)))
        await self.assert_mail_waits(provider, "the certificate has expired", tls_ca=ca)

    async def test_tls_verify_false_takes_any_certificate(self):
        provider = self.tls_provider("elsewhere.example")
        await self.assert_tls(provider, tls="starttls", tls_verify=False)


class MaxConnections(LiveRelayTestCase):
    async def assert_sessions(self, limit, **settings):
        """Send so many mails at once that more sessions would be opened if they might be."""
        hold = Hold("mail")
        provider = self.provider(answer=hold)
        self.relay(account("Sales", provider, **settings))
        mails = limit + 2
        for _ in range(mails):
            await self.submit()
        await hold.wait_for(limit)
        for _ in range(mails - limit):
            hold.let_go()
            await hold.wait_for(limit)
        for _ in range(limit):
            hold.let_go()
        await provider.wait_for(mails)
        assert (hold.most, provider.sessions) == (limit, limit)

    async def test_there_are_as_many_sessions_as_it_says(self):
        await self.assert_sessions(3, max_connections=3)

    async def test_the_default_is_two(self):
        await self.assert_sessions(2)

    async def test_one_is_enough(self):
        await self.assert_sessions(1, max_connections=1)


class MaxMailsPerConnection(LiveRelayTestCase):
    async def test_a_connection_carries_no_more_mails_than_it_says(self):
        provider = self.provider()
        self.relay(account("Sales", provider, max_connections=1, max_mails_per_connection=2))
        for _ in range(5):
            await self.submit()
        await provider.wait_for(5)
        assert [mail.session for mail in provider.mails] == [1, 1, 2, 2, 3]


class Fallback(LiveRelayTestCase):
    def dead(self):
        """Return an address where nobody listens any more."""
        provider = self.provider()
        where = {"server": provider.address.host, "port": provider.address.port}
        provider.stop()
        return where

    async def test_the_account_that_is_named_takes_over(self):
        first, second = self.provider(), self.provider()
        self.relay(
            account("Sales", fallback=["Backup"], **self.dead()),
            account("Twin", first),
            account("Backup", second, senders=SENDER),
        )
        await self.send()
        await second.wait_for(1)
        assert first.sessions == 0
        [line] = self.log.having("deferred by account Sales")
        assert "cannot be reached" in line
        assert "moved to account Backup" in line

    async def test_one_after_the_other_takes_over(self):
        provider = self.provider()
        self.relay(
            account("Sales", fallback=["B", "C"], senders=SENDER, **self.dead()),
            account("B", fallback=["C"], **self.dead()),
            account("C", provider),
        )
        await self.send()
        await provider.wait_for(1)

    async def test_by_default_it_is_the_next_account_with_the_same_masks(self):
        other, twin = self.provider(), self.provider()
        self.relay(
            account("Sales", senders="*@home.example", **self.dead()),
            account("Other", other),
            account("Twin", twin, senders=["*@HOME.example"]),
        )
        await self.send()
        await twin.wait_for(1)
        assert other.sessions == 0

    async def test_none_means_that_mail_waits(self):
        twin = self.provider()
        self.relay(account("Sales", fallback=[], **self.dead()), account("Twin", twin))
        await self.send()
        await self.assert_waits("cannot be reached")
        assert twin.sessions == 0

    async def test_a_refused_mail_is_not_tried_elsewhere(self):
        refusing = self.provider(answer=lambda phase, about: Reply(550, "5.7.1", "no"))
        backup = self.provider()
        self.relay(
            account("Sales", refusing, fallback=["Backup"], senders=SENDER, recipients=RECIPIENT),
            account("Backup", backup),
        )
        await self.send()
        [report] = await backup.wait_for(1)
        assert (report.reverse_path, report.recipients) == ("", (SENDER,))
