"""The whole queue over a spool in memory, with relays that do what the test says."""

from __future__ import annotations

from collections import Counter
from email.utils import formatdate

import pytest
from twisted.logger import LogLevel

from multisendcon_plugin.errors import SpoolBrokenError, SpoolError, SpoolFullError
from multisendcon_plugin.mail.dsn import Notify
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.queue import agenda
from multisendcon_plugin.queue.fullness import FULL_FOR
from multisendcon_plugin.routing.account import REPORTS_ACCOUNT
from multisendcon_plugin.settings.values import ReportTo
from multisendcon_plugin.turn import Turn
from tests.queue_world import (
    DAY,
    HOUR,
    POSTMASTER,
    READER,
    SENDER,
    World,
    account,
    allows,
    closed,
    deferring,
    draining,
    greylisting,
    greylists,
    login_refused,
    losing,
    refusing,
    silent,
)
from tests.queues import CLOSED, NOW, fault, logged, turn


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


# Clients first.


def test_a_client_is_answered_before_its_mail_is_begun():
    world = World(slow=False)
    world.run(1)
    begun = []
    with logged() as log:
        answered = [world.mail().called, world.mail().called]
        assert answered == [True, True]
        # As a channel does with the answers of one turn.
        Turn.of(world.clock).at_end(
            lambda: begun.append((dict(world.relays), log.texts(LogLevel.info)))
        )
        assert world.relays == {}
        turn(world.clock)
    assert begun == [({}, [])]
    assert len(log.texts(LogLevel.info)) == 2
    numbers = [each.message.number for each in world.waiting]
    assert world.relays["A"].numbers == [each.number for each in world.waiting]
    assert numbers == sorted(numbers)


def test_what_is_committed_meanwhile_is_begun_with_the_others():
    world = World(slow=False)
    world.run(1)
    world.mail()
    turn(world.clock)
    world.mail()
    turn(world.clock)
    assert len(world.relays["A"].tries) == 2
    world.mail()
    for _ in range(2):
        turn(world.clock)
    world.run(5)
    assert len(world.sent) == 3


def test_a_mail_that_was_accepted_is_in_the_log_also_when_the_service_stops_then():
    world = World(slow=False)
    world.run(1)
    with logged() as log:
        world.mail()
        world.queue.stopService()
        (delivery,) = world.waiting
        (line,) = log.texts(LogLevel.info)
        assert line.startswith(f"{delivery.message.id}: accepted from <{SENDER}>")
        world.run(5)
    assert log.texts(LogLevel.info) == [line]
    assert world.relays == {}
    world.memory.close()
    world.start()
    world.run(5)
    assert len(world.sent) == 1


def test_a_mail_whose_commit_outlasts_the_stop_is_in_the_log_as_well():
    world = World()
    world.run(1)
    with logged() as log:
        answered = world.mail()
        assert not answered.called
        world.queue.stopService()
        world.run(1)
    assert answered.called
    (line,) = log.texts(LogLevel.info)
    assert ": accepted from" in line
    assert world.relays == {}
    assert len(world.waiting) == 1


# Outcomes.


def test_what_is_delivered_leaves_the_spool():
    world = World()
    world.mail(READER, "other@far.example")
    world.run(5)
    assert [each.recipients for each in world.sent] == [(READER, "other@far.example")]
    assert world.sent[0].content.endswith("Subject: x\r\n\r\nhello\r\n")
    assert world.disk.deliveries == world.disk.contents == {}


def test_the_accounts_share_what_may_wait_in_memory(monkeypatch):
    monkeypatch.setattr(agenda, "ALL_WINDOWS", 12)
    monkeypatch.setattr(agenda, "LEAST_WINDOW", 1)
    world = World(account("A"), account("B"), account("C"))
    world.servers["A"] = silent
    world.run(1)
    for _ in range(10):
        world.mail()
    world.run(1)
    assert len(world.queue._lanes["A", ""]._agenda.waiting) == 4
    assert len(world.waiting) == 10


def test_a_deferred_mail_follows_the_retry_schedule_and_the_last_pause_repeats():
    world = World(retry=(60.0, 300.0), give_up_after=DAY, warn_after=0.0)
    world.servers["A"] = deferring
    world.mail()
    world.run(800)
    # An attempt takes a second here.
    assert world.since(world.tries) == pytest.approx([0, 61, 362, 663], abs=0.1)
    world.servers.clear()
    world.run(400)
    assert len(world.sent) == 1
    assert world.waiting == []


