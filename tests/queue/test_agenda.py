"""The agenda against a spool: whatever comes when, nothing is lost, doubled or out of turn."""

from __future__ import annotations

from collections import deque

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from multisendcon_plugin.mail.message import FIRST_POSITION
from multisendcon_plugin.queue.agenda import Agenda, window
from tests.queues import delivery, no_locks

WINDOW = 4
pauses = st.sampled_from([0.0, 0.0, 0.0, 1.0, 5.0, 100.0])

fates = st.sampled_from(["ended", "moved", "deferred"])


def next_due(agenda):
    return agenda.waiting[0].due if agenda.waiting else None


def take_tried(agenda, now):
    """Take the first delivery whose time has come again; ``None``: there is none."""
    place = agenda.tried(now)
    tried = agenda.waiting and agenda.waiting[place].attempts and agenda.waiting[place].due <= now
    return agenda.take(place) if tried else None


def is_empty(agenda):
    return not (agenda.waiting or agenda.missing)


class AgendaAndSpool(RuleBasedStateMachine):
    """An agenda as its lane uses it.

    The spool's writer answers in the order in which it was asked, its reader for itself: an
    answer of the reader may be old when it comes.
    """

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.agenda = Agenda(no_locks(), window=WINDOW, beyond=0.0)
        self.stored = {}
        self.last_number = 0
        self.elsewhere = []
        self.in_flight = {}
        self.handed_out = set()
        self.written = deque()
        self.limit = None
        self.since = None
        self.answer = None
        self.failed = False

    # The spool's writer.

    @rule(pause=pauses)
    def commit(self, pause):
        self.last_number += 1
        self.store(delivery(self.last_number, due=self.now + pause))

    @rule(pause=pauses)
    @precondition(lambda self: self.elsewhere)
    def comes_back_from_another_lane(self, pause):
        self.store(attrs.evolve(self.elsewhere.pop(0), due=self.now + pause))

    def store(self, new):
        self.stored[new.number] = new
        self.written.append(lambda: self.agenda.add(new))

    @rule(
        pick=st.integers(0, 99), fate=st.sampled_from(["ended", "moved", "deferred"]), pause=pauses
    )
    @precondition(lambda self: self.in_flight)
    def settle(self, pick, fate, pause):
        taken = self.in_flight.pop(sorted(self.in_flight)[pick % len(self.in_flight)])
        remaining = None
        if fate == "deferred":
            remaining = attrs.evolve(taken, due=self.now + pause, attempts=taken.attempts + 1)
            self.stored[taken.number] = remaining
        else:
            del self.stored[taken.number]

        def told():
            self.agenda.done(taken)
            if remaining is not None:
                self.agenda.add(remaining)
            if fate == "moved":
                self.elsewhere.append(attrs.evolve(taken, attempts=taken.attempts + 1))

        self.written.append(told)

    @rule()
    @precondition(lambda self: self.written)
    def writer_answers(self):
        self.written.popleft()()

    # The spool's reader.

    @rule()
    @precondition(lambda self: self.agenda.wants_more(self.now))
    def ask(self):
        assert self.limit is None
        self.limit, self.since = self.agenda.fetching()
        assert self.limit <= WINDOW

    @rule()
    @precondition(lambda self: self.limit is not None and self.answer is None and not self.failed)
    def read(self):
        waiting = sorted(self.stored.values(), key=lambda each: each.position)
        waiting = [each for each in waiting if each.position >= self.since]
        self.answer = tuple(waiting[: self.limit])

    @rule()
    @precondition(lambda self: self.answer is not None)
    def reader_answers(self):
        self.agenda.fetched(self.answer, self.limit)
        self.limit = self.answer = None

    @rule()
    @precondition(lambda self: self.limit is not None)
    def reader_fails(self):
        self.answer = None
        self.failed = True

    @rule()
    @precondition(lambda self: self.failed)
    def ask_again(self):
        self.limit, self.since = self.agenda.fetching()
        assert self.limit <= WINDOW
        self.failed = False

    # The lane.

    @rule(seconds=st.sampled_from([0.5, 5.0, 60.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    @precondition(lambda self: self.due_now() and not self.agenda.wants_more(self.now))
    def take(self):
        taken = self.agenda.take()
        assert self.stored.get(taken.number) == taken
        assert taken.due <= self.now
        # While the spool is asked, nothing in memory waits for it.
        if self.limit is None and not self.written:
            assert all(
                taken.due <= each.due
                for each in self.stored.values()
                if each.number not in self.in_flight
            )
        self.hand_out(taken)

    @rule()
    @precondition(lambda self: not self.agenda.wants_more(self.now))
    def take_tried(self):
        taken = take_tried(self.agenda, self.now)
        if taken is not None:
            assert self.stored.get(taken.number) == taken
            assert taken.attempts
            assert taken.due <= self.now
            self.hand_out(taken)

    def hand_out(self, taken):
        assert (taken.number, taken.attempts) not in self.handed_out
        self.handed_out.add((taken.number, taken.attempts))
        self.in_flight[taken.number] = taken

    def due_now(self):
        due = next_due(self.agenda)
        return due is not None and due <= self.now

    def wakes_at(self):
        times = [next_due(self.agenda), self.agenda.beyond]
        return min((time for time in times if time is not None), default=None)

    @invariant()
    def memory_is_bounded(self):
        assert len(self.agenda.waiting) <= WINDOW
        assert len(self.agenda._known) <= WINDOW + len(self.in_flight) + len(self.written)

    @invariant()
    def what_is_in_the_spool_only_is_asked_for_in_time(self):
        if self.limit is None and not self.written:
            left = [each.due for n, each in self.stored.items() if n not in self.agenda._known]
            assert not left or self.agenda.beyond <= min(left)

    @invariant()
    def never_wakes_in_vain(self):
        at = self.wakes_at()
        if at is not None and at <= self.now:
            assert self.due_now() or self.agenda.wants_more(self.now)

    @invariant()
    def is_empty_only_when_nothing_can_be_done(self):
        if is_empty(self.agenda):
            assert self.wakes_at() is None
            assert not self.agenda.wants_more(self.now)
            assert self.written or set(self.stored) <= set(self.in_flight)

    def teardown(self):
        """Whatever the state, the lane gets to the end of its work."""
        for _ in range(50 * (len(self.stored) + len(self.elsewhere) + 10)):
            if self.written:
                self.writer_answers()
            elif self.limit is not None:
                if self.failed:
                    self.ask_again()
                if self.answer is None:
                    self.read()
                self.reader_answers()
            elif self.agenda.wants_more(self.now):
                self.ask()
            elif self.in_flight:
                self.settle(0, "ended", 0.0)
            elif self.due_now():
                self.take()
            elif self.wakes_at() is not None:
                self.now = max(self.now, self.wakes_at())
            else:
                break
            self.memory_is_bounded()
            self.never_wakes_in_vain()
        assert self.stored == {}
        assert is_empty(self.agenda)
        assert len(self.agenda._known) == 0


AgendaAndSpool.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestAgendaAndSpool = AgendaAndSpool.TestCase


def test_the_first_due_comes_first():
    agenda = Agenda(no_locks())
    for number, due in ((1, 30.0), (2, 10.0), (3, 20.0)):
        assert agenda.add(delivery(number, due=due))
    assert next_due(agenda) == 10.0
    assert [agenda.take().number for _ in range(3)] == [2, 3, 1]
    assert next_due(agenda) is None


def test_what_is_equally_due_leaves_in_the_order_of_its_arrival():
    agenda = Agenda(no_locks())
    for number in (3, 1, 2):
        agenda.add(delivery(number, due=5.0))
    assert [agenda.take().number for _ in range(3)] == [1, 2, 3]


def test_a_delivery_in_flight_is_not_taken_on_again():
    agenda = Agenda(no_locks())
    agenda.add(delivery(1))
    taken = agenda.take()
    assert agenda.add(taken)
    assert len(agenda.waiting) == 0
    agenda.done(taken)
    agenda.add(attrs.evolve(taken, due=taken.due + 60))
    assert len(agenda.waiting) == 1


def test_the_latest_of_a_full_window_is_left_in_the_spool():
    agenda = Agenda(no_locks(), window=2)
    assert agenda.add(delivery(1, due=10.0))
    assert agenda.add(delivery(2, due=30.0))
    assert agenda.add(delivery(3, due=20.0))
    assert agenda.beyond == 30.0
    assert not agenda.add(delivery(4, due=30.0))
    assert agenda.add(delivery(5, due=5.0))
    assert agenda.beyond == 20.0
    assert [agenda.take().number for _ in range(2)] == [5, 1]


def test_what_was_tried_and_is_due_again_is_handed_out_before_what_is_new():
    agenda = Agenda(no_locks())
    for number, due, attempts in ((1, 5.0, 0), (2, 20.0, 1), (3, 10.0, 2), (4, 40.0, 1)):
        agenda.add(delivery(number, due=due, attempts=attempts))
    assert take_tried(agenda, 9.0) is None
    assert [take_tried(agenda, 30.0).number for _ in range(2)] == [3, 2]
    assert take_tried(agenda, 30.0) is None
    assert agenda.take().number == 1


def test_what_was_tried_stays_in_memory_behind_what_is_left_in_the_spool():
    agenda = Agenda(no_locks(), window=100)
    for number in range(1, 111):
        agenda.add(delivery(number, due=1.0))
    for number in range(111, 141):
        agenda.add(delivery(number, due=50.0, attempts=1))
    assert len(agenda.waiting) == 100
    assert agenda.beyond == 1.0
    kept = []
    while (tried := take_tried(agenda, 50.0)) is not None:
        kept.append(tried.number)
    assert kept == list(range(111, 131)), "the earliest of them, up to TRIED_KEPT"


def test_new_mail_leaves_a_window_that_what_was_tried_has_filled():
    agenda = Agenda(no_locks(), window=4)
    for number in range(1, 5):
        agenda.add(delivery(number, due=float(number), attempts=1))
    assert agenda.add(delivery(5, due=0.0)), "the first is always in memory"
    assert agenda.take().number == 5


@pytest.mark.parametrize("settled_again", [False, True], ids=["ended", "deferred"])
def test_an_old_answer_does_not_bring_back_what_was_settled_meanwhile(settled_again):
    agenda = Agenda(no_locks(), window=4, beyond=0.0)
    agenda.add(delivery(1, due=-1.0))
    taken = agenda.take()
    limit, _ = agenda.fetching()
    old = (taken,)
    agenda.done(taken)
    if settled_again:
        agenda.add(attrs.evolve(taken, due=500.0, attempts=1))
    agenda.fetched(old, limit)
    assert next_due(agenda) == (500.0 if settled_again else None)


def test_what_is_left_in_the_spool_while_it_is_asked_wakes_nobody_before_the_answer():
    agenda = Agenda(no_locks(), window=1, beyond=0.0)
    limit, _ = agenda.fetching()
    agenda.add(delivery(1, due=1.0))
    assert not agenda.add(delivery(2, due=2.0))
    assert agenda.beyond is None
    agenda.fetched((), limit)
    assert agenda.beyond == 2.0


def test_a_spool_that_is_asked_once_more_answers_also_when_memory_is_full_of_later_mail():
    agenda = Agenda(no_locks(), window=4, beyond=0.0)
    agenda.fetching()
    for number in range(1, 5):
        agenda.add(delivery(number, due=10_000.0))
    limit, since = agenda.fetching()
    assert since == FIRST_POSITION
    agenda.fetched((delivery(9, due=50.0),), limit)
    assert next_due(agenda) == 50.0


def test_a_spool_that_could_not_be_read_is_not_asked_by_others():
    agenda = Agenda(no_locks(), beyond=0.0)
    agenda.fetching()
    assert not agenda.wants_more(1e9)
    assert agenda.beyond is None


def test_what_was_settled_before_the_spool_is_asked_once_more_may_come_back():
    """Only what ends while it is asked is remembered: an outage costs no memory for each mail."""
    agenda = Agenda(no_locks(), window=4, beyond=0.0)
    agenda.fetching()
    agenda.add(delivery(1))
    taken = agenda.take()
    agenda.done(taken)
    limit, _ = agenda.fetching()
    agenda.fetched((attrs.evolve(taken, due=9.0),), limit)
    assert next_due(agenda) == 9.0


@pytest.mark.parametrize(
    ("accounts", "each"),
    [(0, 1000), (1, 1000), (20, 1000), (100, 200), (400, 50), (5000, 50)],
)
def test_the_more_accounts_the_less_of_each_is_in_memory(accounts, each):
    assert window(accounts) == each
