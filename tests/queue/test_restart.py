"""The queue ends, in good order or not, and begins again, perhaps with other accounts."""

from __future__ import annotations

import attrs
import pytest
from twisted.logger import LogLevel

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.queue import rerouting
from multisendcon_plugin.queue import service as queue_service
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.queue_world import (
    DAY,
    HOUR,
    READER,
    SENDER,
    World,
    account,
    closed,
    deferring,
    inconclusive,
    silent,
)
from tests.queues import LOST, NOW, clock_now, fault, logged

SHUTTING_DOWN = fault(Phase.CONNECT, 0, "4.3.2", "shutting down")


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


# Restart.


def test_everything_that_waits_is_picked_up_after_a_restart():
    world = World(account("A", recipients="*@far.example"), account("B"))
    world.servers.update(A=deferring, B=silent)
    for n in range(10):
        world.mail(f"r{n}@far.example", f"r{n}@near.example")
    world.run(3)
    world.crash()
    world.servers.clear()
    world.start()
    world.run(120)
    assert sorted(each.recipients for each in world.sent) == sorted(
        (f"r{n}@{domain}.example",) for n in range(10) for domain in ("far", "near")
    )
    assert world.waiting == []


def test_a_due_time_outlives_a_restart():
    world = World(retry=(HOUR,))
    world.servers["A"] = deferring
    world.mail()
    world.run(5)
    assert world.stop(0)
    world.servers.clear()
    world.start()
    world.run(HOUR - 10)
    assert world.sent == []
    world.run(10)
    assert len(world.sent) == 1


def test_the_minimum_wait_is_kept_over_a_restart_in_good_order():
    world = World(account("A", minimum_wait=600.0))
    world.mail()
    world.mail()
    world.run(10)
    assert world.stop(0)
    world.start()
    world.run(HOUR)
    first, second = world.tries
    assert second.began - (first.began + 1.0) == pytest.approx(600.0, abs=0.1)


@pytest.mark.parametrize(("minimum_wait", "kept"), [(0.0, set()), (600.0, {"A"})])
def test_the_end_of_a_mail_is_kept_where_a_minimum_wait_counts_from_it(minimum_wait, kept):
    world = World(account("A", minimum_wait=minimum_wait))
    world.mail()
    world.run(10)
    assert len(world.sent) == 1
    assert world.disk.account_states.keys() == kept


def test_an_inconclusive_attempt_is_not_counted_and_its_minimum_wait_outlives_a_restart():
    world = World(account("A", minimum_wait=600.0))
    world.servers["A"] = inconclusive
    world.mail()
    world.run(0.1)
    before = world.waiting
    with logged() as log:
        world.run(10)
    assert log.texts(LogLevel.info) == []
    assert world.waiting == before
    assert world.stop(0)
    world.servers.clear()
    world.start()
    world.run(HOUR)
    first, second = world.tries
    assert second.began - (first.began + 1.0) == pytest.approx(600.0, abs=0.1)
    assert len(world.sent) == 1


def test_an_inconclusive_attempt_that_ends_while_the_relay_stops_leaves_its_minimum_wait():
    world = World(account("A", minimum_wait=600.0))
    world.servers["A"] = silent
    world.mail()
    world.run(10)
    before = world.waiting
    world.queue.stopService()
    inconclusive(*world.relays["A"].under_way)
    world.run(1)
    assert world.waiting == before
    assert world.disk.account_states == {"A": {"minimum_wait": NOW + 10}}


def test_after_a_crash_the_minimum_wait_counts_from_the_start():
    world = World(account("A", minimum_wait=600.0))
    world.mail()
    world.mail()
    world.run(100)
    world.crash()
    world.start()
    started = world.clock.seconds()
    world.run(HOUR)
    assert world.tries[1].began - started == pytest.approx(600.0, abs=0.1)


def test_an_end_that_is_still_to_come_stops_no_account():
    world = World(account("A", minimum_wait=600.0))
    assert world.stop(1)
    world.disk.account_states["A"] = {"minimum_wait": NOW + 1000 * DAY}
    world.start()
    world.mail()
    world.run(HOUR)
    assert len(world.sent) == 1


