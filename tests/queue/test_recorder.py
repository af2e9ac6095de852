"""What is decided in one turn is recorded together, and each lane goes on from it once."""

from __future__ import annotations

from unittest.mock import Mock

from multisendcon_plugin.errors import SpoolBrokenError, SpoolError
from multisendcon_plugin.outcome.attempt import Verdict
from tests.queue_world import DAY, SENDER, World, account, silent
from tests.queues import delivery, logged, turn

BROKEN = SpoolBrokenError("nothing is written any more")


def lists_of(world):
    """Return the list of what the spool is asked to settle at a time, from now on."""
    lists = []
    settle = world.memory.settle

    def noted(settlements):
        lists.append([each.delivery.recipients[0].address for each in settlements])
        return settle(settlements)

    world.memory.settle = noted
    return lists


def goes_of(lane, monkeypatch):
    """Return the list to which each `go` of a lane that is told of what is durable is added."""
    goes = []
    settled = lane.settled

    def noted(settlements):
        goes.append(len(list(settlements)))
        settled(settlements)

    monkeypatch.setattr(lane, "settled", noted)
    return goes


def hand_in(world, count):
    """Hand in mail that gets no answer; return its attempts."""
    world.servers["A"] = silent
    for n in range(count):
        world.mail(f"r{n}@far.example")
    world.run(2)
    assert len(world.tries) == count
    return world.tries[:]


def test_what_ends_in_one_turn_is_one_list_and_its_lane_goes_on_once(monkeypatch):
    world = World(account("A", max_connections=5))
    tries = hand_in(world, 3)
    lists = lists_of(world)
    goes = goes_of(world.queue._lanes["A", ""], monkeypatch)
    for each in tries:
        each.end()
    assert lists == []
    world.run(1)
    assert lists == [["r0@far.example", "r1@far.example", "r2@far.example"]]
    assert goes == [3]
    assert world.waiting == []


def test_one_that_is_not_recorded_is_tried_again_alone_and_the_others_go_on(monkeypatch):
    world = World(account("A", max_connections=5))
    tries = hand_in(world, 3)
    goes = goes_of(world.queue._lanes["A", ""], monkeypatch)
    settle = world.memory._settle
    fault = SpoolError("the disk has a fault")

    def fails_once(settlement):
        if settlement.delivery == tries[1].delivery and fault not in met:
            met.append(fault)
            raise fault
        return settle(settlement)

    met = []
    world.memory._settle = fails_once
    lists = lists_of(world)
    with logged() as log:
        for each in tries:
            each.end()
        world.run(5)
        assert [each.recipients[0].address for each in world.waiting] == ["r1@far.example"]
        assert goes == [2]
        world.run(10)
        queue_id = tries[1].delivery.message.id
        assert log.texts() == [
            f"{queue_id}: delivery result not recorded in the spool; retrying every 10 s"
        ]
        assert log.failures(SpoolError) == 1
    assert lists[1:] == [["r1@far.example"]]
    assert goes == [2, 1]
    assert world.waiting == []


def test_what_is_reported_joins_the_list_when_its_report_is_ready():
    world = World(account("A", max_connections=5))
    tries = hand_in(world, 3)
    lists = lists_of(world)
    tries[0].end(Verdict.FAILED)
    tries[1].end()
    world.run(0)
    assert sorted(lists[0]) == ["r0@far.example", "r1@far.example"]
    world.servers.clear()
    world.run(10)
    assert [each.recipients for each in world.sent] == [(SENDER,)]


def test_a_stop_waits_for_the_list_that_is_being_written():
    world = World(account("A", max_connections=5))
    tries = hand_in(world, 3)
    for each in tries[:2]:
        each.end()
    turn(world.clock)  # it is with the spool, whose answer comes later
    stopped = []
    world.queue.stopService().addCallback(stopped.append)
    assert stopped == []
    tries[2].end()  # that has its own list
    assert stopped == []
    world.run(1)
    assert len(stopped) == 1
    assert world.waiting == []


def test_a_list_of_which_nothing_is_written_any_more_halts_the_queue_and_the_stop_comes_to_an_end():
    world = World(account("A", max_connections=5))
    tries = hand_in(world, 3)
    world.disk.fault = BROKEN
    with logged() as log:
        for each in tries[:2]:
            each.end()
        world.run(DAY)
    assert log.texts() == []
    world.mail().addErrback(lambda _: None)
    world.run(DAY)
    assert len(world.tries) == 3
    stopped = []
    world.queue.stopService().addCallback(stopped.append)
    tries[2].end()
    world.run(1)
    assert len(stopped) == 1
    assert len(world.waiting) == 3


def test_a_lane_with_a_bug_keeps_no_other_from_going_on(monkeypatch):
    world = World(account("A", recipients="*@far.example"), account("B"))
    world.servers.update(A=silent, B=silent)
    for recipient in ("r@far.example", "r@near.example"):
        world.mail(recipient)
    world.run(2)
    lane = world.queue._lanes["A", ""]
    lane._agenda.add(delivery(1, due=world.clock.seconds() + 5))
    monkeypatch.setattr(lane, "_go", Mock(side_effect=RuntimeError("a bug")))
    with logged() as log:
        for each in world.tries:
            each.end()
        world.run(1)
        assert log.failures(RuntimeError) >= 1
        texts = set(log.texts())
    assert texts == {"internal error in the lane of A (a bug); traceback follows"}
    assert world.waiting == []
    assert not world.queue._lanes["B", ""]._unsettled
