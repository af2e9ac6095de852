"""What is put off until the turn is over, and in what order it is done."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock
from twisted.logger import LogLevel

from multisendcon_plugin.daemon.dispatch import dispatch_directly
from multisendcon_plugin.turn import Turn
from tests.queues import logged


class TimedTurns:
    """A clock, by whose timers turns end."""

    def __init__(self):
        self.clock = Clock()
        self.later = self.clock.callLater

    def go_round(self):
        self.clock.advance(0)

    def timers(self):
        return len(self.clock.getDelayedCalls())

    def close(self):
        pass


class ReactorsTurns:
    """A reactor that ends them itself."""

    def __init__(self):
        self.clock = EPollReactor()
        dispatch_directly(self.clock)
        self.later = self.clock.callLater

    def go_round(self):
        self.clock.runUntilCurrent()
        self.clock.doIteration(0)

    def timers(self):
        return len(self.clock.getDelayedCalls())

    def close(self):
        for each in self.clock.removeAll():
            each.connectionLost(None)
        self.clock._poller.close()


@pytest.fixture(params=[TimedTurns, ReactorsTurns])
def turns(request):
    made = request.param()
    yield made
    made.close()


def test_what_is_put_off_is_done_in_order_when_the_turn_is_over(turns):
    done = []
    turn = Turn.of(turns.clock)
    turn.at_end(lambda: done.append("first"))
    turn.at_end(lambda: done.append("second"))
    assert done == []
    turns.go_round()
    assert done == ["first", "second"]
    turns.go_round()
    assert done == ["first", "second"]


def test_what_is_put_off_meanwhile_follows_in_the_same_turn(turns):
    done = []
    turn = Turn.of(turns.clock)

    def put_off_more():
        done.append("first")
        turn.at_end(lambda: done.append("third"))

    turn.at_end(put_off_more)
    turn.at_end(lambda: done.append("second"))
    turns.go_round()
    assert done == ["first", "second", "third"]


def test_one_that_fails_harms_no_other(turns):
    done = []
    turn = Turn.of(turns.clock)
    turn.at_end(lambda: 1 / 0)
    turn.at_end(lambda: done.append("second"))
    with logged() as log:
        turns.go_round()
    assert done == ["second"]
    (text,) = log.texts(LogLevel.critical)
    assert text.startswith("internal error at the end of a turn")


def test_what_a_timer_puts_off_is_done_in_its_turn(turns):
    done = []
    turns.later(0, lambda: Turn.of(turns.clock).at_end(lambda: done.append("put off")))
    turn = Turn.of(turns.clock)
    for _ in range(2):  # by a timer of its own in the second
        turns.go_round()
    assert done == ["put off"]
    assert turn.put_off == []


def test_the_reactor_does_not_sleep_before_it_knows_the_timers_of_a_turn():
    reactor, slept = EPollReactor(), []
    real = reactor._poller
    reactor._poller = SimpleNamespace(poll=lambda timeout, most: slept.append(timeout) or ())
    dispatch_directly(reactor)
    Turn.of(reactor).at_end(lambda: None)
    for _ in range(2):
        reactor.doIteration(60.0)
    assert slept == [0.0, 60.0]
    for each in reactor.removeAll():
        each.connectionLost(None)
    real.close()


def test_one_timer_serves_all_that_is_put_off_and_none_where_the_reactor_does():
    timed, driven = TimedTurns(), ReactorsTurns()
    for turns, timers in ((timed, 1), (driven, 0)):
        before = turns.timers()
        for _ in range(3):
            Turn.of(turns.clock).at_end(lambda: None)
        assert turns.timers() - before == timers
    driven.close()


def test_all_who_have_the_same_clock_share_it_and_no_clock_is_kept_alive_by_it():
    clock = Clock()
    turn = Turn.of(clock)
    assert Turn.of(clock) is turn
    assert Turn.of(Clock()) is not turn
    # What waits for the clock has the turn, as everything has that puts something off.
    clock.callLater(60, turn.at_end, print)
    known = weakref.ref(clock)
    del clock, turn
    gc.collect()
    assert known() is None
