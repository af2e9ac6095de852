"""The reactor's timers and a wall clock that somebody sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.selectreactor import SelectReactor

from multisendcon_plugin import make_steady
from multisendcon_plugin.daemon import clock

HOUR, DAY = 3600.0, 86400.0


class Clocks:
    """A reactor, which never runs, between a clock on the wall and one that nobody can set."""

    def __init__(self):
        self.wall, self.monotonic = 1_700_000_000.0, 55.0
        self.reactor = SelectReactor()
        make_steady(self.reactor, wall=lambda: self.wall, monotonic=lambda: self.monotonic)
        self.rung = []

    def ring_after(self, seconds):
        self.reactor.callLater(seconds, self.rung.append, seconds)

    def pass_time(self, seconds):
        self.wall += seconds
        self.monotonic += seconds
        self.reactor.runUntilCurrent()


@pytest.fixture
def clocks():
    clocks = Clocks()
    yield clocks
    clocks.reactor.removeAll()


def test_it_begins_with_the_time_on_the_wall(clocks):
    assert clocks.reactor.seconds() == 1_700_000_000.0
    clocks.pass_time(7.5)
    assert clocks.reactor.seconds() == 1_700_000_007.5


@pytest.mark.parametrize("jump", [-HOUR, HOUR, DAY, 400 * DAY])
def test_timers_ring_in_time_however_the_clock_is_set(clocks, jump):
    clocks.ring_after(10.0)
    clocks.wall += jump
    clocks.pass_time(9.5)
    assert clocks.rung == []
    assert clocks.reactor.timeout() == pytest.approx(0.5)
    clocks.pass_time(0.5)
    assert clocks.rung == [10.0]
    clocks.wall -= jump
    clocks.ring_after(1.0)
    clocks.pass_time(1.0)
    assert clocks.rung == [10.0, 1.0]


def test_all_processes_know_the_start_of_the_machine_by_the_same_name():
    name, since = clock.since_boot()
    again, later = clock.since_boot()
    assert name == again
    assert later >= since > 0


def test_where_the_system_does_not_say_nobody_knows_the_start_of_the_machine(monkeypatch):
    def read_text(*_):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", read_text)
    assert clock._boot.__wrapped__() == ""
