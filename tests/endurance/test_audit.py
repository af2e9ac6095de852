"""The audit of `tests.endurance` finds what it looks for."""

from __future__ import annotations

import pytest

from tests.endurance.audit import Audit


def audit(accepted, **arrivals):
    return Audit(accepted=frozenset(accepted), arrivals=arrivals)


def test_what_was_accepted_and_has_not_arrived_is_lost():
    assert audit("ab", a=[1.0]).lost == {"b"}
    assert audit("ab", a=[1.0], b=[1.0]).lost == set()


def test_what_has_arrived_without_being_accepted_is_no_loss():
    assert audit("", a=[1.0]).lost == set()


@pytest.mark.parametrize(
    ("times", "by_moment"),
    [
        ([5.0], [0, 0]),
        ([5.0, 15.0], [1, 0]),
        ([15.0, 5.0], [1, 0]),
        ([5.0, 25.0], [1, 0]),
        ([15.0, 25.0], [0, 1]),
        ([5.0, 15.0, 25.0], [1, 1]),
        ([5.0, 6.0, 7.0], [2, 0]),
        ([25.0, 26.0], [0, 0]),
    ],
)
def test_a_duplicate_is_of_the_first_moment_after_the_earlier_arrival(times, by_moment):
    found = audit("a", a=times)

    assert found.duplicates == len(times) - 1
    assert found.duplicates_of([10.0, 20.0]) == by_moment


def test_a_loss_is_a_violation():
    assert list(audit("a", a=[1.0]).violations()) == []
    assert list(audit("ab", a=[1.0]).violations()) == ["1 mails are lost, such as the one to b"]