@pytest.mark.parametrize("jump", [-400 * DAY, -HOUR, HOUR, DAY, 400 * DAY])
def test_a_clock_that_was_set_while_the_relay_was_off_gives_nothing_up_and_stops_nothing(jump):
    world = World(give_up_after=3 * DAY, warn_after=0.0)
    world.servers["A"] = deferring
    for _ in range(5):
        world.mail()
    world.run(2 * DAY)
    assert world.stop()
    world.clock = clock_now(world.clock.seconds() + jump)
    world.start()
    world.run(0.8 * DAY)
    assert len(world.waiting) == 5
    assert all(NOW + jump < delivery.tried_at for delivery in world.waiting)
    world.servers.clear()
    world.run(5 * HOUR)
    assert len(world.to(READER)) == 5
    assert world.to(SENDER) == []


def test_time_in_which_the_relay_was_off_does_not_count():
    world = World(account("<>", senders="<>"), account("A"), give_up_after=DAY, warn_after=HOUR)
    world.servers["A"] = deferring
    world.mail()
    for _ in range(4):
        world.run(5 * HOUR)
        assert world.stop()
        world.clock.advance(DAY)
        world.start()
    assert [each.recipients for each in world.sent] == [(SENDER,)]
    assert 10 * HOUR < world.waiting[0].waited < 20 * HOUR
    world.run(DAY)
    assert world.waiting == []
    assert "Action: failed" in world.sent[-1].content


def test_a_spool_that_cannot_be_read_at_the_start_is_asked_again():
    world = World()
    world.servers["A"] = silent
    world.mail()
    world.run(1)
    world.crash()
    world.servers.clear()
    world.disk.fault = SpoolError("the disk has a fault")
    with logged() as log:
        world.start()
        world.run(60)
        assert log.failures(SpoolError) > 1
    world.disk.fault = None
    world.run(60)
    assert len(world.sent) == 1


@pytest.mark.parametrize("when", [0.0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03])
def test_what_is_committed_while_the_queue_picks_up_is_delivered_once(when):
    world = World()
    world.servers["A"] = silent
    world.mail("old@far.example")
    world.run(1)
    world.crash()
    world.servers.clear()
    world.start()
    world.run(when)
    world.mail("new@far.example")
    world.run(60)
    assert sorted(each.recipients[0] for each in world.sent) == [
        "new@far.example",
        "old@far.example",
    ]


def removed(world, *remaining):
    """Start again with other accounts."""
    world.stop(0)
    world.accounts = remaining
    world.servers.clear()
    world.start()
    world.run(60)


@pytest.mark.parametrize("disabled", [False, True], ids=["removed", "disabled"])
def test_mail_of_an_account_that_is_not_in_use_leaves_by_one_that_admits_it(disabled):
    old = account("Old", minimum_wait=DAY)
    world = World(old)
    for n in range(5):
        world.mail(f"r{n}@far.example")
    world.run(5)
    others = (account("Else", senders="*@else.example"), account("B"))
    removed(world, *([attrs.evolve(old, enabled=False)] if disabled else []), *others)
    assert [each.account for each in world.sent] == ["Old", "B", "B", "B", "B"]
    assert world.waiting == []


def test_mail_that_no_other_account_admits_stays_and_the_log_says_so():
    old = account("Old", minimum_wait=DAY)
    world = World(old)
    for n in range(4):
        world.mail(f"r{n}@far.example")
    world.mail("r@near.example")
    world.run(5)
    with logged() as log:
        removed(world, account("B", recipients="*@near.example"))
    assert [text for text in log.texts(LogLevel.error) if "mail waits for account Old: 3" in text]
    assert [each.account for each in world.sent] == ["Old", "B"]
    removed(world, old)
    assert len(world.waiting) == 3


def test_mail_that_has_to_stay_is_read_once_at_the_start(monkeypatch):
    monkeypatch.setattr(rerouting, "MOVED_AT_ONCE", 5)
    world = World(account("A", senders="nobody@home.example"))
    for _ in range(23):
        world.mail(by="gone")
    world.run(1)
    world.stop()
    read = []
    waiting = MemorySpool.waiting

    def noted(spool, *question):
        return waiting(spool, *question).addCallback(lambda each: read.extend(each) or each)

    monkeypatch.setattr(MemorySpool, "waiting", noted)
    world.start()
    world.run(10)
    assert [each.number for each in read] == [each.number for each in world.waiting]
    assert len(read) == 23


def test_an_account_takes_only_mail_over_of_which_it_admits_every_recipient():
    world = World(account("Old", minimum_wait=DAY))
    world.mail()
    world.mail(READER, "other@near.example")
    world.run(5)
    removed(world, account("Half", recipients="*@far.example"), account("B"))
    assert [each.account for each in world.to(READER, "other@near.example")] == ["B"]