def test_only_the_recipients_that_are_left_are_tried_again():
    world = World(ndr={"recipient": ReportTo.SENDER})
    world.servers["A"] = lambda now: now.end(Verdict.DELIVERED, Verdict.DEFERRED, Verdict.DELIVERED)
    world.mail("a@far.example", "b@far.example", "c@far.example")
    world.run(5)
    world.servers.clear()
    world.run(100)
    assert [each.recipients for each in world.sent] == [("b@far.example",)]


def test_a_refused_recipient_is_reported_to_the_sender_through_the_accounts():
    world = World(account("Reports", senders="<>"), account("A"))
    world.servers["A"] = lambda now: now.end(Verdict.FAILED, Verdict.DELIVERED)
    world.mail(READER, "other@far.example", subject="invoice")
    world.run(10)
    (report,) = world.sent
    assert (report.account, report.sender, report.recipients) == ("Reports", "", (SENDER,))
    assert READER in report.content
    assert "550 5.1.1 no such user" in report.content
    assert "Subject: invoice" in report.content
    assert "other@far.example" not in report.content.partition("Diagnostic-Code")[0]
    assert world.waiting == []


def test_reports_go_to_the_server_that_is_set_for_them():
    world = World(reports=account(REPORTS_ACCOUNT))
    world.servers["A"] = refusing
    world.mail()
    world.run(10)
    (report,) = world.sent
    assert (report.account, report.recipients) == (REPORTS_ACCOUNT, (SENDER,))


def test_a_report_that_no_account_takes_is_logged_and_the_delivery_ends():
    world = World(account("A", senders="*@home.example !mailer-daemon@home.example"))
    world.servers["A"] = refusing
    world.mail()
    with logged() as log:
        world.run(10)
    assert any("no account takes mail from <mailer-daemon@home.example>" in t for t in log.texts())
    assert world.waiting == []


def test_what_expires_is_reported_after_a_second_attempt_at_least():
    world = World(account("<>", senders="<>"), account("A"), give_up_after=HOUR, warn_after=0.0)
    world.servers["A"] = deferring
    world.mail()
    world.run(2 * HOUR)
    (report,) = world.sent
    assert report.recipients == (SENDER,)
    assert report.at - NOW >= HOUR
    assert "4.7.1 greylisted" in report.content
    assert world.waiting == []


def test_a_mail_that_waited_too_long_while_nobody_tried_gets_a_second_chance():
    world = World(give_up_after=HOUR)
    world.servers["A"] = deferring
    world.mail()
    world.run(5)
    assert world.stop()
    world.clock.advance(DAY)
    world.servers.clear()
    world.start()
    world.run(60)
    assert len(world.to(READER)) == 1


def test_the_sender_is_told_of_a_delay_once():
    world = World(
        account("<>", senders="<>"), account("A"), warn_after=4 * HOUR, give_up_after=3 * DAY
    )
    world.servers["A"] = deferring
    world.mail()
    world.run(3.9 * HOUR)
    assert world.sent == []
    world.run(DAY)
    (report,) = world.sent
    assert report.recipients == (SENDER,)
    assert "Action: delayed" in report.content
    assert len(world.waiting) == 1
    assert world.waiting[0].warned


def test_every_sender_is_told_once_of_a_mail_that_waits_for_an_account_at_fault():
    world = World(
        account("<>", senders="<>"), account("A"), warn_after=4 * HOUR, give_up_after=3 * DAY
    )
    world.servers["A"] = closed
    senders = [f"author{n}@home.example" for n in range(1200)]
    for sender in senders:
        world.mail(sender=sender)
    world.run(3.9 * HOUR)
    assert world.sent == []
    world.run(2 * HOUR)
    assert sorted(each.recipients[0] for each in world.sent) == sorted(senders)
    assert all("Action: delayed" in each.content for each in world.sent)
    world.run(DAY)
    assert len(world.sent) == 1200
    del world.servers["A"]
    world.run(DAY)
    assert len(world.to(READER)) == 1200


def test_a_report_does_not_wait_behind_the_account_that_it_is_about():
    world = World(account("A", fallback=()), account("B"), warn_after=4 * HOUR)
    world.servers["A"] = closed
    world.mail()
    world.run(9 * HOUR)
    (report,) = world.sent
    assert (report.account, report.recipients) == ("B", (SENDER,))


