"""The table of a queue is counted once for all who look at it, and anew for who has changed it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.operations.counted_ages import CountedAges
from multisendcon_plugin.operations.survey import GOOD_FOR, LEFT_BY_COUNTS
from multisendcon_plugin.operations.values import Chosen, Deletion
from tests.operations.desk import Desk


class World:
    """A queue that is counted when the test says so.

    :ivar counts: those that were begun.
    """

    def __init__(self):
        self.clock = Clock()
        self.counts = []
        self.ages = CountedAges(self.count, self.clock)

    def count(self, _):
        self.counts.append(Deferred())
        return self.counts[-1]

    def ask(self):
        found = []
        self.ages.ask().addBoth(found.append)
        return found

    def told(self, total, place=-1):
        self.counts[place].callback({"Sales": (total, 0, 0, 0, 0, 0)})


def total(found):
    [rows] = found
    return sum(each.total for each in rows)


def test_all_who_ask_share_one_count():
    world = World()
    one, other = world.ask(), world.ask()
    world.told(3)
    assert total(one) == total(other) == total(world.ask()) == 3
    world.clock.advance(GOOD_FOR)
    world.ask()
    assert len(world.counts) == 2


def test_what_takes_long_to_count_is_counted_seldom():
    world = World()
    world.ask()
    world.clock.advance(0.5)
    world.told(3)
    world.clock.advance(LEFT_BY_COUNTS * 0.5 - 0.1)
    world.ask()
    assert len(world.counts) == 1
    world.clock.advance(0.2)
    world.ask()
    assert len(world.counts) == 2


@pytest.mark.parametrize("ended", [True, False])
def test_who_has_changed_the_queue_sees_it_as_it_is_now(ended):
    world = World()
    before = world.ask()
    if ended:
        world.told(3)
    world.ages.forget()
    after = world.ask()
    world.told(2)
    if not ended:
        world.told(3, 0)
    assert (total(before), total(after), total(world.ask())) == (3, 2, 2)
    assert len(world.counts) == 2


def test_a_count_that_fails_is_not_kept():
    world = World()
    one, other = world.ask(), world.ask()
    world.counts[0].errback(SpoolError("broken"))
    assert [one[0].type, other[0].type] == [SpoolError, SpoolError]
    again = world.ask()
    world.told(1)
    assert total(again) == 1


@pytest.mark.parametrize(("dry_run", "then"), [(True, 3), (False, 1)])
def test_only_a_change_has_the_queue_counted_anew(dry_run, then):
    desk = Desk()
    mails = [mail for _ in range(3) for mail in desk.mail()]
    assert total([desk.ask(desk.operations.ages())]) == 3
    desk.queue.delete([mails[0].number], notify=False)
    chosen = Chosen(ids=(mails[1].message.id,), dry_run=dry_run)
    desk.ask(desk.operations.delete(Deletion(chosen=chosen)))
    assert total([desk.ask(desk.operations.ages())]) == then
