from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.queue.succession import predecessors
from multisendcon_plugin.routing.account import Account


def account(name, server, **more):
    return Account(name=name, server=server, **more)


A, B, C = (account(name, f"{name}.example") for name in "abc")


@pytest.mark.parametrize(
    ("after", "places"),
    [
        ([A, B, C], {"a": 0, "b": 1, "c": 2}),
        ([C, A], {"c": 2, "a": 0}),
        ([attrs.evolve(A, password="x", minimum_wait=5.0)], {"a": 0}),
        ([attrs.evolve(A, name="z")], {"z": 0}),
        ([attrs.evolve(A, name="b"), attrs.evolve(B, name="a")], {"b": 0, "a": 1}),
        ([attrs.evolve(A, server="new.example")], {}),
        ([attrs.evolve(A, name="z"), attrs.evolve(A, server="b.example")], {"z": 0, "a": 1}),
        ([account("z", "new.example")], {}),
        ([attrs.evolve(A, username="u")], {}),
    ],
)
def test_an_account_is_known_by_its_login_whatever_its_name_is(after, places):
    assert predecessors(after, [A, B, C]) == places


def test_of_two_with_one_login_the_one_that_was_there_last_has_the_right():
    gone, last = attrs.evolve(A, name="gone"), attrs.evolve(A, name="last")
    assert predecessors([attrs.evolve(A, name="z")], [gone, last]) == {"z": 1}


def test_those_with_one_login_keep_their_own_when_all_have_other_names():
    """As direct accounts that send from the same addresses."""
    slow, fast = (account(name, "", minimum_wait=wait) for name, wait in [("s", 5.0), ("f", 0.0)])
    renamed = [attrs.evolve(fast, name="quick"), attrs.evolve(slow, name="late")]
    assert predecessors(renamed, [slow, fast]) == {"quick": 1, "late": 0}


def test_and_if_all_else_differs_too_by_their_order():
    before = [account(name, "", minimum_wait=5.0) for name in "ab"]
    after = [account(name, "", minimum_wait=9.0) for name in "cd"]
    assert predecessors(after, before) == {"c": 0, "d": 1}
    assert predecessors(after[:1], before) == {"c": 1}


accounts = st.lists(
    st.builds(account, st.sampled_from("abcd"), st.sampled_from(["x", "y", "z"])), max_size=6
)


@given(accounts.map(lambda all_: list({each.name: each for each in all_}.values())), accounts)
def test_nobody_has_two_successors_and_what_is_the_same_is_found(after, before):
    places = predecessors(after, before)
    assert len(set(places.values())) == len(places)
    for each in after:
        if each in before:
            assert before[places[each.name]] == each
