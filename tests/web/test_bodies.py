"""The bodies of requests: how long each may be, and all together."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from multisendcon_plugin.web import site
from multisendcon_plugin.web.site import Body, Room
from tests.web.browser import Browser

BODY = b'{"ids": ["1"]}'


@pytest.fixture
def browser(monkeypatch):
    """A client of a site with room for one body and a half."""
    monkeypatch.setattr(site, "MOST_OF_BODIES", len(BODY) * 3 // 2)
    return Browser()


def begun(browser):
    """Return a connection by which a body has come but for its end."""
    connection = browser.connect()
    head = f"POST /api/v1/queue/hold HTTP/1.1\r\nHost: relay\r\nContent-Length: {len(BODY)}\r\n\r\n"
    connection.channel.dataReceived(head.encode() + BODY[:-1])
    return connection


def held(browser):
    connection = browser.connect()
    connection.send("POST", "/api/v1/queue/hold", BODY)
    return connection.answer("POST").status


def test_clients_share_the_room(browser):
    begun(browser)
    assert held(browser) == 413


def test_an_answer_gives_the_room_back(browser):
    for _ in range(3):
        assert held(browser) == 404


def test_a_client_that_goes_gives_the_room_back(browser):
    begun(browser).channel.connectionLost(Failure(ConnectionDone()))
    assert held(browser) == 404


def test_what_is_too_long_takes_no_more_room(monkeypatch):
    monkeypatch.setattr(site, "LONGEST_BODY", 10)
    room = Room()
    whole = room.left
    body = Body(room)
    assert [body.write(b"x" * each) for each in (8, 3, 1)] == [8, 0, 0]
    assert (body.too_long, body.getvalue(), room.left) == (True, b"x" * 8, whole - 8)
    body.close()
    assert room.left == whole
