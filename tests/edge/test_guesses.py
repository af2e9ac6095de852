"""How long wrong logins wait for their replies."""

from __future__ import annotations

import pytest

from multisendcon_plugin.edge.guesses import (
    FORGOTTEN_AFTER,
    LONGEST_PAUSE,
    MOST_ADDRESSES,
    PAUSE,
    Guesses,
)


def test_the_pause_grows_with_each_three_and_not_for_ever():
    guesses = Guesses()
    pauses = [guesses.wrong("a", 0.0) for _ in range(10_000)]
    assert pauses[:12] == [3, 3, 3, 6, 6, 6, 12, 12, 12, 15, 15, 15]
    assert set(pauses[12:]) == {LONGEST_PAUSE}


def test_each_address_is_counted_alone():
    guesses = Guesses()
    for _ in range(20):
        guesses.wrong("a", 0.0)
    assert guesses.wrong("b", 0.0) == PAUSE


@pytest.mark.parametrize(
    ("minutes", "pause"), [(0, 12), (0.5, 6), (1, 6), (3, 6), (3.5, 3), (6, 3), (1000, 3)]
)
def test_one_is_forgotten_each_minute(minutes, pause):
    guesses = Guesses()
    for _ in range(6):
        guesses.wrong("a", 0.0)
    assert guesses.wrong("a", minutes * FORGOTTEN_AFTER) == pause


def test_no_number_of_addresses_takes_more_room():
    guesses = Guesses()
    for _ in range(4):
        guesses.wrong("early and quiet", 0.0)
    for n in range(2 * MOST_ADDRESSES):
        guesses.wrong(n, 1.0)
        if n % 1000 == 0:
            guesses.wrong("busy", 1.0)
    assert len(guesses._wrong) == MOST_ADDRESSES
    assert guesses.wrong("early and quiet", 1.0) == PAUSE
    assert guesses.wrong("busy", 1.0) == LONGEST_PAUSE
