"""Accounts with quotas, from the queue to the server: each MAIL has had room."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.error import ConnectionLost

from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.settings.quota import Counted, Quota
from tests.evil_network import ADDRESS
from tests.evil_world import EvilWorld, at, network_now
from tests.queue_world import HOUR, account
from tests.queues import NOW
from tests.relays import CLOSE, SILENT, Network, Server, Way, verdicts

MAILS = Quota(2, Counted.MAILS, HOUR)
MANY = (Quota(100, Counted.MAILS, HOUR),)


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
def test_an_attempt_tells_when_its_recipients_were_known_and_how_many(offers):
    server = Server(*offers, END=SILENT)
    way = Way(server, quota=MANY, tls=Tls.NONE)
    way.network.advance(5.0)
    results = way.begin(recipients=["r1@far.example", "r2@far.example"])
    way.network.advance(60.0)
    way.wire.end(ConnectionLost())
    (attempt,) = results
    assert verdicts(attempt) == [Verdict.UNCERTAIN] * 2
    assert (attempt.counted, attempt.said, attempt.mail_ended) == (5.0, 2, 65.0)


def test_without_quotas_it_tells_nothing():
    attempt = Way(Server(), tls=Tls.NONE).send()
    assert (attempt.counted, attempt.said) == (None, None)


def test_what_was_said_and_not_answered_is_counted_when_the_mail_has_ended():
    way = Way(Server(MAIL=SILENT), quota=MANY, tls=Tls.NONE, max_recipients=1)
    results = way.begin(recipients=["r1@far.example", "r2@far.example"])
    way.network.advance(300.0)
    (attempt,) = results
    assert (attempt.counted, attempt.said, attempt.mail_ended) == (None, 1, 300.0)


def world_of(*servers, **settings):
    network = Network(*servers)
    network.advance(NOW)
    sales = attrs.evolve(account("A", tls=Tls.NONE, **settings), server="192.0.2.1")
    return EvilWorld(sales, network=network, slow=False)


def mails_said(server):
    return sum(line.startswith(b"MAIL") for line in server.lines)


@pytest.mark.parametrize("end", ["421 4.4.2 idle too long", CLOSE, "550 max messages"])
def test_each_mail_of_an_attempt_has_room_of_its_own(end):
    first, second = Server(MAIL=["250 ok", end]), Server()
    world = world_of(first, second, quota=(MAILS,), max_connections=1)
    world.mail()
    world.mail()
    world.run(HOUR - 10)
    assert (mails_said(first), mails_said(second)) == (2, 0)
    assert [each.attempts for each in world.waiting] == [0]
    world.run(20)
    assert mails_said(second) == 1
    assert world.waiting == []


def test_the_second_try_has_a_fresh_session_though_others_are_kept():
    refusing = [Server(MAIL=["250 ok", "550 max messages"]) for _ in range(2)]
    fresh = Server()
    world = world_of(*refusing, fresh, quota=MANY, max_connections=2)
    world.mail("r1@far.example")
    world.mail("r2@far.example")
    world.run(1.0)
    assert [mails_said(each) for each in refusing] == [1, 1]
    world.mail("r3@far.example")
    world.run(1.0)
    assert sorted(mails_said(each) for each in refusing) == [1, 2]
    assert len(fresh.taken) == 1
    assert world.waiting == []


def test_a_mail_in_several_transactions_takes_room_for_each():
    network = network_now()
    provider = network.provide(tls="fake")
    world = EvilWorld(at("A", ADDRESS, max_recipients=10, quota=(MAILS,)), network=network)
    world.mail(*(f"r{n}@far.example" for n in range(25)))
    world.run(60)
    assert [len(each.recipients) for each in provider.mails] == [10, 10]
    world.run(HOUR)
    assert [len(each.recipients) for each in provider.mails] == [10, 10, 5]


def test_a_quota_of_recipients_splits_a_mail_for_the_server():
    network = network_now()
    provider = network.provide(tls="fake")
    quota = Quota(10, Counted.RECIPIENTS, 60.0)
    world = EvilWorld(at("A", ADDRESS, quota=(quota,)), network=network)
    world.mail(*(f"r{n}@far.example" for n in range(25)))
    world.run(30)
    assert [len(each.recipients) for each in provider.mails] == [10]
    world.run(120)
    assert [len(each.recipients) for each in provider.mails] == [10, 10, 5]
    assert world.waiting == []
