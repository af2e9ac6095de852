"""What is said in the log of mails, and what it costs."""

from __future__ import annotations

import io
import math
import re

import attrs
import pytest
from twisted.logger import (
    LegacyLogObserverWrapper,
    Logger,
    LogLevel,
    capturedLogs,
    formatEvent,
    textFileLogObserver,
)
from twisted.python.log import textFromEventDict

from multisendcon_plugin.daemon.event_log import EventLog
from multisendcon_plugin.events import AccountRecovered, AttemptEnded, MailAccepted
from multisendcon_plugin.mail.envelope import Client
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Outcome, Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.outcome.judgement import Judgement
from tests.queues import NOW, attempt, clock_now, delivery, in_the_log, logged, turn

MANY = tuple(f"r{n}@b.example" for n in range(1050))
TO_MANY = delivery(1, recipients=MANY)


def replying(to_many, reply):
    """Return an attempt in which each recipient has a reply of its own."""
    plain = attempt(to_many, Verdict.DEFERRED)
    return attrs.evolve(
        plain,
        outcomes=tuple(attrs.evolve(each, reply=reply(n)) for n, each in enumerate(plain.outcomes)),
    )


def publish(event):
    """Have the log say an event; return the clock that gives it more turns for that."""
    clock = clock_now()
    in_the_log(clock).publish(event)
    return clock


def told(attempt, judgement):
    """Return the texts, as many as come without a pause in a list."""
    with logged() as log:
        clock = publish(AttemptEnded(TO_MANY, attempt, judgement, NOW))
        turns = [log.texts(LogLevel.info)]
        while clock.getDelayedCalls():
            before = len(log.events)
            turn(clock)
            turns.append(log.texts(LogLevel.info)[before:])
    return turns


def test_recipients_of_whom_the_same_is_said_share_a_line():
    ended = attempt(TO_MANY)
    (lines,) = told(ended, Judgement(remaining=None, delivered=ended.outcomes))
    assert len(lines) == 1050 / 50
    assert [each for line in lines for each in re.findall("<(.*?)>", line)] == list(MANY)
    assert all("> delivered by account A: 250 " in line for line in lines)


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        (None, ""),
        (Client("local", "", "x", ""), " (client local, no TLS, HELO x)"),
        (
            Client("192.0.2.7", "joe", "scanner", "TLSv1.3 X"),
            " (client 192.0.2.7, user joe, TLSv1.3 X, HELO scanner)",
        ),
    ],
)
def test_who_has_handed_a_message_in_is_told(client, shown):
    made = delivery(1)
    envelope = attrs.evolve(made.message.envelope, client=client)
    made = attrs.evolve(made, message=attrs.evolve(made.message, envelope=envelope))
    with capturedLogs() as events:
        publish(MailAccepted((made,)))
    (event,) = events
    assert f": accepted from <{envelope.reverse_path}>{shown}, " in event["text"]
    assert event["client"] == (client and client._asdict())


def test_what_came_of_each_is_said():
    three = delivery(1, recipients=MANY[:3])
    ended = attempt(three, Verdict.DELIVERED, Verdict.FAILED, Verdict.DEFERRED)
    judgement = Judgement(
        remaining=attrs.evolve(three, due=NOW + 60),
        delivered=ended.outcomes[:1],
        failed=ended.outcomes[1:2],
    )
    with logged() as log:
        publish(AttemptEnded(three, ended, judgement, NOW))
    first, second, third = log.texts(LogLevel.info)
    assert "<r0@b.example> delivered by" in first
    assert "<r1@b.example> failed by" in second
    assert "next attempt" not in first + second
    assert "<r2@b.example> deferred by" in third
    assert third.endswith("; next attempt in 60 s")


def test_those_who_are_left_to_another_transaction_are_counted():
    ended = attempt(TO_MANY, *[Verdict.DELIVERED] * 100, *[Verdict.DEFERRED] * 950)
    too_many = Reply(0, "4.5.3", "no more than 100 recipients at a time")
    ended = attrs.evolve(
        ended,
        outcomes=ended.outcomes[:100]
        + tuple(
            attrs.evolve(each, reply=too_many, action=Action.SPLIT) for each in ended.outcomes[100:]
        ),
    )
    judgement = Judgement(remaining=attrs.evolve(TO_MANY, due=NOW), delivered=ended.outcomes[:100])
    (lines,) = told(ended, judgement)
    assert len(lines) == 3
    assert lines[-1] == (
        "1: 950 recipients left to another transaction by account A:"
        " 4.5.3 no more than 100 recipients at a time; next attempt in 0 s"
    )


