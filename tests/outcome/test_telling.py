"""A server that takes a mail recipient by recipient does not make as many reports of it."""

from __future__ import annotations

import re

import attrs
import pytest

from multisendcon_plugin.mail.dsn import Notify
from multisendcon_plugin.mail.message import LONGEST_TOLD, MOST_TOLD_REPLIES
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Attempt, Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.outcome.judgement import judge
from tests.outcome.test_judgement import SETTINGS
from tests.queue_world import SENDER, World, account, deferring, login_refused
from tests.queues import LOGIN_REFUSED, NOW, attempt, delivery

HOUR = 3600.0
DELIVERED, DEFERRED, FAILED = Verdict.DELIVERED, Verdict.DEFERRED, Verdict.FAILED
MANY = tuple(f"r{n}@far.example" for n in range(300))
BOTH = Notify.SUCCESS | Notify.FAILURE


def split(tried, *verdicts, **more):
    """Return an attempt with these verdicts, in which all further recipients are too many."""
    plain = attempt(tried, *verdicts, DEFERRED, **more)
    outcomes = tuple(
        each if n < len(verdicts) else attrs.evolve(each, action=Action.SPLIT)
        for n, each in enumerate(plain.outcomes)
    )
    return attrs.evolve(plain, outcomes=outcomes)


def taking(*verdicts, **more):
    """Return a server that takes so many recipients in a transaction."""

    def serve(now):
        now.relay.under_way.remove(now)
        now.done.callback(split(now.delivery, *verdicts, **more))

    return serve


def in_turn(*servers):
    """Return a server that is one after the other; the last one stays."""
    left = list(servers)

    def serve(now):
        server = left.pop(0) if len(left) > 1 else left[0]
        server(now)

    return serve


def world(server, **more):
    world = World(account("Reports", senders="<>"), account("A"), seconds=0.1, **more)
    world.servers["A"] = server
    return world


def about(report):
    """Return the action of a report, and the recipients that it is about."""
    (action,) = set(re.findall(r"\nAction: (\w+)", report.content))
    return action, re.findall(r"\nFinal-Recipient: rfc822; (\S+)", report.content)


def test_one_recipient_in_a_transaction_makes_one_report_of_success():
    """Before, 300 recipients made 300 reports."""
    relay = world(taking(DELIVERED))
    relay.mail(*MANY, notify=Notify.SUCCESS)
    relay.run(600)
    (report,) = relay.to(SENDER)
    assert about(report) == ("relayed", list(MANY))
    assert relay.waiting == []


def test_one_refusal_in_a_transaction_makes_one_report_of_failure():
    """Before, 150 refused recipients of 300 made 150 reports."""
    relay = world(taking(DELIVERED, FAILED))
    relay.mail(*MANY)
    relay.run(600)
    (report,) = relay.to(SENDER)
    assert about(report) == ("failed", list(MANY[1::2]))


def test_both_kinds_make_one_of_each():
    relay = world(taking(FAILED, DELIVERED))
    relay.mail(*MANY, notify=BOTH)
    relay.run(600)
    failed, relayed = relay.to(SENDER)
    assert about(failed) == ("failed", list(MANY[::2]))
    assert about(relayed) == ("relayed", list(MANY[1::2]))


@pytest.mark.parametrize("crash", [True, False])
def test_what_is_not_told_yet_outlives_the_process(crash):
    relay = world(taking(DELIVERED, FAILED))
    relay.mail(*MANY, notify=BOTH)
    relay.run(5)
    assert 0 < len(relay.waiting[0].recipients) < len(MANY)
    assert relay.to(SENDER) == []
    relay.crash() if crash else relay.stop()
    relay.start()
    relay.run(600)
    told = [recipient for report in relay.to(SENDER) for recipient in about(report)[1]]
    assert sorted(set(told)) == sorted(MANY)
    assert len(relay.to(SENDER)) == 2


def test_failures_are_told_when_the_delivery_pauses_and_successes_when_it_ends():
    relay = world(None)
    first, second = taking(FAILED, DELIVERED), taking(DELIVERED, FAILED)
    relay.servers["A"] = in_turn(first, second, deferring, taking(DELIVERED, DELIVERED))
    relay.mail(*MANY[:6], notify=BOTH)
    relay.run(30)
    (failed,) = relay.to(SENDER)
    assert about(failed) == ("failed", [MANY[0], MANY[3]])
    relay.run(HOUR)
    _, relayed = relay.to(SENDER)
    assert about(relayed) == ("relayed", [MANY[1], MANY[2], MANY[4], MANY[5]])


