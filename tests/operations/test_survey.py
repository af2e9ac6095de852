"""Looks at all accounts: in steps, for all who ask, and no more often than is good for the mail."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.selection import Total
from multisendcon_plugin.operations.survey import (
    COUNTED_WITHIN,
    FOUND_WITHIN,
    GOOD_FOR,
    LEFT,
    STEP,
    Survey,
)
from multisendcon_plugin.outcome.condition import Condition, State
from multisendcon_plugin.routing.registry import AccountRegistry
from tests.queue_world import account

TOTALS = {"A0": Total(1, 0, 5.0)}


class World:
    """A survey of so many accounts, each of which takes so many seconds."""

    def __init__(self, count=3, seconds=0.0):
        self.clock = Clock()
        self.seconds = seconds
        self.steps = []
        self.counts = 0
        self.total = lambda: succeed(TOTALS)
        self.registry = self.accounts(count)
        self.survey = Survey(lambda: self.registry, self.conditions, self.count, self.clock)

    def accounts(self, count):
        return AccountRegistry([account(f"A{n}") for n in range(count)])

    def conditions(self, accounts):
        self.steps.append(len(accounts))
        self.clock.rightNow += self.seconds * len(accounts)
        return [Condition(account=each.name, state=State.OK) for each in accounts]

    def count(self):
        self.counts += 1
        return self.total()

    def look(self):
        found = []
        self.survey.look().addCallback(found.append)
        return found


def test_what_was_found_is_good_for_a_second_and_for_all_who_ask():
    world = World()
    [first] = world.look()
    assert first.totals == TOTALS
    assert world.look() == [first]
    world.clock.advance(GOOD_FOR)
    assert world.look() != [first]
    assert (len(world.steps), world.counts) == (2, 2)


def test_thousands_are_looked_at_in_steps():
    world = World(2 * STEP + 1)
    one, other = world.look(), world.look()
    assert (one, world.steps) == ([], [STEP])
    world.clock.pump([0, 0])
    assert world.steps == [STEP, STEP, 1]
    assert one == other
    assert len(one[0].conditions) == 2 * STEP + 1


def test_what_takes_long_is_done_seldom():
    world = World(100, seconds=0.001)
    [first] = world.look()
    world.clock.advance(LEFT * 0.1 - 0.01)
    assert world.look() == [first]
    world.clock.advance(0.02)
    assert world.look() != [first]


def test_other_accounts_are_looked_at_anew():
    world = World(STEP + 1)
    found = world.look()
    world.registry = world.accounts(2)
    world.clock.pump([0, 0])
    assert [each.account for each in found[0].conditions] == ["A0", "A1"]
    world.registry = world.accounts(1)
    assert len(world.look()[0].conditions) == 1


def test_nobody_waits_for_long_until_all_is_counted():
    world = World()
    counting = Deferred()
    world.total = lambda: counting
    found = world.look()
    assert found == []
    world.clock.advance(COUNTED_WITHIN)
    assert found[0].totals is None
    counting.callback(TOTALS)
    world.clock.advance(GOOD_FOR)
    assert world.look()[0].totals == TOTALS
    assert world.counts == 1


def test_a_spool_that_cannot_be_counted_leaves_what_was_known():
    world = World()
    world.look()

    def fail():
        raise SpoolError("broken")

    world.total = fail
    world.clock.advance(2 * GOOD_FOR)
    assert world.look()[0].totals == TOTALS


def test_while_a_look_takes_long_the_one_before_is_told():
    world = World(STEP + 1)
    world.look()
    world.clock.pump([0, GOOD_FOR])
    counting = Deferred()
    world.total = lambda: counting
    steps = len(world.steps)
    found = world.look()
    assert (found, len(world.steps)) == ([], steps + 1)
    # The reactor has no time for the next step.
    world.clock.calls = [each for each in world.clock.calls if each.time > world.clock.rightNow]
    world.clock.advance(FOUND_WITHIN)
    assert len(found) == 1
    assert len(world.steps) == steps + 1
    assert world.clock.getDelayedCalls() == []
