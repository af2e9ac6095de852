"""The list of accounts, in order of priority."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.logins import LoginStanding
from multisendcon_plugin.operations.errors import NotFoundError
from multisendcon_plugin.operations.parts import ROWS, Part
from multisendcon_plugin.outcome.condition import State
from multisendcon_plugin.routing.account import REPORTS_ACCOUNT
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider
from tests.operations.desk import Desk
from tests.queue_world import account, direct


def listed(desk, **wanted):
    """Return a page, for which the reactor gets several turns."""
    got = []
    Deferred.fromCoroutine(desk.operations.account_list.page(Part(**wanted))).addCallback(
        got.append
    )
    while not got:
        desk.clock.advance(0)
    return got[0]


def names(page):
    return [each.status.name for each in page.rows]


def test_accounts_are_told_with_what_decides():
    oauth2 = OAuth2(provider=Provider.GOOGLE, grant=Grant.DEVICE)
    tokens = attrs.evolve(account("T", port=587), username="x", oauth2=oauth2)
    desk = Desk(
        [tokens, direct("D", senders="*@d.example")], logins=lambda _: LoginStanding(kind="token")
    )
    desk.mail(("D", "one@far.example"))
    page = listed(desk)
    one, other = page.rows
    assert (one.place, one.server, one.senders, one.by_person) == (
        1,
        "smtp.t.example:587",
        ("*",),
        True,
    )
    assert (other.place, other.server, other.senders) == (2, "", ("*@d.example",))
    assert other.status.waiting == 1
    assert (page.found, page.total, page.page, page.pages) == (2, 2, 1, 1)


def test_the_account_of_reports_has_no_place():
    desk = Desk([account("A")])
    desk.registry = AccountRegistry([account("A")], account(REPORTS_ACCOUNT))
    desk.queue.registry = desk.registry
    page = listed(desk)
    assert [(each.status.name, each.place) for each in page.rows] == [("A", 1), ("[ndr]", 0)]
    assert page.total == 1


def test_many_are_found_by_words_and_state():
    desk = Desk([account(f"A{n}", senders=f"*@d{n}.example") for n in range(1200)])
    desk.queue.states["A7"] = desk.queue.states["A1100"] = State.RESTING
    assert names(listed(desk, words=("D1100.",))) == ["A1100"]
    assert names(listed(desk, state=State.RESTING)) == ["A7", "A1100"]
    page = listed(desk, words=("a", "example"), page=99)
    assert (page.found, page.total, page.page, page.pages) == (1200, 1200, 12, 12)
    assert names(page) == [f"A{n}" for n in range(1200 - ROWS, 1200)]


def test_one_is_told_with_its_place():
    desk = Desk()
    row = desk.ask(desk.operations.account_list.one("Lab"))
    assert (row.place, row.recipients) == (2, ("*@far.example",))


def test_a_name_that_nobody_has():
    desk = Desk()
    with pytest.raises(NotFoundError, match="Nobody"):
        desk.ask(desk.operations.account_list.one("Nobody"))