def test_very_many_answers_are_told_in_several_turns():
    ended = replying(TO_MANY, lambda n: Reply(450, "4.2.0", f"box {n} is full"))
    turns = told(ended, Judgement(remaining=TO_MANY, delayed=ended.outcomes))
    assert [len(turn) for turn in turns] == [100] * 10 + [50]


def test_outcomes_are_not_compared_with_each_other(monkeypatch):
    compared = []
    monkeypatch.setattr(Outcome, "__eq__", lambda *both: compared.append(both) or False)
    refused = replying(TO_MANY, lambda n: Reply(550, "5.1.1", f"no box {n}"))
    judgement = Judgement(remaining=None, failed=refused.outcomes)
    told(refused, judgement)
    assert len(compared) < len(MANY)


@pytest.mark.parametrize("word", ["{id}", "}{", "{{x}}", "{0}", "{id()}", "%s %(id)s 100 %"])
def test_nothing_in_a_text_is_taken_for_a_field(word):
    one = delivery(1, recipients=(f'"{word}"@b.example',))
    refused = replying(one, lambda _: Reply(550, "5.1.1", word))
    written = io.StringIO()
    with capturedLogs() as events:
        judgement = Judgement(remaining=None, failed=refused.outcomes)
        publish(AttemptEnded(one, refused, judgement, NOW))
    textFileLogObserver(written)(*events)
    (event,) = events
    text = f'1: <"{word}"@b.example> failed by account A: 550 5.1.1 {word}'
    assert written.getvalue().endswith(f" [multisendcon_plugin.daemon.event_log#info] {text}\n")
    legacy = []
    LegacyLogObserverWrapper(legacy.append)(event)
    assert textFromEventDict(legacy[0]) == text
    assert (event["text"], event["id"], event["reply"]) == (text, "1", f"550 5.1.1 {word}")


def test_an_event_is_one_that_a_logger_would_publish():
    text = "account a {b} works again"
    with capturedLogs() as events:
        publish(AccountRecovered("a {b}"))
        Logger(namespace=EventLog.__module__).info(
            "account a {{b}} works again",
            text=text,
            account="a {b}",
            event_type="account_recovered",
        )
    ours, usual = events
    assert formatEvent(ours) == formatEvent(usual) == text
    assert ours.keys() == usual.keys()
    same = ours.keys() - {"log_logger", "log_time", "log_source"}
    assert {key: ours[key] for key in same} == {key: usual[key] for key in same}


LONG = tuple(f"{n:064}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.example" for n in range(1000))


def test_a_mail_for_very_many_is_accepted_in_lines_that_name_all_of_them():
    """One line of 347 KB before, of which the log would now keep 8."""
    many = delivery(1, recipients=LONG)
    with logged() as log:
        publish(MailAccepted((many,)))
    lines = log.texts(LogLevel.info)
    assert max(map(len, lines)) < 5_000
    assert all(" accepted from <" in line and " bytes, for <" in line for line in lines)
    assert [each for line in lines for each in re.findall("<([^>]*?)> by A", line)] == list(LONG)


@pytest.mark.parametrize(("recipients", "lines"), [(LONG, 1000 / 12), (MANY[:1000], 1000 / 50)])
def test_lines_of_long_addresses_have_fewer_of_them(recipients, lines):
    ended = attempt(delivery(1, recipients=recipients))
    with logged() as log:
        judged = Judgement(remaining=None, delivered=ended.outcomes)
        publish(AttemptEnded(delivery(1, recipients=recipients), ended, judged, NOW))
    texts = log.texts(LogLevel.info)
    assert len(texts) == math.ceil(lines)
    assert max(map(len, texts)) < 5_000
    assert [each for text in texts for each in re.findall("<(.*?)>", text)] == list(recipients)
