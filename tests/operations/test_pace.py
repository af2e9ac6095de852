"""A long queue is gone through at a pace that leaves the mail its time."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.events import AttemptEnded, MailAccepted
from multisendcon_plugin.operations.pace import LEFT, LEFT_BY_CHANGES, LEFT_BY_FEW, LONGEST_PAUSE
from multisendcon_plugin.operations.pieces import PIECE
from multisendcon_plugin.operations.values import Chosen, Filter
from multisendcon_plugin.outcome.judgement import Judgement
from tests.operations.desk import Desk
from tests.queues import NOW, attempt, delivery

ONE = delivery(1)
PASSES = [
    MailAccepted((ONE,)),
    AttemptEnded(ONE, attempt(ONE), Judgement(remaining=None), NOW),
]


class Long(Desk):
    """A listing that has got some pieces, each of which took some milliseconds."""

    def __init__(self, limit=None):
        super().__init__()
        for _ in range(2 * PIECE + 1):
            self.mail()
        self.listing = self.operations.listing(Filter(), limit)
        self.rows = 0

    def read_on(self):
        """Ask for a piece; it comes at once, or later."""
        self.rows = 0
        Deferred.fromCoroutine(anext(self.listing, ())).addCallback(self._got)

    def _got(self, piece):
        self.rows = len(piece)


@pytest.mark.parametrize("event", PASSES)
@pytest.mark.parametrize(("limit", "left"), [(None, LEFT), (2 * PIECE, LEFT_BY_FEW)])
def test_mail_that_passes_meanwhile_gets_most_of_the_time(event, limit, left):
    desk = Long(limit)
    desk.read_on()
    assert desk.rows == PIECE
    desk.clock.advance(0.01)
    desk.events.publish(event)
    desk.read_on()
    desk.clock.advance(0.01 * left - 0.001)
    assert desk.rows == 0
    desk.clock.advance(0.002)
    assert desk.rows == PIECE


def test_a_listing_ends_however_fast_mail_comes_meanwhile():
    desk = Long()
    listed = []
    for _ in range(10):
        desk.read_on()
        if not desk.rows:
            break
        listed.append(desk.rows)
        for _ in range(PIECE + 1):
            desk.mail()
    assert listed == [PIECE, PIECE, 1]


def test_while_none_passes_it_goes_on_at_once():
    desk = Long()
    for rows in (PIECE, PIECE, 1):
        desk.read_on()
        assert desk.rows == rows
        desk.clock.advance(0.01)


def test_a_client_that_reads_slowly_does_not_wait_for_long():
    desk = Long()
    desk.read_on()
    desk.clock.advance(1000)
    desk.events.publish(PASSES[0])
    desk.read_on()
    desk.clock.advance(LONGEST_PAUSE)
    assert desk.rows == PIECE


def test_nothing_is_left_of_a_listing_that_ends():
    desk = Long()
    desk.read_on()
    desk.ask(desk.listing.aclose())
    assert not any(desk.events._subscribers[type(event)] for event in PASSES)
    assert desk.clock.getDelayedCalls() == []


def test_a_change_of_the_queue_takes_half_of_the_time():
    desk = Long()
    find = desk.spool.find

    def slowly(*asked):
        desk.clock.rightNow += 0.01
        desk.events.publish(PASSES[0])
        return find(*asked)

    desk.spool.find = slowly
    chosen = Chosen(filter=Filter(account="Sales"), dry_run=True)
    done = []
    Deferred.fromCoroutine(desk.operations.hold(chosen)).addCallback(done.append)
    for _ in range(2):
        assert done == []
        desk.clock.advance(0.01 * LEFT_BY_CHANGES)
    assert [each.changed for each in done] == [2 * PIECE + 1]
