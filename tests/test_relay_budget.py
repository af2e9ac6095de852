"""The connections that all accounts may have open together."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import CancelledError

from multisendcon_plugin.relay import ConnectionBudget


def taken(budget):
    """Ask for a connection; return where the answer arrives."""
    answers = []
    turn = budget.take()
    turn.addBoth(answers.append)
    return turn, answers


def test_as_many_as_allowed_are_given_at_once():
    budget = ConnectionBudget(2)
    assert [taken(budget)[1] for _ in range(3)] == [[None], [None], []]


def test_waiting_is_first_come_first_served():
    budget = ConnectionBudget(1)
    taken(budget)
    (_, first), (_, second) = taken(budget), taken(budget)
    budget.give_back()
    assert (first, second) == ([None], [])
    budget.give_back()
    assert (first, second) == ([None], [None])


def test_who_comes_later_does_not_overtake():
    budget = ConnectionBudget(1)
    taken(budget)
    _, first = taken(budget)
    budget.give_back()
    _, second = taken(budget)
    assert (first, second) == ([None], [])


def test_a_cancelled_turn_takes_nothing():
    budget = ConnectionBudget(1)
    taken(budget)
    turn, cancelled = taken(budget)
    _, next_one = taken(budget)
    turn.cancel()
    assert cancelled[0].check(CancelledError)
    budget.give_back()
    assert next_one == [None]
    budget.give_back()
    assert taken(budget)[1] == [None]


def test_the_longest_idle_connection_is_closed_to_make_room():
    budget = ConnectionBudget(2)
    closed = []
    taken(budget)
    taken(budget)
    for name in ("a", "b"):
        budget.idle(name, lambda name=name: closed.append(name))
    _, answer = taken(budget)
    assert closed == ["a"]
    assert answer == []  # not before it is closed
    budget.busy("a")
    budget.give_back()
    assert answer == [None]


def test_a_connection_that_is_idle_while_another_waits_is_closed_to_make_room():
    budget = ConnectionBudget(1)
    closed = []
    taken(budget)
    assert not budget.contended
    taken(budget)
    assert budget.contended
    budget.idle("a", lambda: closed.append("a"))
    assert closed == []
    budget.make_room()
    budget.make_room()
    assert closed == ["a"]


def test_no_room_is_made_that_nobody_waits_for():
    budget = ConnectionBudget(1)
    closed = []
    taken(budget)
    budget.idle("a", lambda: closed.append("a"))
    budget.make_room()
    assert closed == []


def test_idle_connections_stay_while_there_is_room():
    budget = ConnectionBudget(2)
    closed = []
    taken(budget)
    budget.idle("a", lambda: closed.append("a"))
    assert taken(budget)[1] == [None]
    assert closed == []


def test_a_connection_that_is_busy_again_is_not_closed():
    budget = ConnectionBudget(1)
    closed = []
    taken(budget)
    budget.idle("a", lambda: closed.append("a"))
    budget.busy("a")
    taken(budget)
    assert closed == []


class Connections(RuleBasedStateMachine):
    """Takes, gives back, rests, wakes up and cancels in any order."""

    LIMIT = 3

    def __init__(self):
        super().__init__()
        self.budget = ConnectionBudget(self.LIMIT)
        self.turns = []
        self.open = []
        self.idle = []
        self.closing = []
        self.named = 0

    def granted(self, _):
        self.named += 1
        self.open.append(self.named)

    @rule()
    def take(self):
        turn = self.budget.take()
        self.turns.append(turn)
        turn.addCallbacks(self.granted, lambda failure: failure.trap(CancelledError))
        turn.addBoth(lambda _: self.turns.remove(turn))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def rest(self, data):
        name = data.draw(st.sampled_from(self.open))
        self.open.remove(name)
        self.idle.append(name)
        self.budget.idle(name, lambda: (self.idle.remove(name), self.closing.append(name)))
        self.budget.make_room()

    @precondition(lambda self: self.idle)
    @rule(data=st.data())
    def wake(self, data):
        name = data.draw(st.sampled_from(self.idle))
        self.idle.remove(name)
        self.open.append(name)
        self.budget.busy(name)

    @precondition(lambda self: self.open or self.idle or self.closing)
    @rule(data=st.data())
    def end(self, data):
        name = data.draw(st.sampled_from([*self.open, *self.idle, *self.closing]))
        next(each for each in (self.open, self.idle, self.closing) if name in each).remove(name)
        self.budget.busy(name)
        self.budget.give_back()

    @precondition(lambda self: self.turns)
    @rule(data=st.data())
    def cancel(self, data):
        data.draw(st.sampled_from(self.turns)).cancel()

    @invariant()
    def never_more_than_allowed(self):
        assert len(self.open) + len(self.idle) + len(self.closing) <= self.LIMIT

    @invariant()
    def nobody_waits_without_need(self):
        connections = len(self.open) + len(self.idle) + len(self.closing)
        if self.turns:
            assert connections == self.LIMIT
            # Whoever waits has something to wait for: a mail under way, or a connection that ends.
            assert self.open or self.closing


TestConnections = Connections.TestCase
