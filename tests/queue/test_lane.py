from __future__ import annotations

import time

import attrs
import pytest
from twisted.internet.defer import fail, maybeDeferred, succeed
from twisted.logger import LogLevel

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import Parcel, Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import AccountFault, Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.queue.agenda import Agenda
from multisendcon_plugin.queue.gates import Gates
from multisendcon_plugin.queue.lane import Lane
from multisendcon_plugin.queue.tasks import Tasks
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.queues import (
    CLOSED,
    GREYLISTED,
    LOGIN_REFUSED,
    NOW,
    FakeRelay,
    SlowSpool,
    attempt,
    clock_now,
    commit,
    fault,
    in_the_log,
    logged,
    no_locks,
)


class Room:
    """One lane with all that it talks to; attempts are settled by rules of the test's own."""

    def __init__(
        self, *, window=4, mail_ended=None, relay=None, slow=False, retry=None, **settings
    ):
        self.clock = clock_now()
        self.account = Account(name="A", server="smtp.a.example", **settings)
        self.relay = relay or FakeRelay(self.clock)
        self.memory = MemorySpool(self.clock)
        self.memory.open()
        self.spool = SlowSpool(self.memory, self.clock) if slow else self.memory
        self.retry = retry
        self.concluded = []
        self.another_account = False
        self.redirected = []
        locks = no_locks()
        self.lane = Lane(
            ("A", ""),
            self.account,
            relay=self.relay,
            spool=self.spool,
            events=in_the_log(self.clock),
            tasks=Tasks(self.clock, lambda: None),
            locks=locks,
            agenda=Agenda(locks, window=window, beyond=0.0),
            gates=Gates(
                self.account,
                {} if mail_ended is None else {"minimum_wait": mail_ended},
                started=NOW,
                crashed=False,
            ),
            clock=self.clock,
            wall=lambda: self.clock.seconds() + 3600.0,
            conclude=self.conclude,
            relieve=self.relieve,
        )

    def relieve(self, lane, delivery, fault):
        if self.another_account:
            self.redirected.append(delivery)
            self.settle(Settlement(delivery=delivery, remaining=None))
        return self.another_account

    def settle(self, settlement):
        settled = self.spool.settle([settlement])
        settled.addCallback(lambda _: self.lane.settled([settlement]))

    def conclude(self, lane, delivery, ended, now, awaited):
        self.concluded.append((delivery, ended))
        remaining = None
        if any(outcome.verdict is not Verdict.DELIVERED for outcome in ended.outcomes):
            due = self.clock.seconds() + (self.retry or 60.0)
            remaining = attrs.evolve(delivery, due=due, attempts=delivery.attempts + 1)
        self.settle(Settlement(delivery=delivery, remaining=remaining, awaited=awaited))

    def store(self, n=1):
        """Put mail into the spool that the lane has not been told of."""
        stored = []
        for _ in range(n):
            draft = self.memory.draft()
            draft.write(b"Subject: x\r\n\r\nx\r\n")
            parcel = Parcel(
                account="A", recipients=(Recipient(address="r@b.example", reason="test"),)
            )
            envelope = Envelope(reverse_path="s@a.example", recipients=("r@b.example",))
            commit(self.memory, draft, envelope, 12, (parcel,)).addCallback(stored.extend)
        return [each.number for each in stored]

    def mail(self, n=1):
        """Hand mail to the lane that has just been stored."""
        numbers = self.store(n)
        for number in numbers:
            self.lane.add([self.memory.disk.deliveries[number]])
        return numbers

    def alarms(self):
        return [call for call in self.clock.getDelayedCalls() if call.active()]


def test_a_mail_for_a_free_account_leaves_at_once():
    room = Room()
    numbers = room.mail()
    assert room.relay.numbers == numbers


def test_what_the_spool_holds_is_fetched_and_leaves_in_order():
    room = Room(max_connections=1)
    numbers = room.store(3)
    room.lane.go()
    for _ in numbers:
        room.relay.under_way[0].end()
    assert room.relay.numbers == numbers
    assert room.memory.disk.deliveries == {}


