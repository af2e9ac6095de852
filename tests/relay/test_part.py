"""A limit on connections within a greater one."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from multisendcon_plugin.relay.budget import PROMPT, ConnectionBudget
from multisendcon_plugin.relay.part import PartOfBudget


def budgets(*, part, whole):
    clock = Clock()
    outer = ConnectionBudget(whole, clock)
    return clock, outer, PartOfBudget(part, outer, clock)


def taken(budget, count, server="mx"):
    slots = []
    waiting = [budget.take(server).addCallback(slots.append) for _ in range(count)]
    return slots, waiting


def test_both_limits_hold():
    _, outer, part = budgets(part=3, whole=2)
    slots, _ = taken(part, 5)
    assert len(slots) == 2
    outer.resize(10)
    assert len(slots) == 3
    part.resize(4)
    assert len(slots) == 4


def test_what_is_given_back_is_free_in_both():
    _, outer, part = budgets(part=1, whole=1)
    slots, _ = taken(part, 1)
    others, _ = taken(outer, 1)
    part.give_back(slots[0])
    assert len(others) == 1
    outer.give_back(others[0])
    again, _ = taken(part, 1)
    assert len(again) == 1


def test_an_idle_connection_makes_room_for_one_of_the_same_part():
    _, _, part = budgets(part=1, whole=10)
    [slot], _ = taken(part, 1)
    closed = []
    slot.close = lambda: (closed.append(slot), part.give_back(slot))
    part.ready(slot)
    part.idle(slot)
    slots, _ = taken(part, 1)
    assert (closed, len(slots)) == ([slot], 1)
    assert slot.leaving


def test_and_for_one_of_another():
    _, outer, part = budgets(part=5, whole=1)
    [slot], _ = taken(part, 1)
    slot.close = lambda: part.give_back(slot)
    part.ready(slot)
    part.idle(slot)
    others, _ = taken(outer, 1)
    assert len(others) == 1
    assert slot.leaving


def test_one_that_is_busy_again_does_not():
    _, _, part = budgets(part=1, whole=10)
    [slot], _ = taken(part, 1)
    slot.close = lambda: part.give_back(slot)
    part.ready(slot)
    part.idle(slot)
    part.busy(slot)
    slots, _ = taken(part, 1)
    assert slots == []


def test_one_that_is_slow_to_open_gives_way():
    clock, _, part = budgets(part=2, whole=10)
    slots, _ = taken(part, 2, "slow")
    for each in slots:
        each.close = lambda each=each: part.give_back(each)
    good, _ = taken(part, 1, "good")
    clock.advance(PROMPT)
    assert len(good) == 1


def test_who_does_not_want_to_wait_any_more_leaves_nothing_behind():
    clock, outer, part = budgets(part=1, whole=1)
    [busy], _ = taken(outer, 1)
    slots, [waiting] = taken(part, 1)
    failed = []
    waiting.addErrback(lambda failure: failed.append(failure.check(CancelledError)))
    waiting.cancel()
    assert failed == [CancelledError]
    outer.give_back(busy)
    again, _ = taken(part, 1)
    assert (slots, len(again)) == ([], 1)
    assert clock.seconds() == 0
