"""What becomes of facts: one story for each mail."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.events import (
    DeliveryDeleted,
    DeliveryHeld,
    DeliveryMoved,
    DeliveryReleased,
    ReportQueued,
)
from multisendcon_plugin.history import Kind, Search, StoryEvent
from multisendcon_plugin.history.records import QUEUED, Batch, Dated
from multisendcon_plugin.history.telling import story_of
from multisendcon_plugin.mail.message import queue_id
from multisendcon_plugin.outcome.attempt import Verdict
from tests.history.facts import CLIENT, accepted, delivery, message, tried
from tests.queues import CLOSED, NOW

SESSION = "mx.example, TLSv1.3"


def stories(*facts, set_by=0.0, subjects=True):
    """Return what the records of some facts tell, by number of the message."""
    batch = Batch(set_by, subjects)
    batch.add(facts)
    for news in batch.news.values():
        if not news.accepted:
            batch.begin(news, QUEUED, (news.delivery,))
    return {
        number: story_of(number, json.loads(json.dumps(news.records)))
        for number, news in batch.news.items()
    }


def story(*facts, **settings):
    return stories(*facts, **settings)[1]


def kinds(story):
    return [each.event.value for each in story.events]


def test_a_mail_that_is_delivered_at_once():
    of = message(message_id="<1@a.example>", subject="Hello")
    mail = delivery(of)
    told = story(accepted(mail), tried(mail))
    assert (told.id, told.arrived, told.sender) == (queue_id(1), NOW, "s@a.example")
    assert (told.recipients, told.size) == (("r@b.example",), 100)
    assert (told.message_id, told.subject) == ("<1@a.example>", "Hello")
    assert (told.client, told.user) == (CLIENT, "joe")
    shared = {"time": NOW + 1, "account": "A", "recipients": ("r@b.example",)}
    assert told.events == (
        StoryEvent(
            time=NOW,
            event=Kind.ACCEPTED,
            account="A",
            recipients=("r@b.example",),
            reason="test",
        ),
        StoryEvent(event=Kind.ATTEMPT, reply="250 2.0.0 taken", session=SESSION, **shared),
        StoryEvent(event=Kind.DELIVERED, reply="250 2.0.0 taken", session=SESSION, **shared),
        StoryEvent(time=NOW + 1, event=Kind.ENDED),
    )


def test_the_policy_for_tls_of_an_attempt_is_kept():
    mail = delivery()
    told = story(accepted(mail), tried(mail, policy="dane"))
    policies = [(each.event, each.policy) for each in told.events]
    assert policies[1:] == [(Kind.ATTEMPT, "dane"), (Kind.DELIVERED, "dane"), (Kind.ENDED, "")]


def test_accounts_with_a_server_have_the_records_that_they_had_before_there_were_policies():
    mail = delivery()
    batch = Batch(0.0, True)
    batch.add([tried(mail)])
    [record] = batch.news[1].records
    assert len(record) == 9


def test_each_recipient_has_the_account_that_takes_it_and_why():
    of = message(recipients=("a@x", "b@x", "c@x", "d@x"))
    told = story(
        accepted(
            delivery(of, "Sales", ("b@x",), n=0, reason="mask b@x"),
            delivery(of, "Rest", ("a@x", "d@x", "c@x"), n=1, reason="mask *"),
        )
    )
    assert [(each.account, each.recipients, each.reason) for each in told.events] == [
        ("Sales", ("b@x",), "mask b@x"),
        ("Rest", ("a@x", "d@x", "c@x"), "mask *"),
    ]


def test_the_outcomes_of_an_attempt_are_told_by_reply():
    mail = delivery(message(recipients=("a@x", "b@x", "c@x", "d@x")))
    verdicts = (Verdict.DELIVERED, Verdict.FAILED, Verdict.DEFERRED, Verdict.DEFERRED)
    told = story(accepted(mail), tried(mail, *verdicts))
    assert kinds(told) == ["accepted", "attempt", "delivered", "failed", "deferred"]
    _, attempt, delivered, failed, deferred = told.events
    assert attempt.recipients == ("a@x", "b@x", "c@x", "d@x")
    assert (delivered.recipients, delivered.due) == (("a@x",), None)
    assert (failed.recipients, failed.reply) == (("b@x",), "550 5.1.1 no such user")
    assert (deferred.recipients, deferred.reply) == (("c@x", "d@x"), "451 4.7.1 greylisted")
    assert NOW + 1 < deferred.due == attempt.due


def test_a_mail_that_may_have_arrived_has_not_ended():
    mail = delivery()
    assert kinds(story(accepted(mail), tried(mail, Verdict.UNCERTAIN))) == [
        *("accepted", "attempt", "uncertain"),
    ]


def test_a_mail_that_moves_since_its_account_cannot_be_used():
    mail = delivery()
    told = story(accepted(mail), tried(mail, fault=CLOSED, fallback="B"))
    assert kinds(told) == ["accepted", "attempt", "deferred", "moved"]
    _, attempt, _, moved = told.events
    assert attempt.reply == moved.reason == str(CLOSED)
    assert (moved.account, moved.to_account, moved.recipients) == ("A", "B", ("r@b.example",))


@pytest.mark.parametrize(
    ("reason", "told"), [("", "account A rests"), ("moved by hand", "moved by hand")]
)
def test_a_mail_that_is_moved(reason, told):
    mail = delivery()
    *_, moved = story(accepted(mail), Dated(NOW + 5, DeliveryMoved(mail, "B", reason))).events
    assert moved == StoryEvent(
        time=NOW + 5,
        event=Kind.MOVED,
        account="A",
        to_account="B",
        recipients=("r@b.example",),
        reason=told,
    )


def test_what_an_admin_does_is_told():
    of = message(recipients=("a@x", "b@x"))
    one, other = delivery(of, recipients=("a@x",)), delivery(of, "B", ("b@x",), n=1)
    told = story(
        accepted(one, other),
        Dated(NOW + 1, DeliveryHeld(one)),
        Dated(NOW + 2, DeliveryReleased(one)),
        Dated(NOW + 3, DeliveryDeleted(one, notified=True)),
        Dated(NOW + 4, DeliveryDeleted(other, notified=False)),
    )
    assert kinds(told) == [
        *("accepted", "accepted", "held", "released", "deleted", "deleted", "ended"),
    ]
    assert [(each.time, each.recipients, each.notified) for each in told.events[2:]] == [
        (NOW + 1, ("a@x",), False),
        (NOW + 2, ("a@x",), False),
        (NOW + 3, ("a@x",), True),
        (NOW + 4, ("b@x",), False),
        (NOW + 4, (), False),
    ]


def test_a_report_is_told_of_and_has_a_story_of_its_own():
    mail = delivery()
    notice = delivery(message(2, ("s@a.example",), sender="", arrived=NOW + 1.5), "B")
    told = stories(accepted(mail), tried(mail, Verdict.FAILED), ReportQueued(mail, notice))
    assert kinds(told[1]) == ["accepted", "attempt", "failed", "reported", "ended"]
    reported, ended = told[1].events[-2:]
    assert (reported.report, reported.time) == (queue_id(2), NOW + 1.5)
    assert ended.time == NOW + 1.5
    assert kinds(told[2]) == ["accepted"]
    assert (told[2].sender, told[2].events[0].account) == ("", "B")


def test_a_mail_that_was_in_the_queue_before_has_what_is_known():
    of = message(recipients=("a@x", "b@x"))
    mail = delivery(of, recipients=("b@x",), attempts=2)
    told = story(tried(mail))
    assert told.recipients == ("a@x", "b@x")
    assert kinds(told) == ["accepted", "attempt", "delivered"]  # nobody knows of a@x
    assert told.events[0].late
    assert kinds(story(tried(delivery(of)))) == ["accepted", "attempt", "delivered", "ended"]


def test_times_are_those_of_the_clock_on_the_wall():
    mail = delivery()
    told = story(accepted(mail), tried(mail, Verdict.DEFERRED), set_by=3600)
    assert told.arrived == NOW + 3600
    assert [each.time - NOW for each in told.events] == [3600, 3601, 3601]
    assert told.events[-1].due > NOW + 3601


def test_subjects_can_be_left_out():
    mail = delivery(message(subject="secret", message_id="<1@x>"))
    told = story(accepted(mail), subjects=False)
    assert (told.subject, told.message_id) == ("", "<1@x>")


@st.composite
def lives(draw):
    """Return all that happens to a mail, in order of time."""
    recipients = tuple(f"{n}@x" for n in range(draw(st.integers(1, 4))))
    cut = draw(st.integers(0, len(recipients) - 1))
    of = message(recipients=recipients)
    waiting = [delivery(of, "A", recipients[cut:])]
    if cut:
        waiting.append(delivery(of, "B", recipients[:cut], n=1))
    facts = [accepted(*waiting)]
    at = NOW
    for _ in range(draw(st.integers(0, 6))):
        if not waiting:
            break
        at += 1
        mail = waiting.pop(0)
        match draw(st.sampled_from(["try", "hold", "move", "delete"])):
            case "try":
                verdicts = draw(
                    st.lists(
                        st.sampled_from(Verdict),
                        min_size=len(mail.recipients),
                        max_size=len(mail.recipients),
                    )
                )
                facts.append(tried(mail, *verdicts, at=at))
                if facts[-1].judgement.remaining:
                    waiting.append(facts[-1].judgement.remaining)
            case "hold":
                facts.append(Dated(at, DeliveryHeld(mail)))
                waiting.append(mail)
            case "move":
                facts.append(Dated(at, DeliveryMoved(mail, "C")))
                waiting.append(mail.moved_to(("C", ""), "by hand", at))
            case "delete":
                facts.append(Dated(at, DeliveryDeleted(mail, notified=False)))
    return facts, not waiting


@given(lives(), st.data())
def test_facts_in_any_order_tell_the_same_consistent_story(life, data):
    facts, ended = life
    told = story(*facts)
    assert story(*data.draw(st.permutations(facts))) == told
    times = [each.time for each in told.events]
    assert times == sorted(times)
    assert kinds(told)[0] == "accepted"
    assert (kinds(told)[-1] == "ended") == ended
    assert kinds(told).count("ended") == ended
    assert all(set(each.recipients) <= set(told.recipients) for each in told.events)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (Search(), True),
        (Search(sender="S@A.EXAMPLE"), True),
        (Search(sender=""), False),
        (Search(recipient='"r"@B.example'), True),
        (Search(recipient="r@c.example"), False),
        (Search(message_id="1@x"), True),
        (Search(message_id="<1@x>"), True),
        (Search(message_id="<1@X>"), False),
        (Search(account="A"), True),
        (Search(account="B"), True),
        (Search(account="C"), False),
        (Search(since=NOW, until=NOW + 1), True),
        (Search(until=NOW), False),
        (Search(since=NOW + 0.1), False),
        (Search(sender="s@a.example", account="C"), False),
    ],
)
def test_a_search_finds_what_is_as_it_says(search, found):
    mail = delivery(message(message_id="<1@x>"))
    told = story(accepted(mail), Dated(NOW + 5, DeliveryMoved(mail, "B")))
    assert search.finds(told) == found