def test_content_is_opened_by_the_relay_when_it_wants_it():
    room = Room()
    room.mail()
    content = room.relay.under_way[0].open_content()
    pieces = []
    maybeDeferred(content.read).addCallback(pieces.append)
    assert pieces == [b"Subject: x\r\n\r\nx\r\n"]


def test_as_many_attempts_as_connections():
    room = Room(max_connections=3)
    room.mail(5)
    assert len(room.relay.under_way) == 3
    room.relay.under_way[0].end()
    assert len(room.relay.under_way) == 3
    assert room.relay.most == 3


def test_a_connection_goes_on_when_the_end_of_its_last_mail_is_durable():
    room = Room(slow=True, max_connections=1)
    room.lane.go()
    room.clock.advance(1)
    numbers = room.mail(2)
    room.relay.under_way[0].end()
    assert room.relay.numbers == numbers[:1]
    room.clock.advance(1)
    assert room.relay.numbers == numbers


@pytest.mark.parametrize(
    ("connections", "mails", "awaited"),
    [(1, 1, [False]), (1, 2, [True, False]), (2, 2, [False, False]), (2, 3, [True, False, False])],
)
def test_a_settlement_is_awaited_when_a_mail_that_is_due_waits_for_it(connections, mails, awaited):
    room = Room(slow=True, max_connections=connections)
    room.lane.go()
    room.clock.advance(1)
    room.mail(mails)
    while room.relay.under_way:
        room.relay.under_way[0].end()
        room.clock.advance(1)
    assert [settlement.awaited for settlement in room.spool.settlements] == awaited


def test_no_settlement_is_awaited_by_a_mail_that_is_due_later():
    room = Room(slow=True, max_connections=1)
    room.lane.go()
    room.clock.advance(1)
    room.mail(2)
    room.relay.under_way[0].end(Verdict.DEFERRED)
    room.clock.advance(1)
    room.relay.under_way[0].end()
    assert [settlement.awaited for settlement in room.spool.settlements] == [True, False]


def test_the_minimum_wait_lies_between_two_mails():
    room = Room(minimum_wait=5.0, max_connections=4)
    room.mail(3)
    began = []
    for _ in range(3):
        (now,) = room.relay.under_way
        began.append(now.began)
        room.clock.advance(2)
        now.end()
        assert room.relay.under_way == []
        room.clock.advance(4.9)
        assert room.relay.under_way == []
        room.clock.advance(0.1)
    assert began == [NOW, NOW + 7, NOW + 14]


def test_a_wait_from_before_the_start_is_kept():
    room = Room(minimum_wait=5.0, mail_ended=NOW - 1)
    room.mail()
    room.clock.advance(3.9)
    assert room.relay.tries == []
    room.clock.advance(0.1)
    assert len(room.relay.tries) == 1


def test_a_deferred_mail_is_tried_again_when_it_is_due_not_before():
    room = Room(retry=60.0)
    room.mail()
    room.relay.under_way[0].end(Verdict.DEFERRED)
    room.clock.advance(59)
    assert len(room.relay.tries) == 1
    room.clock.advance(1)
    assert len(room.relay.tries) == 2
    assert room.relay.tries[1].delivery.attempts == 1