def test_a_report_on_a_refusal_goes_the_usual_way():
    world = World(account("A"), account("B"))
    world.servers["A"] = lambda now: refusing(now) if now.delivery.number == first else "as usual"
    world.mail()
    first = world.waiting[0].number
    world.run(10)
    (report,) = world.to(SENDER)
    assert report.account == "A"


def test_a_mail_is_reported_as_passed_on_if_the_server_will_not_report_it():
    world = World(account("<>", senders="<>"), account("A"))
    world.mail(notify=Notify.SUCCESS)
    world.run(5)
    (report,) = world.to(SENDER)
    assert "Action: relayed" in report.content
    world.servers["A"] = lambda now: now.end(Verdict.DELIVERED, reports_success=True)
    world.mail(notify=Notify.SUCCESS)
    world.run(5)
    assert len(world.to(SENDER)) == 1
    assert world.waiting == []


@pytest.mark.parametrize("server", [refusing, deferring])
def test_a_sender_who_wants_to_hear_nothing_hears_nothing(server):
    world = World(
        account("<>", senders="<>"),
        account("A"),
        ndr={"recipient": ReportTo.BOTH, "postmaster": POSTMASTER},
        warn_after=HOUR,
        give_up_after=DAY,
    )
    world.servers["A"] = world.servers["<>"] = server
    world.mail(notify=Notify.NEVER)
    world.mail(notify=Notify.NEVER, sender="")
    world.run(3 * DAY)
    assert world.sent == []
    assert world.waiting == []


def test_the_times_in_a_report_are_those_of_the_clock_on_the_wall():
    world = World(account("<>", senders="<>"), account("A"))
    world.servers["A"] = refusing
    world.clock_set_by = 400 * DAY
    world.mail()
    world.run(5)
    (report,) = world.to(SENDER)
    assert f"Arrival-Date: {formatdate(NOW + 400 * DAY)}" in report.content


def test_the_delay_of_a_report_is_told_to_nobody():
    world = World()
    world.servers["A"] = deferring
    world.mail(sender="")
    with logged() as log:
        world.run(DAY)
    assert log.texts() == []
    assert len(world.disk.contents) == 1


def test_a_report_that_cannot_be_delivered_goes_to_the_postmaster_and_no_further():
    world = World(ndr={"postmaster": POSTMASTER})
    world.servers["A"] = refusing
    world.mail()
    with logged() as log:
        world.run(HOUR)
    tried = [now.delivery.recipients[0].address for now in world.tries]
    assert tried == [READER, SENDER, POSTMASTER]
    assert [text for text in log.texts() if "nobody can be told" in text]
    assert world.disk.deliveries == world.disk.contents == {}


def test_a_report_that_cannot_be_delivered_is_logged_when_there_is_no_postmaster():
    world = World()
    world.servers["A"] = refusing
    world.mail()
    with logged() as log:
        world.run(HOUR)
    assert [now.delivery.recipients[0].address for now in world.tries] == [READER, SENDER]
    assert [f"<{SENDER}>" in text for text in log.texts()] == [True]
    assert world.waiting == []


# Faults of an account.


def test_an_account_fault_bounces_nothing_and_the_mail_leaves_when_it_works_again():
    world = World(warn_after=0.0)
    world.servers["A"] = closed
    for _ in range(5):
        world.mail()
    world.run(DAY)
    assert world.sent == []
    assert len(world.waiting) == 5
    world.servers.clear()
    world.run(6 * HOUR)
    assert len(world.sent) == 5
    assert world.waiting == []


def test_a_refused_login_is_tried_once_in_each_pause():
    world = World(account("A", max_connections=1))
    world.servers["A"] = login_refused
    for _ in range(50):
        world.mail()
    world.run(HOUR)
    # An attempt takes a second here, and the rest begins when it has ended.
    assert world.since(world.tries) == pytest.approx([0, 31, 92, 213, 454, 935, 1896], abs=0.1)
    assert len(world.waiting) == 50


