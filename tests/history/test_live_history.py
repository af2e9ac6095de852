"""The history of a relay on real sockets."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from multisendcon_plugin.events import AttemptEnded
from multisendcon_plugin.history import Search
from multisendcon_plugin.mail.reply import Reply
from tests.live_relay import RECIPIENT, SENDER, LiveRelayTestCase, account

REFUSED = Reply(550, "5.1.1", "no such user")


def refuse_recipients(phase, about):
    return REFUSED if phase == "rcpt" else None


class LiveHistory(LiveRelayTestCase):
    async def stories(self, count, **said):
        """Return all stories that are found, when so many mails have ended."""
        while self.ended < count:
            self.next = Deferred()
            await self.next
        page = await self.service.history.find(Search(**said), 100)
        return page.stories

    def relay(self, *accounts, **settings):
        self.ended = 0
        self.next = Deferred()
        super().relay(*accounts, **settings)
        self.service.events.subscribe(AttemptEnded, self.count)

    def count(self, event):
        if event.judgement.remaining is None:
            self.ended += 1
            self.reactor.callLater(0, self.next.callback, None)

    async def test_a_mail_from_its_client_to_its_server(self):
        provider = self.provider(tls=self.certificate())
        self.relay(account("Sales", provider, tls_ca=str(self.ca), senders=["*@home.example"]))
        content = b"Message-ID: <1@home.example>\r\nSubject: hello\r\n\r\nhello\r\n"
        await self.send(content=content)
        (story,) = await self.stories(1, message_id="1@home.example")
        assert (story.sender, story.recipients) == (SENDER, (RECIPIENT,))
        assert (story.message_id, story.subject) == ("<1@home.example>", "hello")
        assert (story.client.address, story.client.tls, story.user) == ("127.0.0.1", "", "")
        assert story.client.helo
        accepted, attempt, delivered, _ = story.events
        assert accepted.account == "Sales"
        assert "*@home.example" in accepted.reason
        assert "TLSv1.3" in attempt.session
        assert delivered.reply.startswith("250 ")
        assert story.arrived <= attempt.time

    async def test_a_mail_that_fails_and_the_report_on_it(self):
        provider, reports = self.provider(answer=refuse_recipients), self.provider()
        ndr = f'[ndr]\nserver = "127.0.0.1"\nport = {reports.address.port}'
        self.relay(account("Sales", provider), more=ndr)
        await self.submit()
        mail, report = await self.stories(2)
        assert [each.event.value for each in mail.events] == [
            *("accepted", "attempt", "failed", "reported", "ended"),
        ]
        assert mail.client is None
        assert mail.events[2].reply == str(REFUSED)
        assert mail.events[3].report == report.id
        assert (report.sender, report.recipients) == ("", (SENDER,))
        assert report.message_id
        assert report.subject == "Mail delivery failed"

    async def test_a_mail_that_moves_to_the_fallback(self):
        gone, provider = self.provider(), self.provider()
        port = gone.address.port
        await gone.stop()
        self.relay(
            account("Sales", server="127.0.0.1", port=port, fallback=["Reserve"]),
            account("Reserve", provider),
        )
        await self.submit()
        (story,) = await self.stories(1, account="Reserve")
        (moved,) = (each for each in story.events if each.event.value == "moved")
        assert (moved.account, moved.to_account) == ("Sales", "Reserve")
        assert "connect" in moved.reason

    async def test_without_a_history_there_is_no_file(self):
        provider = self.provider()
        self.relay(account("Sales", provider), more="[history]\nkeep = 0")
        await self.submit()
        await provider.wait_for(1)
        assert self.service.history is None
        assert not list((self.folder / "spool").glob("history*"))