def test_with_its_new_account_a_mail_begins_anew():
    world = World(account("A", fallback=("B",)), account("B"))
    world.servers.update(A=closed, B=silent)
    world.mail()
    world.run(5)
    assert [each.tried for each in world.waiting] == [("A",)]
    world.crash()
    world.accounts = (account("C"),)
    world.servers["C"] = silent
    world.start()
    world.run(5)
    assert [(each.account, each.tried) for each in world.waiting] == [("C", ())]


def test_mail_without_a_sender_finds_its_new_account_by_its_from_field():
    world = World(account("Old", minimum_wait=DAY))
    world.mail()
    world.mail(sender="")
    world.run(5)
    removed(
        world, account("Else", senders="*@else.example"), account("B", senders="*@home.example")
    )
    assert [(each.account, each.sender) for each in world.sent] == [("Old", SENDER), ("B", "")]


@pytest.mark.parametrize("disabled", [False, True], ids=["removed", "disabled"])
def test_mail_never_goes_back_to_an_account_that_is_not_in_use(disabled):
    first = account("A", fallback=("B",))
    world = World(first, account("B"), retry=(60.0,))
    world.servers.update(A=closed, B=deferring)
    world.mail()
    world.run(5)
    assert world.waiting[0].account == "B"
    assert world.stop(0)
    world.accounts = (*([attrs.evolve(first, enabled=False)] if disabled else []), account("B"))
    world.servers.update(B=closed)
    world.start()
    world.run(100)
    world.servers.clear()
    world.run(HOUR)
    assert [each.account for each in world.sent] == ["B"]
    assert "A" not in world.relays


# Stop.


def test_stop_waits_for_the_mails_on_their_way_and_their_outcomes_are_durable():
    world = World(seconds=5.0)
    world.mail()
    world.mail()
    world.run(1)
    assert not world.stop(3)
    assert world.relays["A"].grace == queue_service.GRACE
    world.run(2)
    assert not world.disk.locked
    assert len(world.sent) == 2
    assert world.waiting == []


def test_stop_waits_for_the_answer_of_the_spool():
    world = World()
    world.mail()
    world.run(0.5)
    world.spool.seconds = 5.0
    assert not world.stop(5)
    world.run(1)
    assert not world.disk.locked


def test_what_the_end_of_the_relay_breaks_off_stays_as_it_was():
    world = World(account("A"), account("B"), give_up_after=HOUR)
    world.servers["A"] = deferring
    world.mail()
    world.run(30 * 60)
    (before,) = world.waiting
    world.servers["A"] = silent
    world.run(2 * HOUR)
    stopped = []
    world.queue.stopService().addCallback(stopped.append)
    (under_way,) = world.relays["A"].under_way
    under_way.end(fault=SHUTTING_DOWN)
    world.run(HOUR)
    assert len(stopped) == 1
    assert world.waiting == [under_way.delivery]
    assert under_way.delivery.attempts == before.attempts
    assert "B" not in world.relays
    assert world.sent == []


def test_an_uncertain_mail_is_recorded_also_while_stopping():
    world = World()
    world.servers["A"] = silent
    world.mail()
    world.run(5)
    world.queue.stopService()
    world.relays["A"].under_way[0].end(Verdict.UNCERTAIN, fault=LOST)
    world.run(5)
    assert [each.attempts for each in world.waiting] == [1]


def test_what_fails_while_stopping_is_reported_after_the_restart():
    world = World(account("<>", senders="<>"), account("A"))
    world.servers["A"] = silent
    world.mail()
    world.run(5)
    world.queue.stopService().addCallback(lambda _: world.memory.close())
    world.relays["A"].under_way[0].end(Verdict.FAILED)
    world.run(60)
    assert "<>" not in world.relays
    world.start()
    world.run(60)
    assert [each.recipients for each in world.sent] == [(SENDER,)]


def test_mail_that_is_committed_while_stopping_leaves_after_the_restart():
    world = World()
    world.run(1)
    committed = []
    world.mail().addCallback(committed.append)
    world.queue.stopService().addCallback(lambda _: world.memory.close())
    world.run(60)
    assert len(committed) == 1
    assert world.tries == []
    world.start()
    world.run(60)
    assert len(world.sent) == 1


@pytest.mark.parametrize("clean", [False, True], ids=["after a crash", "after good order"])
def test_a_start_that_is_not_finished_when_the_queue_stops_begins_nothing(clean):
    world = World(retry=(60.0,))
    world.servers["A"] = deferring
    world.mail()
    world.run(5)
    if clean:
        assert world.stop()
    else:
        world.crash()
    world.start()
    assert world.stop()
    world.run(HOUR)
    assert world.relays == {}