def test_other_accounts_go_on():
    world = World(
        account("Broken", recipients="*@broken.example"),
        account("Silent", recipients="*@silent.example"),
        account("Slow", recipients="*@slow.example", minimum_wait=HOUR),
        account("A"),
    )
    world.servers.update(Broken=closed, Silent=silent)
    for n in range(20):
        for domain in ("broken", "silent", "slow", "far"):
            world.mail(f"r{n}@{domain}.example")
    world.run(30)
    assert Counter(each.account for each in world.sent) == {"A": 20, "Slow": 1}


def test_the_fallback_account_takes_over():
    world = World(account("A"), account("B"))
    world.servers["A"] = closed
    for _ in range(3):
        world.mail()
    world.run(120)
    assert [each.account for each in world.sent] == ["B", "B", "B"]


def test_an_account_that_is_asked_for_too_much_keeps_its_mail():
    world = World(account("A"), account("B"))
    too_much = fault(Phase.GREETING, 421, "4.7.0", "too many connections")
    world.servers["A"] = lambda now: now.end(fault=too_much)
    world.mail()
    world.run(10)
    world.servers.clear()
    world.run(HOUR)
    assert [each.account for each in world.sent] == ["A"]


# Greylisting after the final dot.


def test_one_greylisted_mail_keeps_nobody_else_waiting():
    world = World(account("A", max_connections=10), seconds=0.02)
    world.servers["A"] = greylists({"r150@far.example"})
    for number in range(300):
        world.mail(f"r{number}@far.example")
    with logged() as log:
        world.run(1)
        assert len(world.sent) == 299
        world.run(70)
    assert len(world.sent) == 300
    assert log.texts() == []


@pytest.mark.parametrize("connections", [1, 2, 10])
@pytest.mark.parametrize(
    "greyed",
    [range(8), range(20, 28), range(10, 18), range(0, 24, 3), range(28)],
    ids=["first", "last", "in the middle", "spread", "all"],
)
def test_greylisted_mails_beside_good_ones_are_all_delivered_in_about_two_minutes(
    connections, greyed
):
    world = World(account("A", max_connections=connections), seconds=0.1)
    world.servers["A"] = greylists({f"r{number}@far.example" for number in greyed})
    for number in range(28):
        world.mail(f"r{number}@far.example")
    world.run(125 if len(greyed) == 8 else 250)
    assert len(world.sent) == 28
    assert world.waiting == []


def test_mail_that_a_server_defers_for_long_leaves_by_the_fallback():
    world = World(account("A"), account("B"))
    world.servers["A"] = greylisting
    for _ in range(30):
        world.mail()
        world.run(60)
    by = [each.account for each in world.sent]
    assert set(by) == {"B"}
    assert len(by) >= 25


# A server that is out of service.


@pytest.mark.parametrize(
    "said",
    [
        (Phase.GREETING, 421, "4.3.2", "service not available"),
        (Phase.EHLO, 421, "4.3.2", "draining"),
        (Phase.LOGIN, 454, "4.7.0", "temporary authentication failure"),
        (Phase.MAIL, 451, "4.7.0", "temporary server error"),
    ],
    ids=lambda said: f"{said[0].value} {said[1]}",
)
def test_a_server_that_is_out_of_service_is_waited_for_and_then_left(said):
    world = World(account("A"), account("B"))
    world.servers["A"] = lambda now: now.end(fault=fault(*said))
    for _ in range(10):
        world.mail()
        world.run(19)
    assert world.sent == [], "three pauses last 210 s at least"
    for _ in range(15):
        world.mail()
        world.run(60)
    assert len(world.sent) >= 20
    assert {each.account for each in world.sent} == {"B"}
    world.servers.clear()
    world.run(HOUR)
    world.mail(subject="back again")
    world.run(10)
    assert world.sent[-1].account == "A"


def test_a_single_mail_leaves_a_server_that_is_out_of_service_as_well():
    world = World(account("A"), account("B"))
    world.servers["A"] = draining
    world.mail()
    world.run(HOUR)
    assert [each.account for each in world.sent] == ["B"]


@pytest.mark.parametrize("server", [draining, greylisting, closed, login_refused])
def test_no_mail_expires_while_a_fallback_is_fit(server):
    world = World(account("A"), account("B"), give_up_after=400.0)
    world.servers["A"] = server
    for _ in range(20):
        world.mail()
        world.run(30)
    world.run(DAY)
    assert len(world.sent) == 20, "no report among them"
    assert all(each.sender == SENDER for each in world.sent)


