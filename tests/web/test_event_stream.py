"""Server-Sent Events."""

from __future__ import annotations

import json

from multisendcon_plugin import events
from multisendcon_plugin.web.api import MOST_LISTENERS
from multisendcon_plugin.web.event_stream import HEARTBEAT, MOST_WAITING
from tests.web.browser import Browser

ROOM = events.SpoolHasRoom()


def listening(browser, *headers):
    connection = browser.connect()
    connection.send("GET", "/api/v1/events", b"", headers)
    head, _, rest = connection.taken().partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"Content-Type: text/event-stream" in head
    assert b"X-Accel-Buffering: no" in head
    return connection, rest


def unchunked(octets):
    """Return what stands in the chunks."""
    found = b""
    while octets:
        size, _, octets = octets.partition(b"\r\n")
        found, octets = found + octets[: int(size, 16)], octets[int(size, 16) + 2 :]
    return found


def test_what_happens_is_told():
    browser = Browser()
    connection, beat = listening(browser)
    assert unchunked(beat) == b":\n\n"
    browser.desk.events.publish(ROOM)
    number, event, data, *_ = unchunked(connection.taken()).decode().split("\n")
    assert number.startswith("id: ")
    assert event == "event: spool_has_room"
    assert json.loads(data.removeprefix("data: "))["event"] == "spool_has_room"


def test_who_comes_again_hears_what_was_missed():
    browser = Browser()
    first, _ = listening(browser)
    browser.desk.events.publish(ROOM)
    number = unchunked(first.taken()).decode().split("\n")[0].removeprefix("id: ")
    browser.desk.events.publish(ROOM)
    first.lose()
    for last, told in ((number, 1), (str(int(number) - 1), 2), ("0", 2), ("x", 0), ("9" * 30, 0)):
        _, rest = listening(browser, ("Last-Event-ID", last))
        assert unchunked(rest).count(b"event: spool_has_room") == told


def test_a_client_hears_that_the_connection_is_there():
    browser = Browser()
    connection, _ = listening(browser)
    browser.desk.clock.advance(HEARTBEAT)
    assert unchunked(connection.taken()) == b":\n\n"


def test_a_client_that_does_not_read_is_sent_away_and_one_that_reads_again_is_not():
    browser = Browser()
    connection, _ = listening(browser)
    connection.producer.pauseProducing()
    browser.desk.events.publish(ROOM)
    size = len(unchunked(connection.taken()))
    for _ in range(MOST_WAITING // size - 1):
        browser.desk.events.publish(ROOM)
    assert not connection.transport.aborted
    connection.producer.resumeProducing()
    browser.desk.events.publish(ROOM)
    connection.producer.pauseProducing()
    for _ in range(MOST_WAITING // size):
        browser.desk.events.publish(ROOM)
    assert not connection.transport.aborted
    browser.desk.events.publish(ROOM)
    assert connection.transport.aborted


def test_nothing_is_left_of_a_client_that_has_gone():
    browser = Browser()
    connection, _ = listening(browser)
    connection.lose()
    browser.desk.events.publish(ROOM)
    browser.desk.operations.live.stop()
    assert browser.desk.clock.getDelayedCalls() == []


def test_so_many_may_listen():
    browser = Browser()
    connections = [listening(browser)[0] for _ in range(MOST_LISTENERS)]
    answer = browser.get("/events")
    assert (answer.status, answer.json["error"]) == (
        503,
        "16 clients listen already; try again later",
    )
    connections[0].lose()
    listening(browser)