def test_what_one_account_was_told_is_told_before_another_takes_over():
    relay = World(account("Reports", senders="<>"), account("A"), account("B"), seconds=0.1)
    relay.servers["A"] = in_turn(taking(FAILED, DELIVERED), login_refused)
    relay.mail(*MANY[:4], notify=BOTH, by="A")
    relay.run(600)
    reports = relay.to(SENDER)
    assert [about(each) for each in reports] == [
        ("failed", [MANY[0]]),
        ("relayed", [MANY[1]]),
        ("relayed", [MANY[2], MANY[3]]),
    ]
    servers = [re.search(r"Remote-MTA: dns; (\S+)", each.content)[1] for each in reports]
    assert servers == ["smtp.a.example", "smtp.a.example", "smtp.b.example"]


def test_a_delivery_that_waits_behind_an_account_at_fault_is_told_of_when_it_moves():
    relay = World(account("Reports", senders="<>"), account("A"), account("B"), seconds=0.1)
    relay.servers["A"] = taking(FAILED, DELIVERED)
    relay.mail(*MANY[:8], notify=BOTH, by="A")
    relay.run(0.15)
    relay.servers["A"] = login_refused
    relay.mail("other@far.example", by="A")
    relay.run(600)
    told = [each for report in relay.to(SENDER) for each in about(report)[1]]
    assert sorted(told) == sorted([*MANY[:8]])


def test_a_server_that_reports_success_itself_leaves_nothing_to_tell():
    relay = world(taking(DELIVERED, reports_success=True))
    relay.mail(*MANY[:5], notify=Notify.SUCCESS)
    relay.run(60)
    assert relay.to(SENDER) == []
    assert relay.waiting == []


# What is stored meanwhile.


def judged(tried, made, **changes):
    arguments = {"now": NOW, "started": NOW, "settings": SETTINGS, "jitter": 0.0} | changes
    return judge(tried, made, **arguments)


def asking(count, notify):
    plain = delivery(1, recipients=MANY[:count])
    recipients = tuple(attrs.evolve(each, notify=notify) for each in plain.recipients)
    return attrs.evolve(plain, recipients=recipients)


@pytest.mark.parametrize("notify", [None, Notify.NEVER, Notify.FAILURE])
def test_who_wants_no_report_of_success_has_nothing_stored_of_it(notify):
    tried = asking(3, notify)
    judgement = judged(tried, split(tried, DELIVERED))
    assert judgement.remaining.untold == ()


def test_long_replies_are_stored_only_as_far_as_a_report_has_room_for_them():
    """Each transaction writes all of it again."""
    tried = asking(201, BOTH)
    plain = split(tried, *[FAILED] * 199, DELIVERED)
    long = Reply(550, "5.1.1", "x" * 2000)
    made = Attempt(outcomes=tuple(attrs.evolve(each, reply=long) for each in plain.outcomes))
    untold = judged(tried, made).remaining.untold
    assert len(untold) == 200
    texts = [len(each.reply.text) for each in untold]
    assert texts == [LONGEST_TOLD] * MOST_TOLD_REPLIES + [0] * (200 - MOST_TOLD_REPLIES)
    assert {(each.reply.code, each.reply.enhanced) for each in untold} == {(550, "5.1.1")}


@pytest.mark.parametrize("fallback", [None, "B"])
def test_a_fault_of_the_account_tells_what_failed_before(fallback):
    tried = asking(4, BOTH)
    before = judged(tried, split(tried, FAILED, DELIVERED)).remaining
    judgement = judged(before, attempt(before, fault=LOGIN_REFUSED), fallback=fallback)
    assert [each.recipient.address for each in judgement.told.failed] == [MANY[0]]
    stays = [each.recipient.address for each in judgement.remaining.untold]
    told = [each.recipient.address for each in judgement.told.delivered]
    assert (told, stays) == (([MANY[1]], []) if fallback else ([], [MANY[1]]))
    assert judgement.failed == judgement.delivered == ()
