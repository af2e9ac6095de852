"""Mail of direct accounts has a destination, wherever it comes from and goes to."""

from __future__ import annotations

import pytest

from multisendcon_plugin import events
from multisendcon_plugin.mail.message import MOST_RECIPIENTS
from tests.queue_world import World, account, closed, deferring, direct, refusing
from tests.queues import collected, logged

THREE = ("a@one.example", "b@two.example", "c@ONE.example", "d@three.example")


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.recorder.random", lambda: 0.0)


def lanes(world):
    """Return the recipients that wait, by lane."""
    found = {}
    for each in world.waiting:
        found.setdefault(each.lane, []).extend(one.address for one in each.recipients)
    return found


BY_DOMAIN = {
    ("D", "one.example"): ["a@one.example", "c@ONE.example"],
    ("D", "two.example"): ["b@two.example"],
    ("D", "three.example"): ["d@three.example"],
}


def test_mail_waits_by_destination():
    world = World(direct())
    world.servers["D"] = deferring
    world.mail(*THREE)
    world.run(10)
    assert lanes(world) == BY_DOMAIN


def test_a_fallback_that_is_direct_gets_a_delivery_for_each_destination():
    world = World(account("A"), direct())
    world.servers["A"] = closed
    told = collected(world.events, events.AttemptEnded)
    world.mail(*THREE)
    world.mail(*THREE)
    world.run(120)
    assert sorted(each.recipients for each in world.sent) == sorted(
        2 * [("a@one.example", "c@ONE.example"), ("b@two.example",), ("d@three.example",)]
    )
    assert {each.account for each in world.sent} == {"D"}
    assert world.waiting == []
    first = told[0].judgement
    assert [first.remaining.destination, *(each.destination for each in first.parts)] == [
        "one.example",
        "two.example",
        "three.example",
    ]
    places = [each.number - first.remaining.number - MOST_RECIPIENTS for each in first.parts]
    assert places == [1, 3]


def test_a_fallback_that_is_not_gets_no_destination():
    world = World(direct(fallback=("B",)), account("B"))
    world.servers["D"] = closed
    world.mail(*THREE)
    world.run(120)
    assert {each.account for each in world.sent} == {"B"}
    for now in world.tries:
        assert bool(now.delivery.destination) is (now.delivery.account == "D")


def test_mail_that_is_moved_by_hand_is_divided_and_comes_back_in_parts():
    world = World(account("A"), direct())
    world.servers.update(A=deferring, D=deferring)
    world.mail(*THREE, by="A")
    world.run(10)
    moved = collected(world.events, events.DeliveryMoved)
    (number,) = world.disk.deliveries
    changed = []
    world.queue.control.move([number], "D", "by hand").addCallback(changed.append)
    world.run(10)
    assert changed == [(number,)]
    assert len(moved) == 1
    assert lanes(world) == BY_DOMAIN
    assert {now.delivery.lane for now in world.tries[1:]} == set(BY_DOMAIN)
    world.servers.clear()
    world.queue.control.move(sorted(world.disk.deliveries), "A", "back")
    world.run(10)
    assert [each.account for each in world.sent] == ["A", "A", "A"]
    assert {now.delivery.destination for now in world.tries[-3:]} == {""}
    assert world.waiting == []


def test_a_held_mail_that_is_moved_stays_held_in_all_its_parts():
    world = World(account("A"), direct())
    world.servers["A"] = deferring
    world.mail(*THREE, by="A")
    world.run(10)
    (number,) = world.disk.deliveries
    world.queue.control.hold([number])
    world.run(1)
    world.queue.control.move([number], "D", "by hand")
    world.run(1000)
    assert lanes(world) == BY_DOMAIN
    assert all(each.held for each in world.waiting)
    assert world.sent == []
    world.queue.control.release(sorted(world.disk.deliveries))
    world.run(10)
    assert len(world.sent) == 3


@pytest.mark.parametrize("slow", [False, True])
def test_mail_of_an_account_that_is_gone_is_divided_for_a_direct_one(slow):
    world = World(account("A"), slow=slow, retry=(500.0,))
    world.servers["A"] = deferring
    world.mail(*THREE)
    world.run(10)
    world.reload(direct())
    world.servers["D"] = deferring
    world.run(10)
    assert lanes(world) == BY_DOMAIN
    assert len(world.tries) == 4


def test_an_account_that_is_of_another_type_now_keeps_its_mail():
    world = World(account("D"), retry=(500.0,))
    world.servers["D"] = deferring
    moved = collected(world.events, events.DeliveryMoved)
    world.mail(*THREE)
    world.run(10)
    world.reload(direct())
    world.run(600)
    assert lanes(world) == BY_DOMAIN
    world.reload(account("D"))
    world.run(1)
    assert set(lanes(world)) == {("D", "")}
    world.servers.clear()
    world.run(600)
    assert len(world.sent) == 3
    assert moved == []


def test_mail_of_an_account_that_is_of_another_type_after_a_restart_finds_its_lane():
    world = World(account("D"), retry=(500.0,))
    world.servers["D"] = deferring
    world.mail(*THREE)
    world.run(10)
    world.stop()
    world.accounts = (direct(),)
    world.start()
    world.run(10)
    assert lanes(world) == BY_DOMAIN
    world.servers.clear()
    world.run(600)
    assert len(world.sent) == 3


def test_a_report_to_a_sender_has_a_destination():
    world = World(direct())
    world.servers["D"] = refusing
    world.mail("x@far.example")
    world.run(10)
    assert [now.delivery.destination for now in world.tries] == ["far.example", "home.example"]


def test_mail_that_no_account_takes_is_told_of_once_whatever_its_destinations(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.rerouting.LANES_AT_ONCE", 3)
    world = World(direct(), retry=(500.0,))
    world.servers["D"] = deferring
    for n in range(20):
        world.mail(f"x@d{n}.example")
    world.run(30)
    with logged() as log:
        world.reload(account("B", recipients="*@far.example"))
        world.run(10)
    assert [text.partition(";")[0] for text in log.texts()] == ["mail waits for account D: 20"]
    world.reload(direct())
    world.servers.clear()
    world.run(600)
    assert len(world.sent) == 20
