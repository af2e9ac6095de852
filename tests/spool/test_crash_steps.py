"""The relay is killed at each step of its work: what was answered with 250 is never lost.

What a crash costs at each step is what the table in ``docs/INTERNALS.rst`` says.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contracts.stores import HastySqliteStore, MemoryStore
from tests.crash_world import ACCOUNTS, DIRECT, CrashWorld, Mail
from tests.queue_world import World, account, closed, silent
from tests.queues import NOW, logged

#: Each state in which the relay can die, and what that costs.
ROWS = re.findall(
    r"^\**(\w+(?:,? \w+)*)\**  .*  (nothing|at most a duplicate)",
    (Path(__file__).parents[2] / "docs/INTERNALS.rst").read_text("utf-8"),
    re.MULTILINE,
)


def mail(n, sender, *recipients, at=0.0):
    return Mail(f"mail {n}", f"{sender}.{n}@home.example", recipients, NOW + at)


#: So many mails may be reserved at a death, and not begun.
CONNECTIONS = 2
#: Its server takes it, and the connection is lost before the reply.
LOST = "lost-ok.5@near.example"
MAILS = (
    mail(1, "ok", "ok.1@far.example", "defer-ok.1@far.example", "refuse.1@far.example"),
    mail(2, "ok", "ok.2@far.example", "ok.2@near.example", "defer-refuse.2@near.example", at=1),
    # The report is refused; the postmaster is told.
    mail(3, "refuse", "refuse.3@far.example", at=2),
    # Delayed, reported, given up.
    mail(4, "ok", "defer.4@near.example", at=3),
    mail(5, "ok", LOST, at=4),
    # The first account cannot be reached: one mail finds that out, the other one knows.
    mail(6, "ok", "ok.6@far.example", at=20),
    mail(7, "ok", "ok.7@far.example", "refuse.7@far.example", at=21),
    mail(8, "ok", "ok.8@far.example", at=1000),
)


@pytest.fixture(scope="module", autouse=True)
def _no_jitter():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
        patch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)
        yield


def lives(mails, store, deaths=(), accounts=ACCOUNTS):
    """Let the relay live until all is done, and die at these steps of its lives before."""
    with ExitStack() as stack, logged() as log:
        # The world opens it.
        stack.push(store)
        world = CrashWorld(mails, store, accounts)
        for step in deaths:
            world.live(dies_at=step)
            if not world.dead:
                break
            world.start()
        if not world.dead:
            world.live()
        assert store.lanes() == {}
        counted = sum(each.mails for each in store.wait(store.spool.usage()).usages)
        assert counted >= world.mails_said["A"], "a server has counted more mails than we have"
        assert counted <= world.mails_said["A"] + CONNECTIONS * len(deaths)
    assert log.failures(()) == 0
    return world


def assert_nothing_is_lost(world):
    ledger = world.ledger
    assert ledger.faults == []
    assert ledger.acknowledged == {each.subject for each in world.mails}
    for each in world.mails:
        for recipient in each.recipients:
            refused = is_refused(recipient)
            assert ledger.arrived(each, recipient) != refused, recipient
            assert ledger.reported(each, recipient) or not refused, recipient


def is_refused(address):
    """Tell whether the last word of the server is a no."""
    return not address.partition(".")[0].endswith("ok")


@pytest.fixture(scope="module")
def steps():
    """All steps of a relay that does not die."""
    world = lives(MAILS, MemoryStore())
    assert_nothing_is_lost(world)
    assert world.ledger.duplicates() == {LOST}
    assert world.ledger.told_of_delay
    return world.steps


def test_the_table_knows_each_state(steps):
    assert {state for state, _ in steps} == {state for state, _ in ROWS}
    assert len(ROWS) == 8


@pytest.mark.parametrize(("state", "cost"), ROWS)
def test_a_crash_costs_what_the_table_says(steps, state, cost):
    duplicates = set()
    for number, (there, recipients) in enumerate(steps, 1):
        if there == state:
            world = lives(MAILS, MemoryStore(), [number])
            assert_nothing_is_lost(world)
            duplicates |= world.ledger.duplicates() & set(recipients) - {LOST}
    assert bool(duplicates) == (cost == "at most a duplicate")


def test_a_crash_leaves_the_same_on_a_real_disk(steps):
    for number in (None, *range(7, len(steps), 12)):
        deaths = [number] if number else []
        world = lives(MAILS, HastySqliteStore(), deaths)
        assert_nothing_is_lost(world)
        assert world.ledger == lives(MAILS, MemoryStore(), deaths).ledger


def test_what_was_in_flight_at_a_crash_may_leave_by_another_account():
    world = World(account("A"), account("B"))
    world.servers["A"] = silent
    world.mail()
    world.run(5)
    world.crash()
    world.servers["A"] = closed
    world.start()
    world.run(5)
    assert [now.relay.account.name for now in world.tries] == ["A", "A", "B"]
    assert [each.account for each in world.sent] == ["B"]


behaviours = st.sampled_from(["ok", "refuse", "defer", "defer-ok", "lost-ok", "defer-refuse"])


@st.composite
def some_mails(draw):
    mails = []
    for n in range(draw(st.integers(1, 4))):
        wanted = draw(
            st.sets(st.tuples(behaviours, st.sampled_from(["far", "near", "also"])), min_size=1)
        )
        recipients = [f"{each}.{n}@{domain}.example" for each, domain in sorted(wanted)]
        sender = draw(st.sampled_from(["ok", "refuse", "defer-ok"]))
        at = draw(st.sampled_from([0.0, 0.31, 0.9, 20.0, 70.0]))
        mails.append(mail(n, sender, *recipients, at=at))
    return tuple(mails)


@settings(max_examples=60, deadline=None)
@given(mails=some_mails(), deaths=st.lists(st.integers(1, 80), min_size=1, max_size=3))
def test_whatever_comes_and_however_often_the_relay_dies_nothing_is_lost(mails, deaths):
    assert_nothing_is_lost(lives(mails, MemoryStore(), deaths))


@settings(max_examples=80, deadline=None)
@given(
    mails=some_mails(),
    deaths=st.lists(st.integers(1, 80), min_size=1, max_size=3),
    accounts=st.sampled_from(DIRECT),
)
def test_nothing_is_lost_either_when_mail_has_destinations(mails, deaths, accounts):
    assert_nothing_is_lost(lives(mails, MemoryStore(), deaths, accounts))


@pytest.mark.parametrize("accounts", DIRECT)
def test_a_crash_leaves_each_part_of_a_divided_mail(accounts):
    both = (
        mail(1, "ok", "ok.1@far.example", "defer-ok.1@also.example", "ok.1@near.example", at=30),
    )
    for number in range(1, 16):
        world = lives(both, HastySqliteStore(), [number], accounts)
        assert_nothing_is_lost(world)
