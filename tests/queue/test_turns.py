"""The lanes of a direct account: fair turns, rest by destination, and memory by what is at work."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import attrs
import pytest

from multisendcon_plugin import events
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Attempt, Verdict, all_deferred
from multisendcon_plugin.outcome.condition import State
from multisendcon_plugin.queue import turns
from multisendcon_plugin.settings.destinations import DestinationSettings
from tests.queue.test_quota import mails
from tests.queue_world import (
    DAY,
    HOUR,
    UNREACHABLE,
    World,
    account,
    closed,
    deferring,
    direct,
    greylisting,
    unreachable,
)
from tests.queues import NOW, collected


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


TOO_MANY = attrs.evolve(
    UNREACHABLE, phase=Phase.GREETING, reply=Reply(421, "4.7.0", "too many connections")
)


def by_destination(**servers):
    """Return servers of destinations, named by their first label; others take all mail."""

    def serve(now):
        server = servers.get(now.delivery.destination.partition(".")[0])
        return "as usual" if server is None else server(now)

    return serve


def silent(seconds):
    """Return a server of which nothing is heard for so long."""

    def serve(now):
        now.relay.clock.callLater(seconds, unreachable, now)

    return serve


def world_of(*accounts, mails=(), **more):
    world = World(*accounts, **more)
    for recipient in mails:
        world.mail(recipient)
    return world


def turns_of(world, name="D"):
    return world.queue._all_lanes.turns_of(name)


def condition(world, name="D"):
    return {each.account: each for each in world.queue.control.conditions()}[name]


def tried(world):
    return [now.delivery.destination for now in world.tries]


# Turns.


def test_destinations_have_their_turns_one_after_the_other():
    world = World(direct(max_connections=1), slow=False)
    for _ in range(4):
        world.mail("x@busy.example")
    for n in range(3):
        world.mail(f"x@other{n}.example")
    world.run(20)
    assert tried(world)[:5] == [
        "busy.example",
        "other0.example",
        "other1.example",
        "other2.example",
        "busy.example",
    ]
    assert len(world.sent) == 7


def test_an_account_has_four_mails_under_way_for_each_connection():
    world = world_of(direct(max_connections=7), mails=[f"x@d{n}.example" for n in range(60)])
    world.run(100)
    assert len(world.sent) == 60
    assert world.relays["D"].most == 28
    assert world.tries[-1].began - NOW < 60 / 28 + 2


def test_and_one_at_a_time_if_it_has_a_minimum_wait():
    world = world_of(direct(minimum_wait=1.0), mails=[f"x@d{n}.example" for n in range(5)])
    world.run(100)
    assert len(world.sent) == 5
    assert world.relays["D"].most == 1


def test_what_is_not_recorded_counts_as_a_connection():
    world = world_of(direct(max_connections=7), mails=[f"x@d{n}.example" for n in range(60)])
    world.run(0.5)
    world.spool.seconds = HOUR
    world.run(100)
    # Of what has ended, no more is sent again after a crash than there are connections; the first
    # ones to end are followed by as many as that.
    assert 28 <= len(world.tries) <= 28 + 7


def test_a_destination_that_fails_takes_no_connections_from_the_others():
    dead = {f"dead{n}": unreachable for n in range(3)}
    world = World(direct(max_connections=5))
    world.servers["D"] = by_destination(**dead)
    for name in dead:
        world.mail(f"x@{name}.example")
    world.run(5)
    for n in range(40):
        world.mail(f"x@d{n}.example")
    world.run(0.5)
    assert len(world.relays["D"].under_way) == 20


# Hosts that destinations have in common.


def no_room(seconds):
    """Return a server that has room for us after so long, and then takes all mail."""

    def serve(now):
        at = now.relay.clock.seconds()
        if at >= NOW + seconds:
            return "as usual"
        outcomes = all_deferred(now.delivery.recipients, Phase.CONNECT, Reply(0, "4.3.2", "full"))
        now.done.callback(Attempt(outcomes=outcomes, inconclusive=True, not_before=NOW + seconds))
        now.relay.under_way.remove(now)
        return None

    return serve


def test_mail_for_whose_host_there_is_no_room_comes_again_when_there_is():
    world = World(direct(max_connections=5))
    told = collected(world.events, events.AttemptEnded)
    world.servers["D"] = by_destination(full=no_room(7.0))
    world.mail("x@full.example")
    world.mail("x@other.example")
    world.run(20)
    assert tried(world) == ["full.example", "other.example", "full.example"]
    assert world.tries[-1].began == pytest.approx(NOW + 7.0, abs=0.1)
    # Nothing was tried the first time: nobody hears of it, and the schedule begins with the second.
    assert [each.delivery.attempts for each in told] == [0, 0]
    assert condition(world).resting_destinations == 0
    assert len(world.sent) == 2


def test_and_keeps_its_lane_no_longer_than_that():
    world = World(direct(max_connections=5))
    world.servers["D"] = by_destination(full=no_room(7.0))
    world.mail("x@full.example")
    world.run(5)
    assert len(world.queue._lanes) == 0
    world.run(20)
    assert len(world.sent) == 1


def test_a_destination_has_a_fifth_of_the_connections_and_begins_with_one():
    world = world_of(direct(max_connections=10), mails=["x@far.example"] * 9)
    most = []
    for _ in range(8):
        world.run(1.0)
        most.append(len(world.relays["D"].under_way))
    assert most[0] == 1
    assert max(most) == 2
    assert len(world.sent) == 9 - len(world.relays["D"].under_way)


def test_a_destination_may_have_other_connections():
    far = DestinationSettings(domains=("far.example",), max_connections=4)
    world = world_of(direct(max_connections=10), mails=["x@far.example"] * 30, destinations=(far,))
    world.run(20)
    assert world.relays["D"].most == 4


def test_the_minimum_wait_of_a_destination_is_its_own():
    far = DestinationSettings(domains=("far.example",), minimum_wait=10.0)
    world = world_of(
        direct(max_connections=10),
        mails=["x@far.example"] * 3 + ["x@near.example"] * 3,
        destinations=(far,),
    )
    world.run(100)
    began = [now.began for now in world.tries if now.delivery.destination == "far.example"]
    assert [after - before for before, after in pairwise(began)] == pytest.approx(
        [11.0, 11.0], abs=0.05
    )
    assert world.tries[-3].began - NOW < 12
    assert len(world.sent) == 6


def test_the_minimum_wait_of_the_account_holds_for_all_destinations_together():
    world = world_of(direct(minimum_wait=5.0), mails=[f"x@d{n}.example" for n in range(4)])
    world.run(100)
    began = [now.began for now in world.tries]
    assert [after - before for before, after in pairwise(began)] == pytest.approx(
        [6.0] * 3, abs=0.05
    )


def test_one_silent_destination_among_many_keeps_nobody_waiting():
    def times(**servers):
        world = World(direct(max_connections=10), seconds=0.1)
        world.servers["D"] = by_destination(**servers)
        for n in range(1000):
            world.mail(f"x@d{n % 200}.example")
            world.run(0.02)
        world.run(100)
        return sorted(
            now.began + 0.1 - now.delivery.message.arrived
            for now in world.tries
            if now.delivery.destination != "d7.example"
        )

    usual, beside = times(), times(d7=silent(30.0))
    assert len(beside) == len(usual) == 995
    assert beside[985] <= 1.1 * usual[985]


def test_fifty_silent_destinations_among_a_thousand_keep_nobody_waiting():
    def times(silent_ones):
        world = World(direct(max_connections=200), seconds=0.5)
        servers = {f"d{n}": silent(30.0) for n in range(50)} if silent_ones else {}
        world.servers["D"] = by_destination(**servers)
        for n in range(3000):
            world.mail(f"x@d{n * 7 % 1000}.example")
            world.run(0.01)
        world.run(100)
        return sorted(
            now.began + 0.5 - now.delivery.message.arrived
            for now in world.tries
            if int(now.delivery.destination[1:-8]) >= 50
        )

    usual, beside = times(False), times(True)
    assert len(beside) == len(usual) == 2850
    assert beside[2821] <= 1.1 * usual[2821]


# Rest.


def test_a_destination_at_fault_rests_alone_and_is_probed_by_one_mail():
    world = World(direct(max_connections=20), account("B"), retry=(300.0,))
    world.servers["D"] = by_destination(dead=unreachable)
    told = collected(world.events, events.AccountFaulted, events.AccountRecovered)
    for _ in range(5):
        world.mail("x@dead.example")
        world.mail("x@far.example")
    world.run(20)
    assert Counter(tried(world)) == {"dead.example": 1, "far.example": 5}
    assert told == []
    found = condition(world)
    assert (found.state, found.fault, found.until) == (State.OK, "", None)
    assert found.resting_destinations == 1
    rest = world.queue.control.rest("D", "dead.example")
    assert (rest.fault, rest.until > world.clock.seconds()) == (str(UNREACHABLE), True)
    assert world.queue.control.rest("D", "far.example") is None
    world.run(100)
    # A second one after 30 s, and a third one 60 s later.
    assert Counter(tried(world))["dead.example"] == 3
    world.servers.clear()
    world.run(600)
    assert len(world.sent) == 10
    assert {each.account for each in world.sent} == {"D"}
    assert condition(world).resting_destinations == 0
    assert turns_of(world)._gates == {}
    assert turns_of(world).destinations == []


def test_a_fault_of_the_account_is_the_account_s():
    world = world_of(direct(), mails=["x@a.example", "x@b.example", "x@c.example"], retry=(300.0,))
    world.servers["D"] = closed
    world.run(20)
    assert condition(world).state is State.RESTING
    assert condition(world).resting_destinations == 0
    world.servers.clear()
    world.run(600)
    assert condition(world).state is State.OK
    assert len(world.sent) == 3


def test_a_destination_fault_says_nothing_about_the_account():
    world = world_of(direct(), mails=["x@a.example", "x@dead.example"], retry=(300.0,))
    world.servers["D"] = by_destination(a=closed, dead=unreachable)
    world.run(600)
    assert condition(world).state is State.RESTING


def test_a_fault_of_a_destination_leaves_the_account_its_connections():
    world = World(direct(max_connections=10), retry=(HOUR,))
    world.servers["D"] = by_destination(dead=unreachable, silent=silent(60.0))
    world.mail("x@dead.example")
    world.run(2)
    world.mail("x@silent.example")
    for n in range(8):
        world.mail(f"x@d{n}.example")
    world.run(5)
    # One that has failed is no reason to try all others one by one, behind one that is silent.
    assert len(world.sent) == 8


def test_while_the_account_rests_its_mail_leaves_by_the_fallback(monkeypatch):
    monkeypatch.setattr(turns, "MOST_ALIVE", 5)
    world = World(direct(), account("B", max_connections=9))
    world.servers["D"] = closed
    for n in range(40):
        world.mail(f"x@d{n}.example")
    world.run(120)
    assert Counter(each.account for each in world.sent) == {"B": 40}
    assert world.waiting == []
    assert len(world.tries) - 40 <= 8


def test_mail_of_a_dead_destination_stays_unless_a_fallback_is_named():
    for fallback, by in ((None, []), (("B",), ["B"] * 3)):
        world = World(direct(fallback=fallback), account("B"))
        world.servers["D"] = by_destination(dead=unreachable)
        for _ in range(3):
            world.mail("x@dead.example")
        world.run(HOUR)
        assert [each.account for each in world.sent] == by


def test_mail_of_a_dead_destination_is_returned_after_its_time_tried_or_not():
    world = World(direct(), retry=(600.0,), give_up_after=DAY, warn_after=0.0)
    world.servers["D"] = by_destination(dead=unreachable)
    for _ in range(100):
        world.mail("x@dead.example")
    world.run(DAY + 2 * HOUR)
    assert Counter(tried(world))["dead.example"] < 40
    reports = world.to("author@home.example")
    assert len(reports) == 50  # an hour
    assert "no connection to mx.dead.example" in reports[0].content
    assert world.waiting == []
    assert turns_of(world).destinations in ([], ["dead.example"])
    world.run(2 * HOUR)
    assert turns_of(world)._gates == {}


def test_what_has_waited_for_long_has_more_than_one_bad_moment_of_its_destination():
    world = World(direct(), retry=(600.0,), give_up_after=DAY)
    world.queue.control.pause("D")
    for _ in range(10):
        world.mail("x@dead.example")
    world.run(2 * DAY)
    world.servers["D"] = by_destination(dead=unreachable)
    world.queue.control.resume("D")
    world.run(20)
    assert len(world.waiting) == 10
    world.servers.clear()
    world.run(HOUR)
    assert len(world.to("x@dead.example")) == 10


def test_senders_are_told_of_mail_that_waits_for_a_destination():
    world = World(direct(), warn_after=HOUR)
    world.servers["D"] = by_destination(dead=unreachable)
    for _ in range(3):
        world.mail("x@dead.example")
    world.run(4 * HOUR)
    assert len(world.to("author@home.example")) == 3


def test_a_destination_that_greylists_mail_after_mail_is_slow_alone():
    world = World(direct(max_connections=50), retry=(60.0,))
    world.servers["D"] = by_destination(grey=greylisting)
    for _ in range(12):
        world.mail("x@grey.example")
    world.run(40)
    assert condition(world).state is State.OK
    assert condition(world).resting_destinations == 1
    assert len(world.tries) < 12


def test_mails_that_are_greylisted_one_by_one_are_counted_together():
    world = World(direct(max_connections=50), retry=(DAY,))
    world.servers["D"] = by_destination(grey=greylisting)
    for n in range(5):
        assert condition(world).resting_destinations == 0
        world.mail("x@grey.example")
        world.run(20)
        assert len(world.tries) == n + 1
    assert condition(world).resting_destinations == 1


def test_what_one_that_is_sent_has_heard_is_forgotten():
    world = World(direct(max_connections=50), retry=(60.0,))
    once = [greylisting]
    world.servers["D"] = lambda now: once.pop()(now) if once else "as usual"
    world.mail("x@grey.example")
    world.run(20)
    assert turns_of(world)._gates
    world.run(100)
    assert len(world.sent) == 1
    assert not turns_of(world)._gates


def test_one_connection_too_many_is_about_the_destination():
    world = World(direct(max_connections=50), retry=(300.0,))
    far = []

    def allows_two(now):
        far[:] = [each for each in far if each in now.relay.under_way]
        if len(far) < 2:
            far.append(now)
            world.clock.callLater(5.0, lambda: now in now.relay.under_way and world.deliver(now))
        else:
            now.end(fault=TOO_MANY)

    world.servers["D"] = by_destination(far=allows_two)
    for _ in range(20):
        world.mail("x@far.example")
    world.run(200)
    assert len(world.sent) == 20
    assert condition(world).state is State.OK


# By hand.


def test_retry_probes_a_destination_that_rests():
    world = World(direct(), retry=(3600.0,))
    world.servers["D"] = by_destination(dead=unreachable)
    world.mail("x@dead.example")
    world.run(2)
    world.servers.clear()
    assert world.sent == []
    world.queue.control.retry(sorted(world.disk.deliveries))
    world.run(2)
    assert len(world.sent) == 1
    # Its hosts may rest as well, of which the relay knows.
    assert world.relays["D"].probed == ["dead.example"]


def test_a_paused_account_begins_nothing_and_goes_on_when_it_is_resumed(monkeypatch):
    monkeypatch.setattr(turns, "MOST_ALIVE", 2)
    world = World(direct(max_connections=5))
    world.queue.control.pause("D")
    world.run(1)
    for n in range(8):
        world.mail(f"x@d{n}.example")
    world.run(10)
    assert world.tries == []
    assert condition(world).state is State.PAUSED
    world.queue.control.resume("D")
    world.run(10)
    assert len(world.sent) == 8


def test_a_direct_account_at_fault_is_probed_by_hand():
    world = world_of(direct(), mails=["x@a.example", "x@b.example"], retry=(3600.0,))
    world.servers["D"] = closed
    world.run(2)
    world.servers.clear()
    answers = []
    world.queue.control.probe("D").addBoth(answers.append)
    world.run(2)
    assert answers == [None]
    assert len(world.sent) >= 1


# Quotas.


def test_the_quota_of_the_account_holds_for_all_destinations_together():
    world = world_of(
        direct(max_connections=5, quota=(mails(3, 60.0),)),
        mails=[f"x@d{n}.example" for n in range(10)],
    )
    world.run(30)
    assert len(world.sent) == 3
    world.run(300)
    assert len(world.sent) == 10
    began = [now.began for now in world.tries]
    assert all(after - before >= 60 for before, after in zip(began, began[3:], strict=False))


# Memory, and restarts.


def test_a_lane_ends_when_it_has_nothing_in_hand():
    world = World(direct(max_connections=10), retry=(300.0,))
    world.servers["D"] = by_destination(later=deferring)
    world.mail("x@far.example", "x@later.example")
    world.run(10)
    assert world.queue._lanes == {}
    assert turns_of(world).destinations == ["later.example"]
    assert turns_of(world)._gates == {}
    world.servers.clear()
    world.run(300)
    assert world.waiting == []
    assert turns_of(world).destinations == []


@pytest.mark.parametrize("slow", [False, True])
def test_after_a_restart_each_destination_is_read_when_it_is_its_turn(slow, monkeypatch):
    monkeypatch.setattr(turns, "MOST_ALIVE", 20)
    world = World(direct(max_connections=3), slow=slow, retry=(300.0,))
    world.servers["D"] = deferring
    for n in range(100):
        world.mail(f"x@d{n % 50}.example")
    world.run(100)
    assert world.stop()
    world.servers.clear()
    world.tries.clear()
    world.run(1000)
    world.start()
    alive = []
    for _ in range(100):
        world.run(0.5)
        alive.append(len(world.queue._lanes))
    assert max(alive) <= 20 + turns.FILLED_AT_ONCE + 3
    world.run(100)
    assert len(world.sent) == 100
    assert Counter(tried(world)[:50]).most_common(1)[0][1] <= 2
    assert world.queue._lanes == {}


def test_new_mail_beside_many_is_left_in_the_spool_until_its_turn(monkeypatch):
    monkeypatch.setattr(turns, "MOST_ALIVE", 5)
    world = World(direct(max_connections=2))
    for n in range(60):
        world.mail(f"x@d{n}.example")
    world.run(0.5)
    assert len(world.queue._lanes) <= 5 + turns.FILLED_AT_ONCE + 2
    world.run(100)
    assert [each.recipients[0] for each in world.sent][:4] == [f"x@d{n}.example" for n in range(4)]
    assert len(world.sent) == 60


def test_a_stop_waits_for_what_is_under_way_and_leaves_the_rest():
    world = world_of(direct(max_connections=2), mails=[f"x@d{n}.example" for n in range(9)])
    world.run(0.5)
    assert world.stop()
    assert len(world.sent) == 8
    assert world.clock.getDelayedCalls() == []
    world.start()
    world.run(30)
    assert len(world.sent) == 9


# Other settings.


def test_a_reload_changes_the_pace_of_destinations_that_are_at_work():
    world = world_of(direct(max_connections=5), mails=["x@far.example"] * 60)
    world.run(3)
    world.reload(direct(max_connections=20))
    world.run(12)
    assert world.relays["D"].most == 4
    world.run(60)
    assert len(world.sent) == 60


def test_a_reload_keeps_the_rest_of_a_destination():
    world = World(direct(), retry=(300.0,))
    world.servers["D"] = by_destination(dead=unreachable)
    world.mail("x@dead.example")
    world.run(2)
    world.reload(direct(max_connections=9))
    world.mail("x@dead.example")
    world.run(10)
    assert len(world.tries) == 1
    assert condition(world).resting_destinations == 1


def test_the_mail_of_a_direct_account_that_is_gone_finds_another_one():
    world = World(direct(), account("B", enabled=False), retry=(300.0,))
    world.servers["D"] = deferring
    for n in range(20):
        world.mail(f"x@d{n}.example", f"y@d{n}.example")
    world.run(100)
    world.reload(account("B"))
    world.run(10)
    world.run(60)
    assert Counter(each.account for each in world.sent) == {"B": 20}
    assert world.waiting == []


def test_an_uncertain_mail_stays_with_its_destination():
    world = World(direct(fallback=("B",)), account("B"), retry=(60.0,))
    once = [Verdict.UNCERTAIN]

    def loses_one(now):
        if once:
            now.end(once.pop(), fault=UNREACHABLE)
            return None
        return "as usual"

    world.servers["D"] = loses_one
    world.mail("x@far.example")
    world.run(HOUR)
    assert [each.account for each in world.sent] == ["D"]


def test_a_reload_that_mends_the_account_has_all_its_mail_tried_at_once():
    world = World(direct(max_connections=10, password="y"), retry=(300.0,))
    world.servers["D"] = by_destination(**{f"d{n}": closed for n in range(120)})
    for n in range(120):
        world.mail(f"x@d{n}.example")
    world.run(20)
    assert condition(world).fault
    assert turns_of(world).destinations
    world.servers.clear()
    world.reload(direct(max_connections=10, password="z"))
    world.run(100)
    assert len(world.sent) == 120


def test_a_destination_that_rests_does_so_beyond_a_reload_that_mends_the_account():
    world = World(direct(password="y"), retry=(300.0,))
    world.servers["D"] = by_destination(dead=unreachable, other=closed)
    world.mail("x@dead.example")
    world.run(3)
    world.mail("x@other.example")
    world.run(3)
    world.reload(direct(password="z"))
    world.tries.clear()
    world.run(10)
    assert tried(world) == ["other.example"]
