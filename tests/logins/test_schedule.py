"""Tokens are renewed before a session could get one too old, and nobody is asked too often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.logins import schedule

JITTER = st.floats(0, 1)
LIFE = st.floats(0.001, 10**8)


@given(LIFE, JITTER)
def test_it_is_renewed_after_it_came_and_before_a_session_has_to_wait(life, jitter):
    ahead = schedule.ahead(life, jitter)
    assert schedule.margin(life) <= ahead < life
    assert ahead <= 1.25 * schedule.margin(life)


@pytest.mark.parametrize(("life", "margin"), [(60, 20), (1199, 1199 / 3), (1200, 660), (-1, 0)])
def test_short_lives_are_renewed_at_two_thirds(life, margin):
    assert schedule.margin(life) == margin


@given(st.integers(1, 10**6), st.none() | st.floats(0, 3600), JITTER)
def test_pauses_grow_to_some_minutes_and_never_undercut_a_provider(failures, wanted, jitter):
    pause = schedule.pause(failures, wanted, jitter)
    assert pause >= (wanted or 0)
    assert 5 <= pause <= 1.25 * max(300, wanted or 0)
    assert schedule.pause(failures + 1, wanted, jitter) >= pause


@given(JITTER)
def test_idle_ones_are_used_every_few_days(jitter):
    assert 2 * 86400 < schedule.idle_after(jitter) <= 3 * 86400
