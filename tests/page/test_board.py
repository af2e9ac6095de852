"""The overview as it is written for people, its small graphs, and the rows of the flow."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.operations.overview import Overview
from multisendcon_plugin.operations.parts import Part
from multisendcon_plugin.operations.values import (
    AccountCounts,
    AccountStatus,
    Quota,
    SpoolStatus,
    Status,
)
from multisendcon_plugin.outcome.condition import State
from multisendcon_plugin.page.board import board, changed
from multisendcon_plugin.page.filters import address_of_part, part_of
from multisendcon_plugin.page.graphs import HEIGHT, bars
from multisendcon_plugin.page.passing import row
from multisendcon_plugin.times import Time

NOW = Time(1_700_000_000.0)


def account(name="Sales", state=State.OK, **more):
    known = {
        "type": "smtp",
        "enabled": True,
        "fault": "",
        "since": None,
        "until": None,
        "waiting": 0,
        "held": 0,
        "oldest": None,
        "active": 0,
        "connections": 0,
        "counts": AccountCounts(),
    }
    return AccountStatus(name=name, state=state, **(known | more))


def drawn(*accounts, now=NOW, counted=True, by_minute=None, alarms=()):
    status = Status(
        version="1",
        started=Time(NOW - 7200),
        accepting=True,
        waiting=1234,
        held=0,
        oldest=None,
        accounts=accounts,
        alarms=alarms,
        history="on",
        front="none",
        spool=SpoolStatus(full=False, broken=False, error=""),
    )
    overview = Overview(
        status=status,
        counted=counted,
        states={State.OK: len(accounts)},
        found=len(accounts),
        page=1,
        by_minute=by_minute or {},
    )
    return board(overview, Part(), now)


def test_a_row():
    quota = Quota(quota="30 mails/1m", used=18, left=12, opens=None)
    [told] = drawn(
        account(
            fault="535 no",
            until=Time(NOW + 100),
            waiting=3,
            held=2,
            oldest=Time(NOW - 3700),
            resting_destinations=4,
            quota=(quota,),
            counts=AccountCounts(rate=1.25, last_success=Time(NOW - 5)),
        ),
        by_minute={"Sales": (0, 2, 1)},
    ).rows
    assert told.cells == {
        "reason": "535 no; 4 destinations rest",
        "until": "22:15 UTC, in 1 min",
        "waiting": "3",
        "held": "2 held",
        "oldest": "1 h 1 min",
        "rate": "1.2",
        "most": "most 2",
        "graph": "M0 20H1V0H2V10H3V20Z",
        "success": "under 1 min",
        "quota": "12 left of 30 mails/1m",
    }


def test_what_is_being_counted_is_not_told_as_none():
    told = drawn(account(), counted=False)
    assert told.cells["fact-waiting"] == told.cells["0-waiting"] == "…"


def test_cells_that_have_changed():
    before = drawn(account(), account("Lab"))
    assert changed(before, before) == {}
    assert changed(before, drawn(account(), account("Lab", waiting=1))) == {"1-waiting": "1"}


def test_seconds_alone_change_nothing():
    busy = account(oldest=Time(NOW - 120), counts=AccountCounts(last_success=Time(NOW - 90)))
    assert changed(drawn(busy), drawn(busy, now=Time(NOW + 20))) == {}


def test_another_shape_is_no_change_of_cells():
    before = drawn(account(), account("Lab"))
    for after in (
        drawn(account("Lab"), account()),
        drawn(account(state=State.SLOW), account("Lab")),
        drawn(account()),
    ):
        assert changed(before, after) is None


@given(st.text(), st.sampled_from([None, *State]), st.integers(1, 10**8))
def test_a_link_leads_to_the_part_that_it_is_of(words, state, page):
    part = Part(words=tuple(words.casefold().split()), state=state, page=page)
    found = dict(re.findall(r"(\w+)=([^&]*)", address_of_part("/", part)))
    assert part_of({name: unquote_plus(value) for name, value in found.items()}) == part


@given(st.lists(st.integers(0, 10**6), max_size=61))
def test_a_graph_stays_in_its_frame(values):
    path = bars(values)
    assert bool(path) == any(values)
    assert all(0 <= int(y) <= HEIGHT for y in re.findall(r"V(\d+)", path))
    assert all(0 <= int(x) <= len(values) for x in re.findall(r"H(\d+)", path))
    if path:
        assert path.endswith(f"V{HEIGHT}Z")


def test_a_row_of_the_flow_is_short():
    told = row(
        {
            "id": "AB1",
            "time": NOW,
            "event": "moved",
            "sender": "",
            "recipients": ["x" * 500],
            "account": "Sales",
            "to_account": "Lab",
            "reply": "",
            "reason": "y" * 500,
        }
    )
    assert told["sender"] == "<>"
    assert told["account"] == "Sales → Lab"
    assert len(told["recipients"]) == len(told["reply"]) == 200
    assert told["time"] == "22:13:20"
