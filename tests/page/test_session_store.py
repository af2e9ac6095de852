"""The sessions of those who have signed in: how long they last, and how many there are."""

from __future__ import annotations

from twisted.internet.task import Clock

from multisendcon_plugin.page import sessions
from multisendcon_plugin.page.sessions import IDLE, LONGEST, Sessions
from tests.page.house import admin


def test_numbers_and_tokens_are_never_the_same():
    store = Sessions(Clock())
    some = [store.begin(admin("ann")) for _ in range(100)]
    assert len({each.number for each in some} | {each.token for each in some}) == 200
    assert all(len(each.number) >= 43 for each in some)
    assert some[0].number not in repr(some[0])
    assert some[0].token not in repr(some[0])


def test_a_session_ends_when_it_was_not_used_for_a_while():
    clock = Clock()
    store = Sessions(clock)
    session = store.begin(admin("ann"))
    clock.advance(IDLE - 1)
    assert store.goes_on(session)
    assert store.find(session.number) is session
    clock.advance(IDLE - 1)
    assert store.goes_on(session)
    clock.advance(1)
    assert not store.goes_on(session)
    assert store.find(session.number) is None


def test_a_session_ends_in_any_case():
    clock = Clock()
    store = Sessions(clock)
    session = store.begin(admin("ann"))
    while clock.seconds() < LONGEST:
        assert store.find(session.number) is session
        clock.advance(IDLE / 2)
    assert store.find(session.number) is None


def test_to_look_whether_it_goes_on_is_no_use_of_it():
    clock = Clock()
    store = Sessions(clock)
    session = store.begin(admin("ann"))
    for _ in range(10):
        clock.advance(IDLE / 10)
        store.goes_on(session)
    assert store.find(session.number) is None


def test_the_one_that_was_not_used_for_longest_makes_room(monkeypatch):
    monkeypatch.setattr(sessions, "MOST", 2)
    store = Sessions(Clock())
    first, second = store.begin(admin("ann")), store.begin(admin("ann"))
    store.find(first.number)
    third = store.begin(admin("bob"))
    assert store.find(second.number) is None
    assert [store.find(each.number) for each in (first, third)] == [first, third]
    assert not store.goes_on(second)
