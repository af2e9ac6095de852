from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from multisendcon_plugin.errors import SpoolFullError
from multisendcon_plugin.events import Publisher, SpoolFull, SpoolHasRoom
from multisendcon_plugin.queue.fullness import FULL_FOR
from multisendcon_plugin.queue.room import QUIET, Room
from tests.queue_world import World
from tests.queues import collected

FULL = SpoolFullError("the disk is full")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


@pytest.fixture
def room(clock, told):
    events = Publisher()
    for kind in (SpoolFull, SpoolHasRoom):
        events.subscribe(kind, told.append)
    return Room(clock, events)


def test_that_there_is_no_room_is_told_once_until_a_mail_is_stored(room, told, clock):
    for _ in range(3):
        room.refused(FULL)
        assert room.full
        clock.advance(FULL_FOR)
        assert not room.full
    room.made()
    assert told == [SpoolFull("the disk is full")]
    room.has_some()
    room.has_some()
    assert told[1:] == [SpoolHasRoom()]
    room.refused(FULL)
    assert told[2:] == [SpoolFull("the disk is full")]


def test_it_is_over_when_nobody_has_asked_for_long(room, told, clock):
    room.refused(FULL)
    clock.advance(QUIET - 1)
    room.refused(FULL)
    clock.advance(QUIET - 1)
    assert len(told) == 1
    clock.advance(1)
    assert told[1:] == [SpoolHasRoom()]
    assert clock.getDelayedCalls() == []


def test_nothing_is_waited_for_at_the_end(room, told, clock):
    room.refused(FULL)
    room.stop()
    clock.advance(QUIET)
    assert len(told) == 1


def test_the_queue_tells_that_the_spool_is_full_and_has_room_again():
    world = World()
    told = collected(world.events, SpoolFull, SpoolHasRoom)
    world.disk.capacity = 0
    world.mail().addErrback(lambda failure: failure.trap(SpoolFullError))
    world.run(1)
    world.disk.capacity = None
    world.mail()
    world.run(1)
    assert [type(each) for each in told] == [SpoolFull, SpoolHasRoom]
