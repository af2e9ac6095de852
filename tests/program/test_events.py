"""Who is told of an event, and what happens to whoever is not up to it."""

from __future__ import annotations

from functools import partial

import pytest

from multisendcon_plugin.events import (
    AccountRecovered,
    AttemptEnded,
    LoginRefused,
    Publisher,
    Result,
)
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Attempt, Outcome, Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.outcome.judgement import Judgement
from tests.queues import NOW, REPLIES, attempt, delivery, logged

EVENT, ANOTHER = AccountRecovered("A"), LoginRefused("192.0.2.1", "joe")


@pytest.fixture
def events():
    return Publisher()


def failing(_event):
    raise ZeroDivisionError("by nothing")


# Who is told.


def test_an_event_that_nobody_wants_is_told_nobody(events):
    with logged() as log:
        events.publish(EVENT)
    assert log.events == []


def test_all_who_have_subscribed_to_its_class_are_told_at_once_in_their_order(events):
    got = []
    events.subscribe(AccountRecovered, lambda event: got.append(("first", event)))
    events.subscribe(LoginRefused, lambda event: got.append(("other", event)))
    events.subscribe(AccountRecovered, lambda event: got.append(("second", event)))
    events.publish(EVENT)
    assert got == [("first", EVENT), ("second", EVENT)]
    events.publish(ANOTHER)
    assert got[2:] == [("other", ANOTHER)]


def test_who_has_unsubscribed_is_not_told_any_more(events):
    first, second = [], []
    unsubscribe = events.subscribe(AccountRecovered, first.append)
    events.subscribe(AccountRecovered, second.append)
    events.publish(EVENT)
    unsubscribe()
    events.publish(EVENT)
    assert (first, second) == ([EVENT], [EVENT] * 2)
    unsubscribe()
    events.publish(EVENT)
    assert len(second) == 3


def test_who_unsubscribes_while_it_is_told_takes_nothing_from_others(events):
    got = []

    def once(event):
        unsubscribe()
        got.append(event)

    unsubscribe = events.subscribe(AccountRecovered, once)
    events.subscribe(AccountRecovered, got.append)
    events.publish(EVENT)
    assert got == [EVENT] * 2
    events.publish(EVENT)
    assert got == [EVENT] * 3


# Who fails.


def test_who_fails_harms_neither_others_nor_the_room(events):
    got = []
    events.subscribe(AccountRecovered, failing)
    events.subscribe(AccountRecovered, got.append)
    with logged() as log:
        events.publish(EVENT)
    assert got == [EVENT]
    assert log.failures(ZeroDivisionError) == 1
    assert log.texts() == [
        "internal error of a subscriber to AccountRecovered (a bug); traceback follows"
    ]


def test_a_failure_is_logged_once_for_each_who_fails(events):
    with logged() as log:
        events.subscribe(AccountRecovered, failing)
        for _ in range(3):
            events.publish(EVENT)
        assert log.failures(ZeroDivisionError) == 1
        events.subscribe(AccountRecovered, partial(failing))
        for _ in range(3):
            events.publish(EVENT)
    assert log.failures(ZeroDivisionError) == 2


def test_who_has_failed_is_told_the_next_event(events):
    got = []

    def fails_once(event):
        got.append(event)
        if len(got) == 1:
            failing(event)

    events.subscribe(AccountRecovered, fails_once)
    with logged():
        events.publish(EVENT)
    events.publish(EVENT)
    assert got == [EVENT] * 2


# What came of an attempt.

THREE = delivery(1, recipients=("a@b.example", "b@b.example", "c@b.example"))
TAKEN, GREY, UNKNOWN = (
    REPLIES[each][1] for each in (Verdict.DELIVERED, Verdict.DEFERRED, Verdict.FAILED)
)


def results(ended, *, failed=()):
    outcomes = tuple(ended.outcomes[n] for n in failed)
    return AttemptEnded(THREE, ended, Judgement(remaining=THREE, failed=outcomes), NOW).results


def replying(*outcomes):
    """Return an attempt with a verdict, an action and a reply for each recipient."""
    outcomes = (
        Outcome(
            recipient=recipient,
            verdict=verdict,
            phase=REPLIES[verdict][0],
            reply=reply,
            action=action,
        )
        for recipient, (verdict, action, reply) in zip(THREE.recipients, outcomes, strict=True)
    )
    return Attempt(outcomes=tuple(outcomes))


def test_recipients_with_the_same_result_are_together():
    ended = attempt(THREE, Verdict.DELIVERED, Verdict.FAILED, Verdict.DELIVERED)
    assert results(ended, failed=[1]) == [
        Result(Verdict.DELIVERED, str(TAKEN), False, False, ["a@b.example", "c@b.example"]),
        Result(Verdict.FAILED, str(UNKNOWN), False, False, ["b@b.example"]),
    ]


def test_who_has_waited_for_too_long_has_failed_whatever_was_said():
    assert results(attempt(THREE, Verdict.DEFERRED), failed=[0, 1, 2]) == [
        Result(
            Verdict.FAILED, str(GREY), False, False, ["a@b.example", "b@b.example", "c@b.example"]
        )
    ]


def test_who_goes_to_another_account_or_transaction_waits():
    too_many = Reply(0, "4.5.3", "no more than 1")
    ended = replying(
        (Verdict.FAILED, Action.MOVE, UNKNOWN),
        (Verdict.DEFERRED, Action.SPLIT, too_many),
        (Verdict.UNCERTAIN, None, GREY),
    )
    assert results(ended) == [
        Result(Verdict.DEFERRED, str(UNKNOWN), True, False, ["a@b.example"]),
        Result(Verdict.DEFERRED, str(too_many), True, True, ["b@b.example"]),
        Result(Verdict.UNCERTAIN, str(GREY), True, False, ["c@b.example"]),
    ]
