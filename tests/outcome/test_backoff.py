from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.outcome.backoff import rest, retry_pause

jitters = st.floats(0, 1)
schedules = st.lists(st.floats(1, 1e6), min_size=1).map(tuple)


@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 60.0), (2, 300.0), (3, 900.0), (4, 900.0), (10**6, 900.0)]
)
def test_the_schedule_is_followed_and_its_last_pause_repeats(failures, pause):
    assert retry_pause((60.0, 300.0, 900.0), failures, 0.0) == pause


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        (1, 30.0),
        (2, 60.0),
        (3, 120.0),
        (7, 1920.0),
        (8, 3600.0),
        (9, 3600.0),
        (10**6, 3600.0),
    ],
)
def test_an_account_rests_twice_as_long_each_time_up_to_an_hour(failures, seconds):
    assert rest(failures, 0.0) == seconds


def test_full_jitter_is_ten_percent():
    assert retry_pause((60.0,), 1, 1.0) == pytest.approx(66.0)
    assert rest(1, 1.0) == pytest.approx(33.0)


@given(schedules, st.integers(1, 1000), jitters)
def test_a_pause_is_never_shortened_and_lengthened_by_ten_percent_at_most(
    schedule, failures, jitter
):
    pause = retry_pause(schedule, failures, 0.0)
    assert pause in schedule
    assert pause <= retry_pause(schedule, failures, jitter) <= pause * 1.1


@given(st.integers(1, 10**9), jitters)
def test_a_rest_is_never_shortened_and_never_shrinks(failures, jitter):
    assert rest(failures, 0.0) <= rest(failures, jitter) <= rest(failures, 0.0) * 1.1
    assert rest(failures, jitter) <= rest(failures + 1, jitter)
