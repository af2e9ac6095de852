"""The log as JSON: one object a line, whatever is said, and what docs/log.rst promises."""

from __future__ import annotations

import json
import re
from pathlib import Path
from unicodedata import category

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import (
    Logger,
    LogLevel,
    capturedLogs,
    eventAsJSON,
    eventFromJSON,
)
from twisted.python.failure import Failure

from multisendcon_plugin import events
from multisendcon_plugin.daemon import log
from multisendcon_plugin.daemon.event_log import EventLog, event_type
from multisendcon_plugin.daemon.json_lines import json_line
from multisendcon_plugin.mail.envelope import Client
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.judgement import Judgement
from tests.daemon.test_event_log import SAID, STATE
from tests.daemon.test_log import event_of
from tests.queues import CLOSED, NOW, attempt, clock_now, delivery

DOCUMENT = Path(__file__).parents[2] / "docs" / "log.rst"
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def lines_of(event):
    """Return the lines of an event that is published."""
    publisher = events.Publisher()
    EventLog(publisher, clock_now())
    with capturedLogs() as said:
        publisher.publish(event)
    return [json_line(each) for each in said]


def strictly(line):
    """Read a line of JSON as it has to be, and return its object."""
    assert line.endswith("\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(line, parse_constant=refuse)


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *texts_in(each))
    elif isinstance(value, list):
        for each in value:
            yield from texts_in(each)


def test_an_event_is_an_object_with_its_fields():
    client = Client("192.0.2.7", "joe", "scanner", "TLSv1.3 X")
    made = delivery(1)
    envelope = attrs.evolve(made.message.envelope, client=client)
    made = attrs.evolve(made, message=attrs.evolve(made.message, envelope=envelope))
    [line] = lines_of(events.MailAccepted((made,)))
    read = strictly(line)
    at, time = read.pop("time_at"), read.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert time > 1e9
    assert read == {
        "level": "info",
        "event": "mail_accepted",
        "text": "1: accepted from <s@a.example> (client 192.0.2.7, user joe, TLSv1.3 X, HELO"
        " scanner), 10 bytes, for <r@b.example> by A (test)",
        "id": "1",
        "sender": "s@a.example",
        "client": {"address": "192.0.2.7", "user": "joe", "helo": "scanner", "tls": "TLSv1.3 X"},
        "size": 10,
        "recipients": [{"address": "r@b.example", "account": "A", "reason": "test"}],
    }


def test_an_attempt_says_what_follows():
    one = delivery(1)
    session = "192.0.2.1 to 192.0.2.2 port 25"
    ended = attrs.evolve(attempt(one, Verdict.DEFERRED), session=session, policy="dane")
    judgement = Judgement(remaining=attrs.evolve(one, due=NOW + 60))
    [line] = lines_of(events.AttemptEnded(one, ended, judgement, NOW))
    read = strictly(line)
    assert read["verdict"] == "deferred"
    assert (read["session"], read["policy"]) == (session, "dane")
    assert (read["due"], read["next_account"]) == (NOW + 60, "A")
    assert read["due_at"].endswith("Z")


def test_very_many_recipients_are_told_in_several_lines_that_a_journal_takes():
    """The journal cuts a line at 48 KiB, and half an object is none."""
    address = "é" * 200 + "{}@b.example"
    many = delivery(1, recipients=tuple(address.format(n) for n in range(300)))
    lines = lines_of(events.MailAccepted((many,)))
    assert max(map(len, lines)) < 48 * 1024
    told = [each["address"] for line in lines for each in strictly(line)["recipients"]]
    assert told == [each.address for each in many.recipients]


@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_whatever_strangers_say_is_one_line_of_good_json(reply, user, recipients):
    state = STATE | {"user": user, "recipients": tuple(recipients), "command": user}
    refused = events.CommandRefused(reply=Reply(550, "5.7.1", reply), more=0, **state)
    for event in (refused, events.LoginRefused("192.0.2.1", user)):
        [line] = lines_of(event)
        read = strictly(line)
        assert read["user"].isascii() or read["user"] in user or "\\" in read["user"]
        for text in texts_in(read):
            assert {category(each) for each in text}.isdisjoint(UNSEEN)