def test_without_a_fallback_mail_of_an_account_at_fault_expires():
    world = World(account("A"), ndr={"postmaster": POSTMASTER}, give_up_after=400.0)
    world.servers["A"] = draining
    world.mail()
    world.run(HOUR)
    assert {each.message.envelope.reverse_path for each in world.waiting} == {""}


# Fewer connections than configured.


@pytest.mark.parametrize("allowed", [1, 3, 9])
def test_a_server_with_fewer_connections_costs_no_mail_an_attempt_and_the_log_one_line(allowed):
    world = World(account("A", max_connections=10), seconds=0.05)
    world.servers["A"] = allows(world, allowed)
    for number in range(80):
        world.mail(f"r{number}@far.example")
    with logged() as log:
        world.run(80 / allowed * 0.6 + 3)
    assert len(world.sent) == 80
    assert len(world.tries) == 80 + 10 - allowed
    assert all(now.delivery.attempts == 0 for now in world.tries)
    assert log.texts() == [
        (
            f"account A: the server allows {allowed} connections at a time, not 10; "
            f"set max_connections = {allowed} (one more is tried every 15 minutes)"
        )
    ]


def test_a_mail_that_had_one_connection_too_many_is_not_settled():
    # So the spool keeps its content in memory.
    world = World(account("A", max_connections=10), seconds=0.05)
    world.servers["A"] = allows(world, 3)
    settled = []
    settle = world.memory.settle
    world.memory.settle = lambda settlements: settled.extend(settlements) or settle(settlements)
    for _ in range(10):
        world.mail()
    world.run(10)
    assert len(world.sent) == len(settled) == 10


def test_only_accounts_that_admit_the_mail_take_it_over():
    world = World(
        account("A", fallback=("Else", "Half", "Off", "B")),
        account("Else", senders="*@else.example"),
        account("Half", recipients="*@far.example"),
        account("Off", enabled=False),
        account("B"),
        account("Unnamed"),
    )
    world.servers["A"] = closed
    world.mail(READER, "other@near.example")
    world.run(120)
    assert [each.account for each in world.sent] == ["B"]


def test_while_an_account_rests_all_its_mail_goes_by_the_fallback():
    world = World(account("A"), account("B"))
    world.servers["A"] = closed
    for _ in range(20):
        world.mail()
    world.run(25)
    assert Counter(each.account for each in world.sent) == {"B": 20}
    assert world.disk.deliveries == {}


def test_an_account_that_works_again_gets_its_mail_back():
    world = World(account("A"), account("B"))
    world.servers["A"] = closed
    for minute in range(30):
        if minute == 5:
            del world.servers["A"]
        world.mail()
        world.run(60)
    accounts = [each.account for each in world.sent]
    assert set(accounts[:5]) == {"B"}
    assert set(accounts[20:]) == {"A"}
    assert len(accounts) == 30


def test_mail_does_not_go_to_and_fro_between_accounts_at_fault():
    world = World(account("A"), account("B"))
    world.servers["A"] = world.servers["B"] = closed
    for _ in range(20):
        world.mail()
    world.run(25)
    assert len(world.waiting) == 20
    world.servers.clear()
    world.run(2 * HOUR)
    assert len(world.sent) == 20


def test_without_a_fallback_the_mail_stays():
    world = World(account("A", fallback=()), account("B"))
    world.servers["A"] = closed
    world.mail()
    world.run(HOUR)
    assert world.sent == []
    assert {now.relay.account.name for now in world.tries} == {"A"}


def test_when_all_have_failed_the_first_choice_is_tried_again():
    world = World(account("A"), account("B"))
    world.servers.update(A=closed, B=closed)
    world.mail()
    world.run(60)
    world.servers.clear()
    world.run(HOUR)
    assert [now.relay.account.name for now in world.tries[:2]] == ["A", "B"]
    assert [each.account for each in world.sent] == ["A"]


def test_a_mail_that_was_handed_over_comes_back_when_the_other_account_fails():
    world = World(account("A"), account("B"))
    world.servers.update(A=closed, B=silent)
    world.mail()
    world.run(5)
    world.mail(subject="handed over")
    world.run(5)
    handed_over = max(world.relays["B"].under_way, key=lambda now: now.began)
    handed_over.end(fault=CLOSED)
    world.servers.clear()
    world.run(HOUR)
    assert [each.account for each in world.sent if "handed over" in each.content] == ["A"]


