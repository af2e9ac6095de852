"""What the front process logs is written by another one, which may not keep up."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger, eventFromJSON
from twisted.python.failure import Failure

from multisendcon_plugin import events as facts
from multisendcon_plugin.daemon.log import line
from multisendcon_plugin.front import events
from multisendcon_plugin.front.channel import FrameType
from multisendcon_plugin.mail.reply import Reply
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

    def frames(self):
        other, got, _ = frames()
        other.dataReceived(self.transport.value())
        return [(kind, octets) for kind, _, octets in got]

    def events(self):
        got = self.frames()
        assert {kind for kind, _ in got} <= {FrameType.LOG}
        return [json.loads(octets) for _, octets in got]

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


# Facts about clients.

ABOUT_CLIENTS = [
    facts.ClientRefused("192.0.2.1", "allow"),
    facts.LimitReached("192.0.2.1", "max_connections (5) reached"),
    facts.ProxyRefused("192.0.2.1", "too long"),
    facts.CommandRefused(
        address="local",
        user="jörg",
        reply=Reply(550, "5.7.1", "two\nlines"),
        command="RCPT TO:<\ud800>",
        sender=None,
        recipients=("a@x.example", "b@x.example"),
        more=7,
    ),
    facts.SessionEnded(
        address="2001:db8::1",
        user="",
        why="it was slow",
        command="",
        sender="",
        recipients=(),
        more=0,
    ),
    facts.MailNotStored("192.0.2.1", Reply(452, "4.3.1", "full"), "no room"),
    facts.LoginAccepted("192.0.2.1", "joe"),
    facts.LoginRefused("192.0.2.1", "joe"),
    facts.EventsLeftOut("192.0.2.0/24", "CommandRefused", "550 5.7.1", 2950),
]


def test_each_fact_about_a_client_is_tried_here():
    assert {type(each) for each in ABOUT_CLIENTS} == set(get_args(facts.ClientEvent))


@pytest.mark.parametrize("fact", ABOUT_CLIENTS, ids=lambda each: type(each).__name__)
def test_a_fact_is_the_same_in_the_other_process(fact):
    assert events.read_event(events.event_octets(fact)) == fact


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{}",
        b'["Publisher", {}]',
        b'["MailAccepted", {"deliveries": []}]',
        b'["LoginRefused", {"address": "x"}]',
        b'["LoginRefused", {"address": "x", "user": "y", "more": "z"}]',
    ],
)
def test_what_is_no_fact_about_a_client_is_not_read(octets):
    with pytest.raises(Exception):  # noqa: B017, PT011 -- one of several
        events.read_event(octets)


def test_facts_and_lines_stay_in_their_order_and_share_what_may_be_unread(logged):
    publisher = facts.Publisher()
    logged.log.observer.subscribe_to(publisher)
    logged.log.info("before")
    publisher.publish(ABOUT_CLIENTS[0])
    logged.log.info("after")
    assert [kind for kind, _ in logged.frames()] == [FrameType.LOG, FrameType.EVENT, FrameType.LOG]
    logged.channel.pauseProducing()
    for _ in range(100):
        publisher.publish(ABOUT_CLIENTS[0])
    for login in ABOUT_CLIENTS[-3:]:
        publisher.publish(login)
    told = [octets for kind, octets in logged.frames() if kind is FrameType.EVENT]
    assert 1 < len(told) < 50
    # These are never left out.
    assert list(map(events.read_event, told[-3:])) == ABOUT_CLIENTS[-3:]
    logged.channel.resumeProducing()
    logged.log.info("another one")
    (*_, (kind, octets)) = logged.frames()
    assert kind is FrameType.LOG
    assert json.loads(octets)["count"] == 104 - len(told)