@given(st.text(), st.text())
def test_what_others_log_is_good_json_too(text, said):
    from_front = event_of(LogLevel.warn, "{it} {more}", it=said, more=text, account=said)
    event = event_of(LogLevel.warn, "{it} " + text, it=said, account=said)
    for each in (event, eventFromJSON(eventAsJSON(from_front))):
        read = strictly(json_line(each))
        assert read["event"] == "message"
        assert read["namespace"] == "some.room"
        for found in texts_in(read):
            assert {category(character) for character in found}.isdisjoint(UNSEEN)


def test_what_is_shown_is_what_the_log_for_people_shows():
    read = strictly(json_line(event_of(LogLevel.info, "{it}", it="\x1b[2J\u202e \ud800 é")))
    assert read["text"] == r"\x1b[2J\u202e \ud800 é"


def test_a_message_has_no_fields_but_a_few():
    """What libraries log has fields of any type, and secrets of others among them."""
    event = event_of(LogLevel.info, "text", account="A", password="s3cret", thing=object())
    read = strictly(json_line(event))
    assert set(read) == {"time", "time_at", "level", "event", "text", "namespace", "account"}


def test_a_traceback_is_one_field():
    failure = Failure(ValueError("\x1b[2J\u202e\n" * 100_000 + "y" * 100_000))
    read = strictly(json_line(event_of(LogLevel.critical, "trouble", log_failure=failure)))
    assert (read["level"], read["text"]) == ("critical", "trouble")
    lines = read["traceback"].split("\n")
    assert lines[0].startswith("Traceback ")
    assert len(lines) <= 200
    assert all(each.isprintable() for each in lines)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_json_has_not_is_null(number):
    [line] = lines_of(events.FrontProcessEnded("ended", number))
    assert strictly(line)["pause"] is None


def test_nothing_said_is_no_line():
    assert json_line({"log_format": ""}) is None


def test_an_event_from_elsewhere_has_less():
    read = strictly(json_line({"log_format": "text"}))
    assert read == {
        "time": None, "level": "info", "event": "message", "text": "text", "namespace": None
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "utf-8"])
def test_the_file_of_the_daemon_has_them(tmp_path, encoding):
    file = (tmp_path / "log").open("w", encoding=encoding)
    told = log.Log(file, MemoryReactorClock(), json_line)
    for text in ("first", "\ud800 東京 é \x80", "last"):
        told(event_of(LogLevel.info, text))
    texts = [strictly(line)["text"] for line in (tmp_path / "log").open(encoding=encoding)]
    assert texts == ["first", r"\ud800 東京 é \x80", "last"]


def documented():
    """Return the fields of each event as the document has them."""
    rows = re.findall(r"^``(\w+)`` +(.*(?:\n {5,}.*)*)", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return {name: set(re.findall(r"``(\w+)``", fields)) for name, fields in rows}


def test_each_event_has_the_fields_that_are_documented():
    rows = documented()
    faulted = events.AccountFaulted("A", CLOSED, NOW, changed=True)
    for event in [event for event, _, _ in SAID] + [faulted]:
        name = event_type(type(event))
        for line in lines_of(event):
            fields = set(strictly(line)) - {"time", "time_at", "level", "event", "text"}
            assert fields | {"due_at"} == rows[name] | {"due_at"}, name


def test_a_failure_of_a_subscriber_is_a_message(monkeypatch):
    """It has a field of its own that tells of an event."""
    publisher = events.Publisher()
    publisher.subscribe(events.SpoolHasRoom, lambda _: 1 / 0)
    said = []
    monkeypatch.setattr(events.Publisher, "log", Logger("events", observer=said.append))
    publisher.publish(events.SpoolHasRoom())
    read = strictly(json_line(said[0]))
    assert read["event"] == "message"
    assert "ZeroDivisionError" in read["traceback"]