def test_an_account_at_fault_rests_is_probed_by_one_mail_and_recovers(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    room = Room(max_connections=3, retry=1.0)
    room.mail(4)
    for now in room.relay.under_way[:]:
        now.end(fault=CLOSED)
    assert len(room.relay.tries) == 3
    room.clock.advance(29)
    assert len(room.relay.tries) == 3
    room.clock.advance(1)
    assert len(room.relay.under_way) == 1
    room.relay.under_way[0].end(fault=LOGIN_REFUSED)
    room.clock.advance(59)
    assert len(room.relay.tries) == 4
    room.clock.advance(1)
    assert len(room.relay.under_way) == 1
    room.relay.under_way[0].end()
    assert len(room.relay.under_way) == 2


def test_while_an_account_rests_something_else_may_be_done_for_its_mail():
    room = Room(max_connections=1)
    room.mail(3)
    room.relay.under_way[0].end(fault=CLOSED)
    assert room.redirected == []
    room.another_account = True
    room.mail(2)
    assert len(room.redirected) == 4
    assert len(room.relay.tries) == 1


def test_so_much_is_done_at_a_time_and_more_when_that_is_durable():
    room = Room(max_connections=1, window=100, slow=True)
    room.store(70)
    room.lane.go()
    room.clock.advance(0.01)
    room.another_account = True
    room.relay.under_way[0].end(fault=CLOSED)
    for done in (20, 40, 60, 69, 69):
        assert len(room.redirected) == done
        room.clock.advance(0.01)
    assert len(room.relay.tries) == 1


def test_an_account_that_has_rested_is_probed_whatever_else_may_be_done():
    room = Room(max_connections=1, retry=1.0)
    room.another_account = True
    room.mail()
    room.relay.under_way[0].end(fault=CLOSED)
    room.clock.advance(40)
    room.mail(3)
    assert len(room.relay.tries) == 2
    assert len(room.redirected) == 3
    room.relay.under_way[0].end()
    room.mail()
    assert len(room.relay.tries) == 3


def at(seconds):
    """Return the time of day by the clock on the wall, see `Room`."""
    return time.strftime("%H:%M:%S", time.localtime(NOW + 3600.0 + seconds))


@pytest.mark.parametrize(
    ("met", "said"),
    [
        (
            CLOSED,
            (
                "account A cannot be used: connect: 4.4.1 connection refused; it rests until {}; "
                "its mail waits unless a fallback account takes it"
            ),
        ),
        (
            LOGIN_REFUSED,
            (
                "account A cannot be used: login: 535 5.7.8 bad password; it rests until {}; its "
                "mail waits unless a fallback account takes it; multisendcon account test A says "
                "what to do"
            ),
        ),
        (
            fault(Phase.GREETING, 421, "4.3.2", "draining"),
            (
                "account A is throttled: the server asks us to slow down (greeting: 421 4.3.2 "
                "draining); it rests until {}; its mail waits"
            ),
        ),
        (
            AccountFault(
                phase=Phase.MAIL, reply=Reply(550, "5.4.5", "Daily limit"), action=Action.QUOTA
            ),
            (
                "account A has used up its quota: mail: 550 5.4.5 Daily limit; it rests until {}; "
                "its mail waits unless a fallback account takes it"
            ),
        ),
    ],
    ids=lambda each: str(each) if isinstance(each, AccountFault) else "",
)
def test_an_account_at_fault_is_told_with_the_time_of_day_until_which_it_is_paused(
    monkeypatch, met, said
):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    room = Room(max_connections=1, retry=1.0)
    room.mail()
    first, second = (3600, 7210) if met.action is Action.QUOTA else (30, 100)
    with logged() as log:
        room.relay.under_way[0].end(fault=met)
        assert log.texts(LogLevel.error) == [said.format(at(first))]
        room.clock.advance(first + 10)
        room.relay.under_way[0].end(fault=met)
        room.clock.advance(second)
        room.relay.under_way[0].end()
    assert log.texts(LogLevel.error) == [said.format(at(first))], "the first pause is an error"
    assert log.texts(LogLevel.info) == [
        said.format(at(first)),
        said.format(at(second)),
        "account A works again",
    ]


def test_sessions_that_break_together_are_told_once_whatever_each_was_told():
    room = Room(max_connections=5)
    room.mail(5)
    with logged() as log:
        for number, now in enumerate(room.relay.under_way[:]):
            now.end(fault=fault(Phase.MAIL, 421, "4.4.2", f"goodbye {number}"))
    [line] = log.texts(LogLevel.info)
    assert "goodbye 0" in line


def test_an_account_at_fault_is_probed_by_a_mail_whose_time_has_come_again(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    room = Room(max_connections=1, retry=20.0, window=30)
    numbers = room.mail(10)
    for _ in range(5):
        room.relay.under_way[0].end(deferred_by=GREYLISTED)
    assert room.relay.numbers == numbers[:5]
    room.clock.advance(30)
    assert room.relay.numbers[5:] == numbers[:1]
    room.relay.under_way[0].end()
    # With the fault over, the others have their turn.
    assert room.relay.numbers[6:] == numbers[5:6]


def test_a_mail_that_was_tried_is_the_probe_also_when_a_long_queue_lies_before_it(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    room = Room(max_connections=1, retry=20.0, window=10)
    numbers = room.store(500)
    room.lane.go()
    for _ in range(5):
        room.relay.under_way[0].end(deferred_by=GREYLISTED)
    room.clock.advance(30)
    assert room.relay.numbers == [*numbers[:5], numbers[0]]


def test_a_connection_too_many_costs_its_mail_nothing_and_the_log_names_the_key(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    room = Room(max_connections=10, window=100)
    numbers = room.mail(40)
    too_many = fault(Phase.LOGIN, 432, "4.3.2", "Concurrent connections limit exceeded")
    with logged() as log:
        for now in room.relay.under_way[3:]:
            now.end(fault=too_many)
        for _ in range(40):
            assert len(room.relay.under_way) <= 3
            if room.relay.under_way:
                room.relay.under_way[0].end()
    assert len(room.relay.tries) == 40 + 7
    assert {delivery.number for delivery, _ in room.concluded} == set(numbers)
    assert all(ended.fault is None for _, ended in room.concluded)
    assert all(now.delivery.attempts == 0 for now in room.relay.tries)
    assert log.texts(LogLevel.info) == [
        (
            "account A: the server allows 3 connections at a time, not 10; set max_connections = 3 "
            "(one more is tried every 15 minutes)"
        )
    ]


def test_a_bug_in_the_lane_is_called_one():
    room = Room()
    room.mail()
    room.lane._conclude = None
    with logged() as log:
        room.relay.under_way[0].end()
        assert log.texts() == ["internal error in the lane of A (a bug); traceback follows"]
        assert log.failures(TypeError) == 1


def test_a_relay_that_breaks_its_word_defers_the_mail():
    class Broken(FakeRelay):
        def attempt(self, delivery, open_content):
            super().attempt(delivery, open_content)
            return fail(RuntimeError("a bug"))

    room = Room(minimum_wait=5.0)
    room.lane.relay = Broken(room.clock)
    with logged() as log:
        room.mail(2)
        ((_, ended),) = room.concluded
        assert [outcome.verdict for outcome in ended.outcomes] == [Verdict.DEFERRED]
        assert ended.fault is None
        # Nobody knows how far it got: the wait is kept.
        room.clock.advance(4.9)
        assert log.failures(RuntimeError) == 1
        room.clock.advance(0.1)
        assert log.failures(RuntimeError) == 2


class InstantRelay(FakeRelay):
    """Its attempts have ended when they begin."""

    def __init__(self, clock, fault=None):
        super().__init__(clock)
        self.fault = fault

    def attempt(self, delivery, open_content):
        super().attempt(delivery, open_content)
        now = self.clock.seconds()
        return succeed(attempt(delivery, fault=self.fault, mail_ended=None if self.fault else now))


def test_attempts_that_end_as_soon_as_they_begin_neither_pile_up_nor_set_two_alarms():
    room = Room(window=1000)
    room.lane.relay = relay = InstantRelay(room.clock)
    room.store(3000)
    room.lane.go()
    assert len(relay.tries) == len(set(relay.numbers)) == 3000
    relay.fault = CLOSED
    room.mail()
    for _ in range(5):
        assert len(room.alarms()) == 1
        room.clock.advance(4000)


def test_one_alarm_however_often_the_lane_is_told_to_go():
    room = Room(mail_ended=NOW, minimum_wait=100.0)
    room.mail(3)
    room.lane.go()
    assert len(room.alarms()) == 1


def test_while_the_spool_is_asked_there_is_no_alarm_and_no_second_question():
    room = Room(slow=True, window=1)
    asked = []
    waiting = room.spool.waiting
    room.spool.waiting = lambda *question: asked.append(question) or waiting(*question)
    room.store(5)
    room.lane.go()
    room.mail(2)
    assert len(asked) == 1
    # The answer of the spool is all that the clock is waited for.
    assert len(room.alarms()) == 1
    room.clock.advance(0.01)
    assert room.relay.tries


def test_a_spool_that_cannot_be_read_is_asked_again_and_new_mail_leaves_meanwhile():
    room = Room(max_connections=9, slow=True)
    stored = room.store(2)
    room.memory.disk.fault = SpoolError("the disk has a fault")
    with logged() as log:
        room.lane.go()
        for _ in range(10):
            room.clock.advance(1)
    assert log.failures(SpoolError) == 1
    room.memory.disk.fault = None
    new = room.mail()
    assert room.relay.numbers == new
    room.clock.advance(0)
    assert room.relay.numbers == new
    room.clock.advance(1)
    room.clock.advance(1)
    assert room.relay.numbers == new + stored


def test_a_long_queue_is_delivered_once_each_through_a_small_window():
    clock_steps = [0.01] * 2000
    room = Room(slow=True, window=10, max_connections=3)
    room.lane.relay = room.relay = FakeRelay(
        room.clock, script=lambda now: now.end(), seconds=0.003
    )
    answers = []
    waiting = room.spool.waiting
    room.spool.waiting = lambda *question: waiting(*question).addCallback(noted)

    def noted(answer):
        answers.extend(each.number for each in answer)
        return answer

    numbers = room.store(200)
    room.lane.go()
    for step in clock_steps:
        room.clock.advance(step)
    assert sorted(room.relay.numbers) == numbers
    assert answers == numbers, "each is read once"
    assert room.memory.disk.deliveries == {}
    assert room.alarms() == []


def test_after_stop_nothing_begins_and_no_alarm_is_left():
    room = Room(retry=10.0)
    room.mail()
    room.relay.under_way[0].end(Verdict.DEFERRED)
    assert len(room.alarms()) == 1
    room.lane.stop()
    assert room.alarms() == []
    room.mail()
    room.clock.advance(1000)
    assert len(room.relay.tries) == 1


@pytest.mark.parametrize("verdict", [Verdict.DELIVERED, Verdict.DEFERRED])
def test_stop_waits_until_each_attempt_has_been_concluded(verdict):
    room = Room(max_connections=2)
    room.mail(3)
    stopped = []
    room.lane.stop().addCallback(stopped.append)
    for _ in range(2):
        assert stopped == []
        room.relay.under_way[0].end(verdict)
    assert len(room.concluded) == 2
    assert len(stopped) == 1


def test_who_is_told_of_an_outcome_may_stop_the_relay_at_once():
    room = Room()
    room.mail()
    stopped = []
    conclude = room.lane._conclude

    def stop_first(*ended):
        room.lane.stop().addCallback(lambda _: stopped.append(len(room.concluded)))
        conclude(*ended)

    room.lane._conclude = stop_first
    room.relay.under_way[0].end(Verdict.DELIVERED)
    assert stopped == [1], "once, and not before the attempt has been concluded"


def test_a_fault_while_stopping_is_ours_and_is_not_told():
    room = Room()
    room.mail()
    room.lane.stop()
    with logged() as log:
        room.relay.under_way[0].end(fault=CLOSED)
    assert log.events == []


def test_an_answer_of_the_spool_that_comes_after_stop_begins_nothing():
    room = Room(slow=True)
    room.store(2)
    room.lane.go()
    room.lane.stop()
    room.clock.advance(1)
    assert room.relay.tries == []
