"""Whoever need not sign in: in the demonstration only, on its machine only."""

from __future__ import annotations

import inspect

import pytest
from twisted.internet.address import IPv4Address

from multisendcon_plugin.service.page import web_server
from multisendcon_plugin.settings.admins import Admin, Role
from multisendcon_plugin.settings.web import WebSettings
from tests.page.door import FORM, Door

GUEST = Admin(name="you", role=Role.CONFIGURE)


@pytest.fixture
def here():
    return Door(guest=GUEST, peer=IPv4Address("TCP", "127.0.0.1", 50000))


def test_they_are_let_in_on_their_own_machine(here):
    assert b"you (configure)" in here.ask("GET", "/").body
    assert here.ask("GET", "/api/v1/accounts").status == 200


def test_they_are_not_from_elsewhere():
    far = Door(guest=GUEST, peer=IPv4Address("TCP", "192.0.2.7", 50000))
    assert b"Sign out" not in far.ask("GET", "/").body
    assert far.ask("GET", "/api/v1/accounts").status == 401


def test_a_page_of_theirs_goes_on_hearing_what_happens(here):
    connection = here.connect()
    connection.send("GET", "/live")
    for _ in range(5):
        here.desk.clock.advance(1)
    assert b"event: board" in connection.taken()
    assert not connection.transport.disconnecting


def test_pages_of_others_do_nothing_in_their_name(here):
    assert here.ask("POST", "/api/v1/queue/hold", b'{"ids": ["1"]}').status == 403
    fields = [FORM, ("Sec-Fetch-Site", "cross-site")]
    assert here.ask("POST", "/sign-out", b"token=", fields).status == 403
    assert here.ask("GET", "/", headers=[("Host", "evil.example")]).status == 421


def test_no_configuration_has_one():
    assert "guest" not in inspect.signature(web_server).parameters
    assert not hasattr(WebSettings(), "guest")
