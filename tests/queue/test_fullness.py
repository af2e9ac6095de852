from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from multisendcon_plugin.queue.fullness import FULL_FOR, Fullness


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def fullness(clock):
    return Fullness(clock.seconds)


def test_there_is_room_until_there_was_none(fullness):
    assert not fullness


def test_it_is_remembered_for_a_moment(fullness, clock):
    fullness.begin()
    assert fullness
    clock.advance(FULL_FOR - 0.01)
    assert fullness
    clock.advance(0.01)
    assert not fullness


def test_each_message_that_found_no_room_begins_the_moment_again(fullness, clock):
    fullness.begin()
    clock.advance(FULL_FOR - 1)
    fullness.begin()
    clock.advance(FULL_FOR - 1)
    assert fullness


def test_it_ends_when_something_has_made_room(fullness, clock):
    fullness.end()
    fullness.begin()
    fullness.end()
    assert not fullness
    fullness.begin()
    assert fullness
