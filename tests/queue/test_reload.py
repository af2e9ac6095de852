"""Another configuration while the queue runs: what goes on, what begins anew, what is moved."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel

from multisendcon_plugin.events import AccountRecovered, DeliveryMoved
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.settings.values import NdrSettings
from tests.queue_world import (
    POSTMASTER,
    READER,
    SENDER,
    World,
    account,
    allows,
    closed,
    deferring,
    direct,
    login_refused,
    refusing,
    silent,
)
from tests.queues import collected, logged


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


def by(world):
    return [each.account for each in world.sent]


# Accounts that are gone.


def test_waiting_mail_of_an_account_that_is_gone_takes_another():
    world = World(account("A", fallback=()), account("B"))
    world.servers["A"] = closed
    world.mail()
    world.run(5)
    moved = collected(world.events, DeliveryMoved)
    world.reload(account("B"))
    world.run(5)
    assert by(world) == ["B"]
    (event,) = moved
    assert (event.account, event.reason) == ("B", "its account is not in use any more")
    assert world.waiting == []


@pytest.mark.parametrize("gone", [[account("B")], [account("A", enabled=False), account("B")]])
def test_what_is_under_way_ends_where_it_began_and_what_waits_does_not_wait_for_it(gone):
    world = World(account("A", max_connections=1), account("B"))
    world.servers["A"] = silent
    for n in range(3):
        world.mail(f"r{n}@far.example")
    world.run(5)
    (under_way,) = world.relays["A"].under_way
    world.reload(*gone)
    world.run(5)
    assert sorted(each.recipients for each in world.sent) == [
        ("r1@far.example",),
        ("r2@far.example",),
    ]
    assert world.relays["A"].drained
    world.deliver(under_way)
    world.run(1000)
    assert sorted(by(world)) == ["A", "B", "B"]
    assert world.waiting == []


@pytest.mark.parametrize("end", [deferring, closed])
def test_what_remains_of_it_takes_another(end):
    world = World(account("A"), account("B"))
    world.servers["A"] = silent
    world.mail()
    world.run(5)
    world.reload(account("B"))
    end(*world.relays["A"].under_way)
    world.run(100)
    assert by(world) == ["B"]


def test_what_a_session_hands_in_that_knows_the_accounts_of_before_is_routed_anew():
    world = World(account("A"), account("B"))
    world.reload(account("B"))
    world.run(1)
    world.mail(by="A")
    world.mail(by="A")
    world.run(5)
    assert by(world) == ["B", "B"]


def test_mail_that_was_stuck_takes_a_new_account():
    world = World(account("A"), account("B", senders="other@home.example"))
    world.servers["A"] = closed
    world.mail()
    world.run(5)
    with logged() as log:
        world.reload(account("B", senders="other@home.example"))
        world.run(5)
    assert any("mail waits for account A: 1; the account is" in each for each in log.texts())
    world.reload(account("B", senders="other@home.example"), account("C"))
    world.run(5)
    assert by(world) == ["C"]


def test_an_account_that_comes_back_goes_on_with_its_mail():
    world = World(account("A"), account("B", senders="other@home.example"))
    world.servers["A"] = silent
    world.mail("under@far.example")
    world.mail("way@far.example")
    world.mail("waits@far.example")
    world.run(5)
    first, second = world.relays["A"].under_way
    world.reload(account("B", senders="other@home.example"))
    world.run(5)
    world.reload(account("A"))
    world.run(5)
    del world.servers["A"]
    world.deliver(first)
    assert len(world.relays["A"].tries) == 2, "until all that was under way has ended"
    world.deliver(second)
    world.run(100)
    assert len(world.sent) == 3
    assert world.waiting == []


# Accounts that stay.


def test_an_account_that_did_not_change_notices_nothing():
    world = World(account("A", max_connections=3), account("B"))
    world.servers["A"] = allows(world, 1)
    for n in range(3):
        world.mail(f"r{n}@far.example")
    world.run(0.2)
    gates = world.queue._lanes["A", ""].gates
    before = (gates.condition, gates.connections.under_way, gates.connections.most)
    world.reload(account("C"), account("A", max_connections=3))
    lane = world.queue._lanes["A", ""]
    assert lane.gates is gates
    assert (gates.condition, gates.connections.under_way, gates.connections.most) == before
    assert lane.relay is world.relays["A"]
    assert not lane.relay.drained


def test_the_rest_of_an_account_at_fault_goes_on_unless_it_is_reached_otherwise():
    world = World(account("A"))
    world.servers["A"] = closed
    world.mail()
    world.run(3)
    recovered = collected(world.events, AccountRecovered)
    world.reload(account("A", max_mails_per_connection=7))
    world.run(10)
    assert len(world.tries) == 1
    assert recovered == []


def test_with_another_password_an_account_is_tried_at_once():
    world = World(account("A", username="u", password="wrong"))
    world.servers["A"] = login_refused
    world.mail()
    world.run(10)
    assert len(world.tries) == 1
    recovered = collected(world.events, AccountRecovered)
    del world.servers["A"]
    with logged() as log:
        world.reload(account("A", username="u", password="right"))
        assert world.queue._lanes["A", ""].gates.condition.fault is None
        world.run(2)
    assert by(world) == ["A"]
    assert recovered == [AccountRecovered("A", unproven=True)]
    assert "account A has another server or login and is tried anew" in log.texts(LogLevel.info)


def test_all_that_waits_for_it_is_tried_at_once_also_what_is_in_the_spool_only(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.agenda.ALL_WINDOWS", 10)
    monkeypatch.setattr("multisendcon_plugin.queue.agenda.LEAST_WINDOW", 10)
    old, new = (account("A", username="u", password=each) for each in ("wrong", "right"))
    world = World(old, retry=(5000.0,))
    world.servers["A"] = deferring
    for n in range(40):
        world.mail(f"r{n}@far.example")
    world.run(60)
    world.servers["A"] = login_refused
    world.mail()
    world.run(60)
    assert len(world.tries) == 41
    del world.servers["A"]
    world.reload(new)
    world.run(60)
    assert len(world.sent) == 41


def test_a_fault_of_the_login_of_before_is_no_fault_of_the_one_of_now():
    world = World(account("A", username="u", password="wrong", max_connections=1))
    world.servers["A"] = silent
    world.mail()
    world.run(1)
    (under_way,) = world.relays["A"].under_way
    world.reload(account("A", username="u", password="right", max_connections=1))
    assert world.relays["A"].drained
    world.servers.clear()
    login_refused(under_way)
    world.run(5)
    assert by(world) == ["A"]
    assert world.queue._lanes["A", ""].gates.condition.fault is None


def test_a_minimum_wait_goes_on_whatever_changes():
    world = World(account("A", minimum_wait=60.0), seconds=0.0)
    for n in range(4):
        world.mail(f"r{n}@far.example")
    world.run(1)
    world.reload(account("A", minimum_wait=60.0, fixed_sender="x@home.example"))
    world.run(30)
    world.reload(account("A", minimum_wait=60.0, username="u", password="p"))
    world.run(40)
    assert len(world.sent) == 2
    world.reload(account("A", minimum_wait=100.0, username="u", password="p"))
    world.run(80)
    assert len(world.sent) == 2
    world.run(20)
    assert len(world.sent) == 3
    world.reload(account("A", minimum_wait=0.0, username="u", password="p"))
    world.run(1)
    assert len(world.sent) == 4


def test_a_login_whose_name_another_one_had_meanwhile_has_its_wait_all_the_same():
    one = account("A", minimum_wait=60.0, username="one", password="p")
    world = World(one, seconds=0.0)
    world.mail()
    world.run(1)
    world.reload(account("A", username="two", password="p"))
    world.reload(attrs.evolve(one, name="B"))
    world.mail()
    world.run(58)
    assert len(world.sent) == 1
    world.run(4)
    assert len(world.sent) == 2


def test_a_mail_under_way_keeps_the_wait_from_another_login():
    world = World(account("A", minimum_wait=60.0, username="one", password="p"))
    world.mail()
    world.run(1)
    world.reload(account("A", minimum_wait=60.0, username="two", password="p"))
    world.mail()
    world.run(58)
    assert len(world.sent) == 1
    world.run(4)
    assert len(world.sent) == 2


def test_a_minimum_wait_that_is_new_counts_from_now_on_since_nobody_knows_better():
    world = World(account("A"), seconds=0.0)
    world.mail()
    world.run(10)
    world.reload(account("A", minimum_wait=60.0))
    world.mail()
    world.run(59)
    assert len(world.sent) == 1
    world.run(2)
    assert len(world.sent) == 2


def test_with_a_minimum_wait_mails_that_are_under_way_end_first():
    world = World(account("A", max_connections=3))
    world.servers["A"] = silent
    for n in range(4):
        world.mail(f"r{n}@far.example")
    world.run(1)
    world.reload(account("A", max_connections=3, minimum_wait=10.0))
    world.run(100)
    first, second, third = world.relays["A"].under_way
    world.servers.clear()
    for each in (first, second):
        world.deliver(each)
    world.run(100)
    world.deliver(third)
    world.run(9)
    assert len(world.sent) == 3
    world.run(3)
    assert len(world.sent) == 4


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (3, 2)])
def test_other_numbers_of_connections(before, after):
    world = World(account("A", max_connections=before), seconds=10.0)
    for n in range(9):
        world.mail(f"r{n}@far.example")
    world.run(1)
    assert len(world.relays["A"].under_way) == before
    world.reload(account("A", max_connections=after))
    world.run(12)
    assert len(world.relays["A"].under_way) == after
    world.run(100)
    assert len(world.sent) == 9


# Other names.


def test_a_minimum_wait_goes_on_under_another_name():
    one = account("A", minimum_wait=60.0)
    world = World(one, seconds=0.0)
    world.mail()
    world.run(1)
    world.reload(attrs.evolve(one, name="Z"))
    world.mail()
    world.run(58)
    assert by(world) == ["A"]
    world.run(3)
    assert by(world) == ["A", "Z"]


def test_two_accounts_that_exchange_their_names_keep_the_waits_of_their_servers():
    slow, fast = account("Slow", minimum_wait=60.0), account("Fast")
    world = World(slow, fast, seconds=0.0)
    world.mail(by="Slow")
    world.mail(by="Fast")
    world.run(1)
    world.reload(attrs.evolve(slow, name="Fast"), attrs.evolve(fast, name="Slow"))
    world.mail(by="Slow")
    world.mail(by="Fast")
    world.run(30)
    assert by(world) == ["Slow", "Fast", "Slow"]
    world.run(31)
    assert by(world) == ["Slow", "Fast", "Slow", "Fast"]


def test_a_mail_under_way_counts_for_the_account_with_the_new_name():
    one = account("A", minimum_wait=10.0)
    world = World(one)
    world.servers["A"] = silent
    world.mail()
    world.run(5)
    (under_way,) = world.relays["A"].under_way
    world.reload(attrs.evolve(one, name="Z"))
    world.mail()
    world.run(100)
    assert len(world.relays["A"].tries) == 1
    world.deliver(under_way)
    world.run(9)
    assert len(world.sent) == 1
    world.run(3)
    assert [each.relay.account.name for each in world.tries[-1:]] == ["Z"]


@pytest.mark.parametrize("before", [account, direct])
@pytest.mark.parametrize("after", [account, direct])
def test_what_waits_for_a_mail_under_way_begins_under_the_new_name_when_that_ends(before, after):
    server = "" if before is after is direct else "smtp.example"
    world = World(attrs.evolve(before("A", max_connections=2), server=server), seconds=3.0)
    for n in range(5):
        world.mail(f"r@d{n}.example")
    world.run(0.1)
    world.reload(attrs.evolve(after("Z", max_connections=2), server=server))
    world.run(60)
    assert len(world.sent) == 5


def test_one_that_is_gone_for_a_while_keeps_its_wait():
    world = World(account("A", minimum_wait=60.0), account("B"), seconds=0.0)
    world.mail()
    world.run(1)
    world.reload(account("B"))
    world.run(10)
    world.reload(account("A", minimum_wait=60.0))
    world.mail()
    world.run(45)
    assert by(world) == ["A"]
    world.run(10)
    assert by(world) == ["A", "A"]


# Other settings.


def test_reports_leave_by_what_is_set_now():
    world = World(account("A"), ndr={"postmaster": POSTMASTER}, seconds=0.0)
    world.servers["A"] = lambda now: (
        refusing(now) if now.delivery.message.envelope.reverse_path else "as usual"
    )
    world.mail()
    world.run(2)
    assert len(world.to(SENDER)) == 1
    world.ndr = NdrSettings(sender="robot@home.example", max_per_hour=1)
    world.reports_account = account("[ndr]")
    world.reload(account("A"))
    world.mail(READER, sender="other@home.example")
    world.mail()
    world.run(2)
    (report,) = world.to("other@home.example")
    assert report.account == "[ndr]"
    assert "robot@home.example" in report.content
    assert len(world.to(SENDER)) == 1, "max_per_hour is 1 now, and there was one"


def test_the_next_judgement_goes_by_what_is_set_now():
    world = World(account("A"), seconds=0.0)
    world.servers["A"] = deferring
    world.mail()
    world.run(1)
    world.delivery = attrs.evolve(world.delivery, retry=(1000.0,))
    world.reload(account("A"))
    world.run(61)
    assert len(world.tries) == 2
    world.run(900)
    assert len(world.tries) == 2
    world.run(100)
    assert len(world.tries) == 3


# All of it in any order.

LOGINS = ("one", "two", "three")
#: What the admin has promised to each server.
WAITS = {"one": 0.0, "two": 20.0, "three": 7.0, "last": 0.0}
NAMES = ("A", "B", "C", "D")


@st.composite
def configurations(draw):
    """Return accounts with names of their own and logins of their own."""
    logins = draw(st.permutations(LOGINS))[: draw(st.integers(1, 3))]
    names = draw(st.permutations(NAMES))
    return [
        attrs.evolve(
            account(
                name,
                minimum_wait=WAITS[login],
                max_connections=draw(st.integers(1, 2)),
                password=draw(st.sampled_from(["x", "y"])),
                username="u",
                enabled=draw(st.integers(0, 4)) > 0,
            ),
            server=login,
        )
        for login, name in zip(logins, names, strict=False)
    ]


STEPS = st.lists(
    st.one_of(
        configurations(),
        st.sampled_from(["mail", "mail", "mail by anybody", "restart", "crash"]),
        st.floats(0.0, 30.0),
    ),
    max_size=12,
)


class Watched(World):
    """Ends attempts in different ways, and knows what each server has seen of its login."""

    def __init__(self, *accounts):
        self.seen = []
        self.served = 0
        super().__init__(*accounts, seconds=3.0)

    def serve(self, now):
        if now not in now.relay.under_way:
            return
        login, began = now.relay.account.server, now.began
        self.served += 1
        kind = self.served % 5
        if kind == 0:
            now.end(Verdict.DEFERRED)
        elif kind == 1:
            closed(now)
        else:
            self.deliver(now)
        if kind != 1:
            self.seen.append((login, began, self.clock.seconds()))


@given(configurations(), STEPS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_reloaded_each_mail_arrives_once(first, steps):
    world = Watched(*first)
    mails = 0
    crashed = False
    for step in steps:
        if isinstance(step, list):
            world.reload(*step)
        elif isinstance(step, float):
            world.run(step)
        elif step.startswith("mail"):
            route = world.registry.route(SENDER, READER)
            name = NAMES[mails % 4] if step == "mail by anybody" or route is None else route.account
            world.mail(f"r{mails}@far.example", by=name)
            world.run(0.05)
            mails += 1
        elif step == "restart":
            assert world.stop()
            world.start()
        else:
            crashed = True
            world.crash()
            world.start()
    world.reload(attrs.evolve(account("Z"), server="last"))
    world.run(100_000)
    got = sorted(each.recipients[0] for each in world.sent)
    expected = sorted(f"r{n}@far.example" for n in range(mails))
    if crashed:
        assert sorted(set(got)) == expected
    else:
        assert got == expected
    assert world.waiting == []
    for login, wait in WAITS.items():
        times = sorted((began, ended) for each, began, ended in world.seen if each == login)
        if wait:
            assert all(
                after >= ended + wait - 1e-6 for (_, ended), (after, _) in itertools.pairwise(times)
            )
