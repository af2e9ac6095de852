"""Quotas in the eyes of the provider, in short: see `tests.endurance.quotas`."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.settings.quota import Counted, Quota
from tests.endurance.quotas import Plan, fullest, play, used

SHORT = [
    Plan(quota="20 mails/2s", windows=5, kills=1),
    Plan(quota="100 recipients/2s", windows=5, accounts=2, sizes=(130, 1, 30), kills=1),
]


@pytest.mark.parametrize("plan", SHORT, ids=lambda plan: plan.quota)
def test_no_window_of_the_provider_holds_more(tmp_path, plan):
    seed = random.randrange(10**6)
    print("seed:", seed)
    found = list(play(tmp_path, plan, random.Random(seed)))
    # How much is used says something on a quiet machine only, and over more windows.
    assert [each for each in found if " was used" not in each] == []


@given(st.lists(st.integers(0, 50), max_size=30).map(sorted), st.integers(1, 10))
def test_the_fullest_window_is_found(moments, length):
    windows = [[at for at in moments if begin <= at < begin + length] for begin in range(51)]
    assert fullest(moments, length) == max(map(len, windows))


def test_what_is_used_is_counted_by_full_windows():
    quota = Quota(2, Counted.MAILS, 10.0)
    assert used([0, 1, 10, 11, 20], quota) == 1
    assert used([0, 1, 15, 16, 25], quota) == pytest.approx(20 / 25)
    assert str(used([0, 1], quota)) == "nan"
