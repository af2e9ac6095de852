"""What the front process logs is written by another one, which may not keep up."""

from __future__ import annotations

import json

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger, eventFromJSON
from twisted.python.failure import Failure

from multisendcon_plugin.daemon.log import line
from multisendcon_plugin.front import events
from multisendcon_plugin.front.channel import FrameType
from tests.front.channels import frames


class Logged:
    """A front process' log, and what has been handed over of it."""

    def __init__(self):
        self.clock = Clock()
        self.channel, _, _ = frames()
        self.transport = StringTransport()
        self.channel.makeConnection(self.transport)
        observer = events.Events(self.channel, self.clock)
        self.log = observer.log = Logger("front", observer=observer)

    def events(self):
        other, got, _ = frames()
        other.dataReceived(self.transport.value())
        assert {kind for kind, _, _ in got} <= {FrameType.LOG}
        return [json.loads(octets) for _, _, octets in got]

    def texts(self):
        return [event["log_format"] for event in self.events()]


@pytest.fixture
def logged(monkeypatch):
    monkeypatch.setattr(events, "MOST_UNREAD", 2000)
    return Logged()


def test_a_log_that_nobody_reads_does_not_grow_for_ever(logged):
    logged.channel.pauseProducing()
    for _ in range(100):
        logged.log.info("a client")
    written = len(logged.events())
    assert 1 < written < 20

    logged.channel.resumeProducing()
    logged.log.info("another one")
    *_, last, missing = logged.events()
    assert last["log_format"] == "another one"
    assert missing["count"] == 100 - written


def test_a_log_that_is_read_is_whole(logged):
    for _ in range(100):
        logged.channel.pauseProducing()
        logged.log.info("a client")
        logged.channel.resumeProducing()
        logged.log.info("a client")
    assert logged.texts() == ["a client"] * 200


def test_what_strangers_say_is_harmless_when_it_is_written(logged):
    logged.log.info("{host} rejected: {reply}", host="a\x1b[2J", reply="\ud800\u202e\nb")
    [event] = logged.events()
    assert line(eventFromJSON(json.dumps(event))).endswith(
        " [front#info] a\\x1b[2J rejected: \\ud800\\u202e\\nb\n"
    )


def test_an_exception_goes_with_its_text(logged):
    logged.log.failure("trouble", Failure(ValueError("what was wrong")))
    [event] = logged.events()
    assert event["log_failure"]["value"] == "what was wrong"


def test_events_of_security_are_never_left_out(logged):
    logged.channel.pauseProducing()
    for n in range(5):
        for _ in range(100):
            logged.log.info("a client")
        logged.log.warn("a wrong login", security=True, number=n)
    logins = [event for event in logged.events() if event["log_format"] == "a wrong login"]
    assert [event["number"] for event in logins] == list(range(5))


def test_a_gap_is_told_although_nothing_else_is_logged(logged):
    logged.channel.pauseProducing()
    for _ in range(100):
        logged.log.info("a client")
    written = len(logged.events())
    logged.clock.advance(events.GAP_TOLD_AFTER)
    *_, last = logged.events()
    assert last["count"] == 100 - written
    assert logged.clock.getDelayedCalls() == []


def test_each_minute_of_a_gap_is_told(logged):
    logged.channel.pauseProducing()
    logged.log.info("x" * 2000)
    for minute in range(1, 4):
        for _ in range(minute * 10):
            logged.log.info("a client")
        logged.clock.advance(events.GAP_TOLD_AFTER)
    assert [event["count"] for event in logged.events()] == [11, 20, 30]


def test_a_gap_that_has_been_told_is_not_told_again(logged):
    logged.channel.pauseProducing()
    for _ in range(100):
        logged.log.info("a client")
    logged.channel.resumeProducing()
    logged.log.info("another one")
    told = len(logged.events())
    logged.clock.advance(events.GAP_TOLD_AFTER)
    assert len(logged.events()) == told
