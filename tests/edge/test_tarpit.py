"""When a session that is only refused becomes slow, and when it ends."""

from __future__ import annotations

import pytest

from multisendcon_plugin.edge import replies
from multisendcon_plugin.edge.tarpit import (
    MOST_REFUSALS,
    REFUSED_AT_ONCE,
    WAIT_OF_REFUSALS,
    Tarpit,
)


def test_the_last_error_that_may_be_ends_the_session():
    tarpit = Tarpit()
    assert [tarpit.error(3) for _ in range(2)] == [None, None]
    assert tarpit.error(3) == (replies.TOO_MANY_ERRORS, "max_errors (3) reached")
    assert tarpit.wait == 0.0


@pytest.mark.parametrize("at_a_time", [1, 7])
def test_refusals_become_slow_and_end_the_session(at_a_time):
    tarpit = Tarpit()
    waits = {}
    ending = None
    while not ending:
        ending = tarpit.refusal(at_a_time)
        waits[tarpit.refusals] = tarpit.wait
    last = max(waits)
    assert list(waits) == list(range(at_a_time, last + 1, at_a_time))
    assert MOST_REFUSALS <= last < MOST_REFUSALS + at_a_time
    assert ending[0] == replies.TOO_MANY_REFUSALS
    assert {wait for count, wait in waits.items() if count <= REFUSED_AT_ONCE} == {0.0}
    assert {wait for count, wait in waits.items() if count > REFUSED_AT_ONCE} == {WAIT_OF_REFUSALS}


def test_a_mail_that_is_taken_begins_it_anew():
    tarpit = Tarpit()
    tarpit.refusal(MOST_REFUSALS - 1)
    tarpit.errors = tarpit.refusals = 0
    assert tarpit.refusal(1) is None
    assert tarpit.wait == 0.0
