"""Sessions with a server, and other settings of its account."""

from __future__ import annotations

import base64

import attrs
import pytest
from twisted.internet.defer import succeed
from zope.interface import implementer

from multisendcon_plugin.interfaces.credentials import Credential, ICredentials
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.relay.budget import ConnectionBudget
from multisendcon_plugin.relay.places import Places
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider
from tests.relays import PENDING, SILENT, Network, Server, Way, login, verdicts

DELIVERED = Verdict.DELIVERED


def begin(way, factory):
    """Begin an attempt by another factory of the same way."""
    way.factory = factory
    return way.begin()


def other(way, **settings):
    return way.factory.reconfigured(attrs.evolve(way.account, **settings))


def test_with_the_same_connection_sessions_go_on():
    server = Server()
    way = Way(server)
    way.send()
    factory = other(way, fixed_sender="fixed@a.example", max_connections=7)
    assert factory is way.factory
    way.send()
    assert len(way.network.wires) == 1
    assert [line for line in server.lines if line.startswith(b"MAIL")] == [
        b"MAIL FROM:<boss@a.example>",
        b"MAIL FROM:<fixed@a.example>",
    ]


@pytest.mark.parametrize(
    "settings",
    [{"password": "new"}, {"username": "other"}, {"helo_domain": "x.example"}, {"port": 26}],
)
def test_with_another_one_idle_sessions_quit_at_once_and_the_next_mail_has_a_fresh_one(settings):
    first, second = Server("AUTH PLAIN"), Server("AUTH PLAIN")
    way = Way(first, second, **login())
    way.send()
    factory = other(way, **settings)
    assert factory is not way.factory
    way.network.flush()
    assert first.lines[-1] == b"QUIT"
    (attempt,) = begin(way, factory)
    assert verdicts(attempt) == [DELIVERED]
    assert len(way.network.wires) == 2


TOKEN = OAuth2(
    provider=Provider.MICROSOFT,
    grant=Grant.CLIENT_CREDENTIALS,
    client_id="app",
    client_secret="old",
    mailbox="sales@a.example",
)


@implementer(ICredentials)
class Kept:
    """Credentials that say of which account they are."""

    known = ()

    def __init__(self, account):
        self.account = account

    def current(self):
        return succeed(Credential(self.account.sasl_user, self.account.oauth2.client_secret))

    def tried(self, credential, worked):
        """Hear it."""


def test_sessions_go_on_when_an_application_has_another_secret_and_the_next_login_is_by_it():
    servers = [Server("AUTH PLAIN"), Server("AUTH PLAIN")]
    way = Way(*servers, logins=Kept, oauth2=TOKEN, tls=Tls.NONE, max_mails_per_connection=2)
    way.send()
    factory = other(way, oauth2=attrs.evolve(TOKEN, client_secret="new"))
    assert factory is way.factory
    way.send()
    assert len(way.network.wires) == 1
    way.send()
    asked = [line.split()[-1] for server in servers for line in server.lines if b"AUTH" in line]
    assert list(map(base64.b64decode, asked)) == [
        b"\0sales@a.example\0old",
        b"\0sales@a.example\0new",
    ]


def test_whoever_a_token_is_for_is_another_login():
    way = Way(Server("AUTH PLAIN"), Server(), logins=Kept, oauth2=TOKEN, tls=Tls.NONE)
    way.send()
    assert other(way, oauth2=attrs.evolve(TOKEN, mailbox="b@a.example")) is not way.factory


def test_a_busy_session_ends_with_its_mail_and_both_together_are_not_too_many():
    first, second = Server(END=SILENT), Server()
    way = Way(first, second, max_connections=1)
    busy = way.begin()
    factory = other(way, helo_domain="x.example")
    later = begin(way, factory)
    assert len(way.network.wires) == 1
    assert first.lines[-1] != b"QUIT"
    first.say("250 2.0.0 taken")
    way.network.flush()
    assert verdicts(busy[0]) == [DELIVERED]
    assert first.lines[-1] == b"QUIT"
    assert verdicts(later[0]) == [DELIVERED]
    assert second.lines[0] == b"EHLO x.example"


@pytest.mark.parametrize("server", [PENDING, Server(GREETING=SILENT), Server(EHLO=SILENT)])
def test_one_that_is_being_opened_is_given_up_and_its_mail_has_not_begun(server):
    way = Way(server, Server(), max_connections=1)
    opening = way.begin()
    factory = other(way, helo_domain="x.example")
    way.network.flush()
    (attempt,) = opening
    assert attempt.fault.reply.text == "the settings of the account have changed"
    assert attempt.mail_ended is None
    assert not attempt.uncertain
    if server is PENDING:
        # It ends at once: its lane does not know of the other settings yet.
        assert attempt.inconclusive
    (attempt,) = begin(way, factory)
    assert verdicts(attempt) == [DELIVERED]


def test_one_that_drains_goes_on_when_its_account_is_back():
    way = Way(Server(), Server())
    way.send()
    way.factory.drain()
    way.network.flush()
    assert other(way) is way.factory
    way.send()
    assert len(way.network.wires) == 2


def test_a_stop_waits_for_the_sessions_of_all_settings():
    first = Server(END=SILENT)
    way = Way(first, Server())
    way.begin()
    factory = other(way, helo_domain="x.example")
    stopped = []
    factory.stop(10.0).addCallback(stopped.append)
    way.network.flush()
    assert stopped == []
    first.say("250 2.0.0 taken")
    way.network.flush()
    assert len(stopped) == 1
    assert way.network.timers == []


# Limits that change.


def test_places_grow_and_shrink():
    places = Places(1)
    got = []
    for n in range(4):
        places.take().addCallback(lambda _, n=n: got.append(n))
    assert got == [0]
    places.resize(3)
    assert got == [0, 1, 2]
    places.resize(1)
    for _ in range(2):
        places.give_back()
    assert got == [0, 1, 2]
    places.give_back()
    assert got == [0, 1, 2, 3]


def test_who_does_not_want_a_place_any_more_gets_none():
    places = Places(1)
    places.take()
    waiting = places.take()
    waiting.addErrback(lambda _: None)
    waiting.cancel()
    places.give_back()
    assert places.taken == 0


def test_the_connections_of_all_accounts_grow_and_shrink():
    budget = ConnectionBudget(1, Network())
    slots = []
    for _ in range(4):
        budget.take("a.example").addCallback(slots.append)
    assert len(slots) == 1
    budget.resize(3)
    assert len(slots) == 3
    budget.resize(1)
    for slot in slots[:2]:
        budget.give_back(slot)
    assert len(slots) == 3
    budget.give_back(slots[2])
    assert len(slots) == 4
