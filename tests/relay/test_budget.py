"""The connections that all accounts may have open together."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from multisendcon_plugin.relay import ConnectionBudget
from multisendcon_plugin.relay.budget import PROMPT


class Connections:
    """A budget, and the connections that somebody asked it for.

    :ivar closed: names of the connections that had to give way, in order.
    """

    def __init__(self, limit):
        self.clock = Clock()
        self.budget = ConnectionBudget(limit, self.clock)
        self.closed = []

    def ask(self, name="", server="mx"):
        """Ask for a connection; return where the answer arrives."""
        answers = []
        turn = self.budget.take(server)
        turn.addCallback(self._closes, name)
        turn.addBoth(answers.append)
        return turn, answers

    def _closes(self, slot, name):
        slot.close = lambda: self.closed.append(name)
        return slot

    def opening(self, *names, server="mx"):
        """Begin to open connections; return their slots."""
        return [self.ask(name, server)[1][0] for name in names]

    def ready(self, *names):
        """Open connections."""
        slots = self.opening(*names)
        for slot in slots:
            self.budget.ready(slot)
        return slots


def test_as_many_as_allowed_are_given_at_once():
    connections = Connections(2)
    assert [len(connections.ask()[1]) for _ in range(3)] == [1, 1, 0]


def test_waiting_is_first_come_first_served():
    connections = Connections(1)
    [slot] = connections.ready("a")
    (_, first), (_, second) = connections.ask(), connections.ask()
    connections.budget.give_back(slot)
    assert (len(first), second) == (1, [])
    connections.budget.give_back(first[0])
    assert len(second) == 1


def test_who_comes_later_does_not_overtake():
    connections = Connections(1)
    [slot] = connections.ready("a")
    _, first = connections.ask()
    connections.budget.give_back(slot)
    _, second = connections.ask()
    assert (len(first), second) == (1, [])


def test_a_cancelled_turn_takes_nothing():
    connections = Connections(1)
    [slot] = connections.ready("a")
    turn, cancelled = connections.ask()
    _, next_one = connections.ask()
    turn.cancel()
    assert cancelled[0].check(CancelledError)
    connections.budget.give_back(slot)
    connections.budget.give_back(next_one[0])
    assert len(connections.ask()[1]) == 1


def test_the_longest_idle_connection_is_closed_to_make_room():
    connections = Connections(2)
    a, b = connections.ready("a", "b")
    connections.budget.idle(a)
    connections.budget.idle(b)
    _, answer = connections.ask()
    assert connections.closed == ["a"]
    assert answer == []  # not before it is closed
    connections.budget.give_back(a)
    assert len(answer) == 1


def test_a_connection_that_is_idle_while_another_waits_is_closed_to_make_room():
    connections = Connections(1)
    [a] = connections.ready("a")
    connections.ask()
    connections.budget.idle(a)
    assert connections.closed == []
    connections.clock.advance(0)
    connections.budget.make_room()
    assert connections.closed == ["a"]


def test_no_more_connections_are_closed_than_are_waited_for():
    connections = Connections(3)
    for slot in connections.ready("a", "b", "c"):
        connections.budget.idle(slot)
    connections.ask()
    connections.budget.make_room()
    assert connections.closed == ["a"]
    connections.ask()
    assert connections.closed == ["a", "b"]


def test_no_room_is_made_that_nobody_waits_for():
    connections = Connections(1)
    [a] = connections.ready("a")
    connections.budget.idle(a)
    connections.budget.make_room()
    assert connections.closed == []


def test_idle_connections_stay_while_there_is_room():
    connections = Connections(2)
    [a] = connections.ready("a")
    connections.budget.idle(a)
    assert len(connections.ask()[1]) == 1
    assert connections.closed == []


def test_a_connection_that_is_busy_again_is_not_closed():
    connections = Connections(1)
    [a] = connections.ready("a")
    connections.budget.idle(a)
    connections.budget.busy(a)
    connections.ask()
    assert connections.closed == []


def test_the_server_with_the_fewest_connections_opening_is_next():
    connections = Connections(4)
    [slot, *_] = connections.opening(*"abc", server="many.example")
    connections.opening("d", server="one.example")
    servers = ("many.example", "many.example", "one.example", "none.example", "none.example")
    answers = [connections.ask(server=server)[1] for server in servers]
    order = []
    for _ in servers:
        connections.budget.give_back(slot)
        [now] = [n for n, answer in enumerate(answers) if answer and n not in order]
        order.append(now)
        slot = answers[now][0]
        connections.budget.ready(slot)
    assert order == [3, 4, 2, 0, 1]


# Connections that are still being opened.


def test_a_connection_that_is_opening_for_long_gives_way_when_half_of_all_are():
    connections = Connections(4)
    connections.opening("a", "b", "c", "d")
    connections.ask()
    connections.clock.advance(PROMPT - 0.1)
    assert connections.closed == []
    connections.clock.advance(0.1)
    assert connections.closed == ["a"]


def test_as_many_give_way_as_somebody_waits_for_but_half_of_all_may_take_their_time():
    connections = Connections(6)
    connections.opening(*"abcdef")
    waiting = [connections.ask()[1] for _ in range(5)]
    connections.clock.advance(PROMPT)
    assert connections.closed == ["a", "b", "c"]
    connections.clock.advance(100)
    assert connections.closed == ["a", "b", "c"]
    assert waiting == [[]] * 5


def test_nobody_gives_way_while_nobody_waits():
    connections = Connections(4)
    connections.opening("a", "b", "c", "d")
    connections.clock.advance(100)
    assert connections.closed == []
    assert connections.clock.getDelayedCalls() == []
    connections.ask()
    assert connections.closed == ["a"]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_a_slow_server_is_reached_although_all_others_are_busy(limit):
    connections = Connections(limit)
    connections.ready(*"x" * (limit - 1))
    connections.opening("slow")
    for _ in range(10):
        connections.ask()
    connections.clock.advance(59)
    assert connections.closed == []


def test_idle_connections_give_way_before_those_that_are_opening():
    connections = Connections(4)
    connections.opening("a", "b", "c")
    [idle] = connections.ready("idle")
    connections.budget.idle(idle)
    connections.clock.advance(PROMPT)
    connections.ask()
    assert connections.closed == ["idle"]


def test_the_server_with_the_most_connections_gives_one_up():
    connections = Connections(6)
    connections.opening("slow", server="slow.example")
    connections.opening(*"abcd", server="silent.example")
    connections.opening("other", server="other.example")
    for _ in range(3):
        connections.ask()
    connections.clock.advance(PROMPT)
    assert connections.closed == ["a", "b", "c"]


def test_a_connection_that_is_not_opening_for_long_does_not_give_way():
    connections = Connections(4)
    connections.opening("a", "b")
    connections.clock.advance(PROMPT - 1)
    connections.opening("c", "d")
    connections.ask()
    connections.ask()
    connections.clock.advance(1)
    # Two of four are slow, and may be.
    assert connections.closed == []
    connections.clock.advance(PROMPT - 1)
    assert connections.closed == ["a", "b"]


def test_a_connection_that_has_been_opened_is_not_slow():
    connections = Connections(4)
    a, *_ = connections.opening("a", "b", "c", "d")
    connections.ask()
    connections.budget.ready(a)
    connections.clock.advance(PROMPT)
    assert connections.closed == ["b"]


def test_those_who_wait_get_there_in_time_however_many_servers_say_nothing():
    connections = Connections(50)
    silent = connections.opening(*map(str, range(50)))
    waiting = [connections.ask(f"again {n}")[1] for n in range(25)]
    connections.clock.advance(PROMPT)
    assert len(connections.closed) == 25
    for slot in silent[:25]:
        connections.budget.give_back(slot)
    assert all(waiting)


@pytest.mark.parametrize("cancelled", [True, False])
def test_when_nobody_waits_any_more_no_alarm_is_left(cancelled):
    connections = Connections(4)
    slots = connections.opening("a", "b", "c", "d")
    turn, _ = connections.ask()
    assert len(connections.clock.getDelayedCalls()) == 1
    if cancelled:
        turn.cancel()
    else:
        connections.budget.give_back(slots[0])
    assert connections.clock.getDelayedCalls() == []


class AnyOrder(RuleBasedStateMachine):
    """Takes, opens, gives back, rests, wakes up, cancels and waits in any order."""

    LIMIT = 4

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.budget = ConnectionBudget(self.LIMIT, self.clock)
        self.turns = []
        self.opening = []
        self.open = []
        self.idle = []
        self.closing = []

    def begun(self, slot):
        self.opening.append(slot)
        slot.close = lambda: self.gives_way(slot)

    def gives_way(self, slot):
        next(each for each in (self.idle, self.opening) if slot in each).remove(slot)
        self.closing.append(slot)

    @rule(server=st.sampled_from("abc"))
    def take(self, server):
        turn = self.budget.take(server)
        self.turns.append(turn)
        turn.addCallbacks(self.begun, lambda failure: failure.trap(CancelledError))
        turn.addBoth(lambda _: self.turns.remove(turn))

    @precondition(lambda self: self.opening)
    @rule(data=st.data())
    def ready(self, data):
        slot = data.draw(st.sampled_from(self.opening))
        self.opening.remove(slot)
        self.open.append(slot)
        self.budget.ready(slot)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def rest(self, data):
        slot = data.draw(st.sampled_from(self.open))
        self.open.remove(slot)
        self.idle.append(slot)
        self.budget.idle(slot)
        self.budget.make_room()

    @precondition(lambda self: self.idle)
    @rule(data=st.data())
    def wake(self, data):
        slot = data.draw(st.sampled_from(self.idle))
        self.idle.remove(slot)
        self.open.append(slot)
        self.budget.busy(slot)

    @property
    def connections(self):
        return [*self.opening, *self.open, *self.idle, *self.closing]

    @precondition(lambda self: self.connections)
    @rule(data=st.data())
    def end(self, data):
        slot = data.draw(st.sampled_from(self.connections))
        lists = (self.opening, self.open, self.idle, self.closing)
        next(each for each in lists if slot in each).remove(slot)
        self.budget.give_back(slot)

    @precondition(lambda self: self.turns)
    @rule(data=st.data())
    def cancel(self, data):
        data.draw(st.sampled_from(self.turns)).cancel()

    @rule(seconds=st.sampled_from([0.5, 1.0, PROMPT]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @invariant()
    def never_more_than_allowed(self):
        assert len(self.connections) <= self.LIMIT

    @invariant()
    def nobody_waits_without_need(self):
        if not self.turns:
            return
        assert len(self.connections) == self.LIMIT
        # Whoever waits has something to wait for: a mail under way, or a connection that ends.
        assert self.open or self.closing or self.opening
        if len(self.turns) > len(self.closing):
            assert not self.idle
            slow = [each for each in self.opening if each.since + PROMPT <= self.clock.seconds()]
            assert len(slow) <= self.LIMIT // 2


TestAnyOrder = AnyOrder.TestCase
