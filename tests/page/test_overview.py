"""The page Overview as it is loaded."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from multisendcon_plugin.operations.parts import ROWS
from multisendcon_plugin.operations.values import Alarm, AlarmKind
from multisendcon_plugin.outcome.condition import State
from multisendcon_plugin.times import Time
from tests.operations.desk import Desk
from tests.page.viewer import Viewer
from tests.queue_world import account

HOSTILE = '"><script>alert(1)</script>\u202e'


def accounts(count):
    return tuple(account(f"A{n}") for n in range(count))


def names(answer):
    """Return the accounts that are shown, in order."""
    rows = answer.body.decode().split('<tr data-account="')[1:]
    return [row.partition('"')[0] for row in rows]


def test_accounts_that_need_somebody_come_first():
    viewer = Viewer(Desk(accounts(5)))
    viewer.desk.queue.states |= {"A3": State.LOGIN, "A1": State.SLOW, "A2": State.PAUSED}
    assert names(viewer.get("/")) == ["A3", "A1", "A2", "A0", "A4"]


def test_an_account_with_an_alarm_comes_before_those_that_are_well():
    alarm = Alarm(kind=AlarmKind.EXPIRES, account="A4", text="runs out", since=Time(0.0))
    viewer = Viewer(Desk(accounts(5), alarms=lambda: (alarm,)))
    answer = viewer.get("/")
    assert names(answer)[:2] == ["A4", "A0"]
    assert b"runs out" in answer.body


def test_an_alarm_about_mail_that_waits_leads_to_it():
    alarm = Alarm(kind=AlarmKind.OLDEST_MAIL, account="A/1", text="waits", since=Time(0.0))
    viewer = Viewer(Desk(accounts(1), alarms=lambda: (alarm,)))
    assert b'href="/queue?account=A%2F1"' in viewer.get("/").body


def test_thousands_of_accounts_are_paged_and_filtered():
    viewer = Viewer(Desk(accounts(250)))
    first = viewer.get("/")
    assert len(names(first)) == ROWS
    assert b"Page 1 of 3" in first.body
    assert b'href="/?page=2"' in first.body
    assert len(names(viewer.get("/?page=3"))) == 50
    assert names(viewer.get("/?page=99")) == names(viewer.get("/?page=3"))
    assert names(viewer.get("/?account=a24+9")) == ["A249"]
    viewer.desk.queue.states["A7"] = State.RESTING
    viewer.desk.clock.advance(1)
    assert names(viewer.get("/?state=resting")) == ["A7"]
    assert b"No account is like that" in viewer.get("/?account=nobody").body


@pytest.mark.parametrize("query", ["state=bad", "page=x", "page=-1", "page=%C2%B2"])
def test_what_cannot_be_understood_is_said(query):
    assert Viewer().get(f"/?{query}").status == 422


def test_what_others_write_is_text():
    alarm = Alarm(kind=AlarmKind.LOGIN, account="A0", text=HOSTILE, since=Time(0.0))
    viewer = Viewer(Desk(accounts(1), alarms=lambda: (alarm,)))
    viewer.desk.queue.more["A0"] = {"fault": HOSTILE}
    answer = viewer.get("/?account=" + "%22%3E%3Cscript%3E")
    assert b"<script>alert" not in answer.body
    assert b'value="&#34;&gt;&lt;script&gt;"' in answer.body
    body = viewer.get("/").body.decode()
    assert "<script>alert" not in body
    assert "\u202e" not in body
    assert body.count(r"\u202e") == 2


def test_nothing_is_run_or_styled_in_place():
    viewer = Viewer()
    body = viewer.get("/").body.decode()
    assert "style=" not in body
    assert "<style" not in body
    assert "onclick" not in body


def test_the_page_does_not_wait_for_long_until_all_is_counted():
    viewer = Viewer()
    viewer.desk.mail()
    counting = Deferred()
    viewer.desk.operations.overviews._survey._totals = lambda: counting
    answer = viewer.get("/")
    assert answer.status == 200
    assert 'data-cell="0-waiting">…<' in answer.body.decode()


def test_facts_of_the_relay_say_what_is_wrong():
    viewer = Viewer(Desk(history=type("History", (), {"trouble": "disk is full"})))
    body = viewer.get("/").body.decode()
    assert '<div class="bad"><dt>History</dt><dd data-cell="fact-history">disk is full</dd>' in body
    assert '<div><dt>New mail</dt><dd data-cell="fact-accepting">accepted</dd>' in body