def test_an_uncertain_mail_is_tried_again_by_the_same_account():
    world = World(account("A"), account("B"))
    world.servers["A"] = losing
    world.mail()
    world.run(5)
    world.servers.clear()
    world.run(120)
    assert [each.account for each in world.sent] == ["A"]
    assert "B" not in world.relays


# The spool has a fault.


def test_a_settlement_that_cannot_be_written_is_tried_again_and_nothing_is_sent_meanwhile():
    world = World()
    world.mail()
    world.run(0.5)
    world.disk.fault = SpoolError("the disk has a fault")
    with logged() as log:
        world.run(HOUR)
        assert log.failures(SpoolError) > 10
    assert len(world.tries) == 1
    world.disk.fault = None
    world.run(HOUR)
    assert world.waiting == []
    assert len(world.tries) == 1


def test_an_outcome_that_gets_lost_keeps_no_other_mail_waiting(monkeypatch):
    world = World(account("A", max_connections=1))

    def fail_once(*args, **kwargs):
        monkeypatch.undo()
        raise RuntimeError("a bug")

    monkeypatch.setattr("multisendcon_plugin.queue.recorder.judge", fail_once)
    world.mail("one@far.example")
    world.mail("other@far.example")
    with logged() as log:
        world.run(HOUR)
    assert log.failures(RuntimeError) == 1
    assert len(world.to("one@far.example")) == len(world.to("other@far.example")) == 1
    assert [delivery.recipients[0].address for delivery in world.waiting] == ["one@far.example"]


def test_stop_gives_a_settlement_one_last_try():
    world = World()
    world.mail()
    world.run(0.5)
    world.disk.fault = SpoolError("the disk has a fault")
    with logged():
        world.run(15)
    world.disk.fault = None
    assert world.stop(1)
    assert world.waiting == []


def test_a_spool_with_a_fault_does_not_keep_the_queue_from_stopping():
    world = World()
    world.mail()
    world.run(0.5)
    world.disk.fault = SpoolError("the disk has a fault")
    with logged() as log:
        world.run(15)
        assert world.stop(1)
    assert log.failures(SpoolError) > 0
    world.disk.fault = None
    assert len(world.waiting) == 1


BROKEN = SpoolBrokenError("nothing is written any more")


def test_when_nothing_is_written_any_more_nothing_begins_and_nothing_is_sent_twice():
    world = World(account("A", recipients="*@far.example", max_connections=1), account("B"))
    world.servers["B"] = deferring
    for n in range(3):
        world.mail(f"r{n}@far.example")
    world.mail("r@near.example")
    world.run(2.5)
    assert [now.relay.account.name for now in world.tries] == ["A", "B", "A"]
    world.disk.fault = BROKEN
    with logged() as log:
        world.run(DAY)
    assert log.texts() == []
    # One was on its way.
    assert len(world.tries) == 4
    assert world.stop(1)
    world.disk.fault = None
    world.servers.clear()
    world.start()
    world.run(DAY)
    assert world.waiting == []
    assert len(world.tries) == 6


def test_when_a_mail_cannot_be_committed_any_more_nothing_begins_either():
    world = World()
    world.servers["A"] = deferring
    world.mail()
    world.run(10)
    world.disk.fault = BROKEN
    refused = []
    world.mail().addErrback(refused.append)
    with logged() as log:
        world.run(DAY)
    assert [failure.value for failure in refused] == [BROKEN]
    assert log.texts() == []
    assert len(world.tries) == 1
    assert world.stop(1)


def test_a_mail_that_the_spool_does_not_take_is_not_ours():
    world = World()
    world.disk.capacity = 10
    refused = []
    world.mail().addErrback(refused.append)
    world.run(60)
    assert [failure.type for failure in refused] == [SpoolFullError]
    assert world.tries == []


def test_a_spool_that_was_full_is_called_so_until_there_may_be_room_again():
    world = World(account("A", max_connections=1), slow=False)
    world.servers["A"] = silent
    world.mail()
    assert not world.queue.full
    world.disk.capacity = 10
    world.mail().addErrback(lambda _: None)
    assert world.queue.full
    world.run(FULL_FOR)
    assert not world.queue.full
    world.mail().addErrback(lambda _: None)
    assert world.queue.full
    world.tries[0].end()  # a mail has left
    world.run(0)
    assert not world.queue.full
