"""What comes of mail while its account has no token that is good: the whole relay."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from multisendcon_plugin import Envelope, RelayService, parse
from multisendcon_plugin.interfaces.credentials import CredentialError
from multisendcon_plugin.logins import Logins, LoginStanding
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.testing.memory_spool import MemorySpool
from multisendcon_plugin.testing.misdeeds import refuse, times
from tests.evil_network import EvilNetwork
from tests.outcome.test_provider_replies import (
    CONTENT,
    FIRST,
    HOUR,
    MINUTE,
    OWN,
    SECOND,
    faults,
    sent,
)
from tests.queues import run
from tests.tokens import Tokens

CONFIGURATION = """
[master_relay]
hostname = "relay.example"
[ndr]
server = "192.0.2.9"
[[account]]
name = "First"
server = "192.0.2.1"
max_connections = 3
tls_verify = false
{first}
[account.oauth2]
provider = "microsoft"
grant = "client_credentials"
tenant = "example.onmicrosoft.com"
client_id = "relay"
client_secret = "of the application"
mailbox = "sales@example.com"
[[account]]
name = "Second"
server = "192.0.2.2"
tls = "none"
tls_verify = false
"""
REFUSED = refuse(535, "5.7.3 Authentication unsuccessful")


def error(*, needs_admin):
    return CredentialError("it is said what to do", needs_admin=needs_admin)


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


@pytest.fixture
def relay(monkeypatch):
    """Return what makes a relay with tokens."""

    def made(tokens, *, script=None, first=""):
        class FakeLogins(Logins):
            def of(self, account):
                return tokens if account.oauth2 else super().of(account)

            def standing(self, account):
                return LoginStanding(kind="token")

            def reconfigure(self, accounts):
                """Nobody is to be asked for tokens."""

        monkeypatch.setattr("multisendcon_plugin.service.Logins", FakeLogins)
        return Relay(script, first)

    return made


class Relay:
    """The relay, and the servers at the ends of its accounts."""

    def __init__(self, script, first):
        self.network = EvilNetwork()
        offers = ["AUTH XOAUTH2"]
        self.first = self.network.provide(script, address=FIRST, tls="fake", offers=offers)
        self.second = self.network.provide(address=SECOND)
        self.own = self.network.provide(address=OWN)
        self.service = RelayService(
            parse(CONFIGURATION.format(first=first)),
            self.network,
            spool=MemorySpool(self.network),
            wall=self.network.seconds,
        )
        self.service.startService()

    def mail(self):
        envelope = Envelope(reverse_path="boss@a.example", recipients=("r@b.example",))
        self.service.submit(envelope, CONTENT).addErrback(pytest.fail)
        self.run(1.0)

    def run(self, seconds):
        run(self.network, seconds)


@pytest.mark.parametrize("needs_admin", [True, False])
def test_without_a_token_mail_takes_the_fallback_and_the_server_is_left_alone(relay, needs_admin):
    tokens = Tokens(error(needs_admin=needs_admin))
    that = relay(tokens)
    with capturedLogs() as events:
        for _ in "abc":
            that.mail()
    assert (sent(that.second), that.own.mails, that.first.sessions) == (3, [], [])
    assert tokens.asked == 1
    (told,) = faults(events)
    assert told["alarm"] is needs_admin
    tokens.tokens = ["t0ken"]
    that.run(HOUR)
    that.mail()
    that.run(HOUR)
    that.mail()
    assert that.first.mails


@pytest.mark.parametrize("needs_admin", [True, False])
def test_without_a_token_and_a_fallback_mail_waits_and_never_bounces(relay, needs_admin):
    tokens = Tokens(error(needs_admin=needs_admin))
    that = relay(tokens, first="fallback = []")
    for _ in "abc":
        that.mail()
    that.run(3 * HOUR)
    assert (that.own.mails, that.first.sessions) == ([], [])
    tokens.tokens = ["t0ken"]
    that.run(HOUR)
    assert sent(that.first) == 3


def test_mails_that_come_together_ask_for_a_dead_token_once(relay):
    token = Deferred()
    tokens = Tokens(token)
    that = relay(tokens)
    for _ in "abc":
        that.mail()
    assert tokens.asked == 1
    token.errback(error(needs_admin=True))
    that.run(1.0)
    assert (tokens.asked, sent(that.second)) == (1, 3)


def test_a_token_that_is_refused_once_is_replaced_and_nobody_notices(relay):
    tokens = Tokens("old", "new")
    that = relay(tokens, script={Phase.LOGIN: times(1, REFUSED)})
    with capturedLogs() as events:
        that.mail()
    assert (sent(that.first), sent(that.second), faults(events)) == (1, 0, [])
    assert tokens.refused == ["old"]


def test_a_token_that_is_always_refused_costs_two_logins_and_then_one_in_each_pause(relay):
    tokens = Tokens(*(f"token {n}" for n in range(100)))
    that = relay(tokens, script={Phase.LOGIN: REFUSED}, first="fallback = []")
    with capturedLogs() as events:
        for _ in "abc":
            that.mail()
    assert len(that.first.sessions) == 2
    assert faults(events)[0]["alarm"] is True
    that.run(MINUTE)
    assert len(that.first.sessions) == 3
    that.run(3 * HOUR)
    assert len(tokens.refused) == len(that.first.sessions) - 1
    assert that.own.mails == []
    that.first.script.clear()
    that.run(HOUR)
    assert sent(that.first) == 3
