"""A provider that allows fewer connections than the account is configured for, on real sockets."""

from __future__ import annotations

from functools import partial

from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from multisendcon_plugin.edge.protocol import RelayESMTP
from multisendcon_plugin.mail.reply import Reply
from tests.live_relay import LiveRelayTestCase, account

ALLOWED, CONFIGURED, MAILS = 3, 10, 80
#: Where it says so, and how.
REFUSALS = {
    "greeting": Reply(421, "4.7.0", "Too many concurrent connections"),
    "ehlo": Reply(421, "4.3.2", "Service not available"),
    "login": Reply(432, "4.3.2", "Concurrent connections limit exceeded"),
    "mail": Reply(432, "4.3.2", "Concurrent connections limit exceeded"),
}


class _Session(RelayESMTP):
    """Refuses what comes at one point of a session, unless it is one of the first few sessions."""

    def is_refused(self, phase):
        provider = self.factory
        provider.working &= provider.open
        if phase != provider.refuses_at or self in provider.working:
            return False
        if len(provider.working) < ALLOWED:
            provider.working.add(self)
            return False
        provider.refused += 1
        self.dialogue.talk.close_with(REFUSALS[phase])
        return True

    def connectionMade(self):
        self.factory.open.add(self)
        super().connectionMade()

    def connectionLost(self, *reason):
        self.factory.open.discard(self)
        super().connectionLost(*reason)

    def greet(self):
        if not self.is_refused("greeting"):
            super().greet()

    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        for verb, phase in ((b"EHLO", "ehlo"), (b"AUTH", "login"), (b"MAIL", "mail")):
            self.dialogue.commands[verb] = partial(
                self.carry_out, phase, self.dialogue.commands[verb]
            )

    def carry_out(self, phase, command, argument):
        if not self.is_refused(phase):
            command(argument)


class FewerConnectionsTestCase(LiveRelayTestCase):
    async def assert_costs_nothing(self, phase, *, delay=0.02, recorded_after=0.0):
        provider = self.provider(users={"boss": "secret"}, delay=delay)
        provider.protocol = _Session
        provider.open, provider.working = set(), set()
        provider.refuses_at, provider.refused = phase, 0
        self.relay(
            account(
                "Sales",
                provider,
                max_connections=CONFIGURED,
                username="boss",
                password="secret",
                tls="none",
            )
        )
        settle = self.service.spool.settle

        def settle_late(settlements):
            settled = settle(settlements)
            return settled.addCallback(
                lambda answer: deferLater(self.reactor, recorded_after, lambda: answer)
            )

        if recorded_after:
            self.service.spool.settle = settle_late
        await gatherResults([self.submit() for _ in range(MAILS)])
        await provider.wait_for(MAILS)
        assert 1 <= provider.refused <= CONFIGURED - ALLOWED
        assert provider.sessions == ALLOWED + provider.refused
        [line] = self.log.having("max_connections")
        assert "account Sales: the server allows 3 connections at a time, not 10" in line
        for never in ("deferred", "cannot be used", "throttled", "works again"):
            assert self.log.having(never) == []

    async def test_refused_at_the_greeting(self):
        await self.assert_costs_nothing("greeting")

    async def test_refused_at_ehlo(self):
        await self.assert_costs_nothing("ehlo")

    async def test_refused_at_the_login(self):
        await self.assert_costs_nothing("login")

    async def test_refused_at_mail(self):
        await self.assert_costs_nothing("mail")

    # While mails are being recorded, others have the sessions that these have had: where that took
    # longer than a mail, nothing was learned, and each connection that came next was refused.

    async def test_refused_at_the_login_with_a_slow_disk(self):
        await self.assert_costs_nothing("login", delay=0.0, recorded_after=0.02)

    async def test_refused_at_mail_with_a_slow_disk(self):
        await self.assert_costs_nothing("mail", delay=0.0, recorded_after=0.02)
