from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.account import Account
from multisendcon_plugin.queue.pace import Pace
from tests.queues import CLOSED, LOGIN_REFUSED, attempt, delivery

NOW = 1000.0


def pace_of(mail_ended=None, **settings):
    return Pace(Account(name="A", server="smtp.a.example", **settings), mail_ended)


def ended(pace, now, *verdicts, number=1, jitter=0.0, **more):
    return pace.ended(number, attempt(delivery(number), *verdicts, **more), now=now, jitter=jitter)


def may_begin(pace, now):
    opens_at = pace.opens_at()
    return opens_at is not None and opens_at <= now


def test_a_new_account_may_begin_at_once():
    assert may_begin(pace_of(), 0.0)


@pytest.mark.parametrize("connections", [1, 2, 5])
def test_without_a_wait_as_many_mails_as_connections_are_under_way(connections):
    pace = pace_of(max_connections=connections)
    for _ in range(connections):
        assert may_begin(pace, NOW)
        pace.begun()
    assert pace.opens_at() is None
    ended(pace, NOW, mail_ended=NOW)
    assert may_begin(pace, NOW)


def test_with_a_wait_one_mail_at_a_time_whatever_the_connections():
    pace = pace_of(minimum_wait=5.0, max_connections=10)
    pace.begun()
    assert pace.opens_at() is None


def test_the_wait_runs_from_the_end_of_a_mail():
    pace = pace_of(minimum_wait=5.0)
    pace.begun()
    ended(pace, NOW + 1, mail_ended=NOW)
    assert pace.opens_at() == NOW + 5


def test_an_attempt_that_began_no_mail_does_not_lengthen_the_wait():
    pace = pace_of(mail_ended=NOW, minimum_wait=5.0)
    pace.begun()
    ended(pace, NOW + 3, mail_ended=None)
    assert pace.opens_at() == NOW + 5


def test_a_mail_that_ended_in_an_account_fault_needs_the_wait_too():
    pace = pace_of(minimum_wait=500.0)
    pace.begun()
    ended(pace, NOW, mail_ended=NOW, fault=CLOSED)
    assert pace.opens_at() == NOW + 500


def test_the_end_of_the_last_mail_before_a_restart_counts():
    assert pace_of(mail_ended=NOW, minimum_wait=60.0).opens_at() == NOW + 60


def test_rests_double_from_half_a_minute_to_an_hour():
    pace, now, rests = pace_of(), NOW, []
    for _ in range(10):
        pace.begun()
        ended(pace, now, fault=LOGIN_REFUSED)
        rests.append(pace.opens_at() - now)
        now = pace.opens_at()
    assert rests == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert pace.opens_at() == now


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_jitter_only_lengthens_a_rest(jitters):
    pace, now = pace_of(), NOW
    for n, jitter in enumerate(jitters):
        pace.begun()
        ended(pace, now, fault=CLOSED, jitter=jitter)
        least = min(30 * 2**n, 3600)
        assert least - 1e-6 <= pace.opens_at() - now <= least * 1.1 + 1e-6
        now = pace.opens_at()


def test_sessions_that_break_together_are_one_fault():
    pace = pace_of(max_connections=3)
    for _ in range(3):
        pace.begun()
    for n in range(3):
        ended(pace, NOW + n, fault=CLOSED)
    assert pace.opens_at() == NOW + 30


def test_an_account_at_fault_is_probed_by_one_mail():
    pace = pace_of(max_connections=3)
    pace.begun()
    ended(pace, NOW, fault=CLOSED)
    assert pace.fault is CLOSED
    assert not may_begin(pace, NOW + 29)
    assert may_begin(pace, NOW + 30)
    pace.begun()
    assert pace.opens_at() is None


def test_no_probe_while_a_mail_from_before_the_fault_is_under_way():
    pace = pace_of(max_connections=2)
    pace.begun()
    pace.begun()
    ended(pace, NOW, fault=CLOSED)
    assert pace.opens_at() is None


def test_a_probe_that_fails_lengthens_the_rest_and_one_that_succeeds_ends_it():
    pace = pace_of(max_connections=2)
    pace.begun()
    ended(pace, NOW, fault=CLOSED)
    pace.begun()
    ended(pace, NOW + 30, fault=LOGIN_REFUSED)
    assert pace.fault is LOGIN_REFUSED
    assert pace.opens_at() == NOW + 90
    pace.begun()
    ended(pace, NOW + 90, mail_ended=NOW + 90)
    assert pace.fault is None
    assert may_begin(pace, NOW + 90)
    pace.begun()
    assert may_begin(pace, NOW + 90)


def test_a_mail_that_succeeds_while_the_account_rests_ends_the_rest():
    pace = pace_of(max_connections=2)
    pace.begun()
    pace.begun()
    ended(pace, NOW, fault=CLOSED)
    ended(pace, NOW + 1, mail_ended=NOW + 1)
    assert may_begin(pace, NOW + 1)


def test_after_a_recovery_rests_begin_small_again():
    pace = pace_of()
    for now, fault in ((NOW, CLOSED), (NOW + 30, CLOSED), (NOW + 90, None), (NOW + 91, CLOSED)):
        pace.begun()
        ended(pace, now, fault=fault)
    assert pace.opens_at() == NOW + 91 + 30


class _Server:
    """Takes each mail some seconds after the pace allows it."""

    def __init__(self, pace, now):
        self.pace, self.now = pace, now
        self.mails = []

    def mail(self, later, lasts, fault):
        began = max(self.now, self.pace.opens_at()) + later
        self.pace.begun()
        assert self.pace.opens_at() is None
        self.now = began + lasts
        self.mails.append((began, self.now))
        ended(self.pace, self.now, mail_ended=self.now, fault=fault)


@given(
    wait=st.floats(0.1, 100),
    mails=st.lists(
        st.tuples(st.floats(0, 50), st.floats(0, 50), st.sampled_from([None, CLOSED])), min_size=2
    ),
)
def test_between_two_mails_there_is_always_the_minimum_wait(wait, mails):
    server = _Server(pace_of(minimum_wait=wait), NOW)
    for mail in mails:
        server.mail(*mail)
    for (_, end), (begin, _) in itertools.pairwise(server.mails):
        assert begin - end >= wait - 1e-9


def test_after_a_fault_the_connections_come_back_by_doubling():
    pace = pace_of(max_connections=10)
    pace.begun()
    ended(pace, NOW, fault=CLOSED)
    now = NOW + 100
    rounds = []
    for _ in range(6):
        begun = 0
        while may_begin(pace, now):
            pace.begun()
            begun += 1
        for _ in range(begun):
            ended(pace, now, mail_ended=now)
        rounds.append(begun)
    assert rounds == [1, 2, 4, 8, 10, 10]
