"""Reports to an address that somebody forges: how many it gets, and who hears of the others."""

from __future__ import annotations

import pytest

from multisendcon_plugin.errors import SpoolFullError
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.queue.allowance import HOUR, MOST_NAMED, Allowance
from tests.queue_world import POSTMASTER, SENDER, World, account
from tests.queues import logged

VICTIM = "victim@home.example"
WITH_POSTMASTER = {"postmaster": POSTMASTER}


def attacked(*, mails=200, victims=(VICTIM,), ndr=WITH_POSTMASTER, **more):
    """Return a relay to which mail was handed in that is refused, in the name of others."""
    world = World(account("Reports", senders="<>"), account("A"), ndr=ndr, **more)
    world.servers["A"] = lambda now: now.end(Verdict.FAILED)
    for n in range(mails):
        world.mail(sender=victims[n % len(victims)], by="A")
    world.run(HOUR / 2)
    return world


def test_a_victim_gets_50_reports_in_an_hour_and_the_postmaster_the_number_of_the_others():
    """Before, it got one for each of 200 mails."""
    with logged() as log:
        world = attacked()
    assert len(world.to(VICTIM)) == 50
    assert world.to(POSTMASTER) == []
    left_out = [text for text in log.texts() if "no report to <victim@home.example>" in text]
    assert len(left_out) == 150
    assert len({text.partition(":")[0] for text in left_out}) == 150
    with logged() as log:
        world.run(HOUR)
    assert [text for text in log.texts() if text.startswith("150 reports were not sent")]
    (summary,) = world.to(POSTMASTER)
    assert (summary.sender, summary.account) == ("", "Reports")
    assert "Subject: 150 reports were not sent\r\n" in summary.content
    assert "\r\nAuto-Submitted: auto-generated\r\n" in summary.content
    assert "     150  <victim@home.example>\r\n" in summary.content
    world.run(3 * HOUR)
    assert len(world.sent) == 51
    assert world.waiting == []


def test_after_an_hour_there_are_reports_again():
    world = attacked()
    world.mail(sender=VICTIM)
    world.run(10)
    assert len(world.to(VICTIM)) == 50
    world.run(HOUR)
    world.mail(sender=VICTIM)
    world.run(10)
    assert len(world.to(VICTIM)) == 51


def test_others_get_theirs_meanwhile():
    world = attacked()
    world.mail(sender=SENDER)
    world.run(10)
    assert len(world.to(SENDER)) == 1


@pytest.mark.parametrize(
    "victims", [("Victim@home.example", "victim@HOME.example"), ('"victim"@home.example', VICTIM)]
)
def test_an_address_written_otherwise_is_no_other_address(victims):
    world = attacked(victims=victims)
    assert sum(len(world.to(each)) for each in victims) == 50


@pytest.mark.parametrize("warn_after", [0.0, 600.0])
def test_reports_of_any_kind_count(warn_after):
    world = World(
        account("Reports", senders="<>"),
        account("A"),
        ndr=WITH_POSTMASTER | {"max_per_hour": 3},
        warn_after=warn_after,
        give_up_after=1800.0,
    )
    world.servers["A"] = lambda now: now.end(Verdict.DEFERRED)
    for _ in range(5):
        world.mail(sender=VICTIM)
    world.run(3500)
    assert len(world.to(VICTIM)) == 3


def test_the_postmaster_is_spared_reports_too_but_not_the_sum_of_them():
    world = attacked(victims=("",), ndr=WITH_POSTMASTER | {"max_per_hour": 10})
    world.run(2 * HOUR)
    *reports, summary = world.to(POSTMASTER)
    assert len(reports) == 10
    assert "     190  <postmaster@home.example>\r\n" in summary.content


def test_without_a_postmaster_the_log_has_the_sum():
    with logged() as log:
        world = attacked(ndr={})
        world.run(2 * HOUR)
    assert [text for text in log.texts() if text.startswith("150 reports were not sent")]
    assert len(world.sent) == 50


def test_a_sum_that_no_account_takes_is_in_the_log():
    with logged() as log:
        world = World(account("A", senders="victim@*"), ndr=WITH_POSTMASTER | {"max_per_hour": 1})
        world.servers["A"] = lambda now: now.end(Verdict.FAILED)
        for _ in range(3):
            world.mail(sender=VICTIM)
        world.run(2 * HOUR)
    assert [text for text in log.texts() if "the sum of reports" in text and "no account" in text]


def test_a_sum_for_which_there_is_no_room_is_in_the_log():
    world = attacked()
    with logged() as log:
        world.disk.fault = SpoolFullError("the disk is full")
        world.run(2 * HOUR)
    assert [text for text in log.texts() if text.startswith("150 reports were not sent")]
    assert [text for text in log.texts() if text.startswith("the postmaster is not told of it")]


@pytest.mark.parametrize("slow", [False, True])
def test_what_is_not_told_yet_is_told_before_the_relay_stops(slow):
    world = attacked(slow=slow)
    assert world.stop()
    assert not [each for each in world.clock.getDelayedCalls() if each.func.__name__ == "_sum_up"]
    world.start()
    world.run(60)
    (summary,) = world.to(POSTMASTER)
    assert "     150  <victim@home.example>\r\n" in summary.content


def test_a_relay_that_left_nothing_out_has_nothing_to_tell_when_it_stops():
    world = attacked(mails=50)
    assert world.stop()
    world.start()
    world.run(2 * HOUR)
    assert world.to(POSTMASTER) == []


# The count itself.


def test_it_is_any_hour_and_not_the_clocks():
    allowance = Allowance()
    assert sum(allowance.take(VICTIM, 50, now) for now in range(0, 2 * 3600, 10)) == 100
    begun_late = Allowance()
    assert begun_late.take(VICTIM, 50, 0.0)
    assert sum(begun_late.take(VICTIM, 50, 3590.0) for _ in range(100)) == 49
    assert sum(begun_late.take(VICTIM, 50, 3610.0) for _ in range(100)) == 1


def test_no_table_grows_without_end(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.allowance.MOST_REMEMBERED", 1000)
    allowance = Allowance()
    for n in range(10_000):
        allowance.take(f"{n}@home.example", 1, 1.0)
        allowance.take(f"{n}@home.example", 1, 1.0)
    assert len(allowance._sent) == len(allowance._counts) == 1000
    assert len(allowance.left_out) == MOST_NAMED + 1
    assert allowance.sum_up().total() == 10_000
    assert allowance.left_out.total() == 0
    allowance.take("late@home.example", 1, HOUR + 2)
    assert len(allowance._sent) == len(allowance._counts) == 1


def test_a_sum_of_very_many_addresses_stays_small():
    victims = [f"{n}{'x' * 200}@home.example" for n in range(1500)]
    world = attacked(mails=3000, victims=victims, ndr=WITH_POSTMASTER | {"max_per_hour": 1})
    world.run(2 * HOUR)
    (summary,) = world.to(POSTMASTER)
    assert "Subject: 1500 reports were not sent\r\n" in summary.content
    assert len(summary.content) < 48 * 1024  # with all of them: 330 KB
    named = summary.content.count("\r\n       1  <")
    assert f"{1500 - named:>8}  further addresses\r\n" in summary.content
