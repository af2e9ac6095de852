"""Lines about clients that repeat each other, and how many more there were."""

from __future__ import annotations

import pytest

from multisendcon_plugin.edge.notices import IN_FULL, MINUTE, MOST_KEYS, OTHERS, Summary


def written(summary, key, number, now=0.0):
    return sum(summary.is_told(key, now) for _ in range(number))


def test_of_each_kind_some_lines_are_written_and_the_others_counted():
    summary = Summary()
    assert written(summary, "a", 4812 + IN_FULL) == IN_FULL
    assert written(summary, "b", IN_FULL + 1) == IN_FULL
    assert written(summary, "c", IN_FULL) == IN_FULL
    assert summary.take() == [("a", 4812), ("b", 1)]
    assert summary.take() == []


@pytest.mark.parametrize(("later", "more"), [(MINUTE - 1, 0), (MINUTE, IN_FULL)])
def test_after_a_minute_lines_are_written_again(later, more):
    summary = Summary()
    written(summary, "a", IN_FULL, now=5.0)
    assert written(summary, "a", IN_FULL, now=5.0 + later) == more


def test_what_was_counted_is_not_lost_when_nobody_has_asked_in_time():
    summary = Summary()
    written(summary, "a", IN_FULL + 1)
    assert written(summary, "a", 1, now=10 * MINUTE) == 0
    assert summary.take() == [("a", 2)]
    assert written(summary, "a", 1, now=10 * MINUTE) == 1


def test_no_number_of_addresses_takes_more_room():
    summary = Summary()
    total = sum(written(summary, n, 1) for n in range(100 * MOST_KEYS))
    assert total == MOST_KEYS + IN_FULL
    assert len(summary._counts) == MOST_KEYS + 1
    assert summary.take() == [(OTHERS, 99 * MOST_KEYS - IN_FULL)]
