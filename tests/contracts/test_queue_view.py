"""What every implementation of `IQueueView` keeps."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import maybeDeferred

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import Parcel, Recipient, Untold
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.mail.selection import Selection, Total
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.spool import view
from tests.contracts.stores import MemoryStore, SqliteStore


@pytest.fixture(params=[MemoryStore, SqliteStore])
def store(request):
    with request.param() as store:
        yield store


def parcel(account, *addresses, destination=""):
    recipients = tuple(Recipient(address=each, reason="matches") for each in addresses)
    return Parcel(account=account, recipients=recipients, destination=destination)


def commit(store, *parcels, sender="boss@example.com", content=b"text"):
    parcels = parcels or (parcel("Sales", "a@x.example"),)
    return store.commit(content, Envelope(reverse_path=sender, recipients=("a@x",)), parcels)


def change(store, how, deliveries):
    """Return the numbers of those that have changed."""
    numbers = [each.number for each in deliveries]
    changed = store.wait(getattr(store.spool, how)(numbers))
    assert changed == store.wait(store.spool.read([each.number for each in changed]))
    return tuple(each.number for each in changed)


# Looking


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_a_listing_has_all_deliveries_in_order_of_their_numbers_in_pieces(store, limit):
    commit(store, parcel("B", "b@x"), parcel("A", "a@x"))
    (late,) = commit(store)
    commit(store, parcel("A", "c@x", destination="x"))
    store.settle(
        Settlement(delivery=late, remaining=attrs.evolve(late, due=late.due - 1e6, attempts=1))
    )
    found = store.find(Selection(), limit)
    numbers = [each.number for each in found]
    assert numbers == sorted(set(numbers))
    assert [each.account for each in found] == ["B", "A", "Sales", "A"]


def test_the_last_delivery_is_the_one_with_the_greatest_number(store):
    assert store.wait(store.spool.last()) == 0
    commit(store, parcel("B", "b@x"))
    first, second = commit(store, parcel("A", "a@x"), parcel("B", "b@x"))
    assert store.wait(store.spool.last()) == second.number
    change(store, "hold", [second])
    assert store.wait(store.spool.last()) == second.number
    store.settle(Settlement(delivery=second, remaining=None))
    assert store.wait(store.spool.last()) == first.number


def test_the_totals_of_the_accounts(store):
    assert store.wait(store.spool.totals()) == {}
    _, one = commit(store, parcel("B", "b@x"), parcel("A", "a@x"))
    (other,) = commit(store, parcel("A", "c@x", destination="x"))
    change(store, "hold", [other])
    arrived = one.message.arrived
    assert store.wait(store.spool.totals()) == {
        "A": Total(1, 1, arrived),
        "B": Total(1, 0, arrived),
    }


def test_what_is_held_is_not_the_oldest_that_waits(store):
    first = store.reactor.now
    (old,) = commit(store, parcel("A", "a@x"))
    store.reactor.now = first + 60
    commit(store, parcel("A", "b@x"))
    change(store, "hold", [old])
    assert store.wait(store.spool.totals()) == {"A": Total(1, 1, first + 60)}
    change(store, "release", [old])
    assert store.wait(store.spool.totals()) == {"A": Total(2, 0, first)}


def test_of_what_is_held_alone_nothing_waits(store):
    change(store, "hold", commit(store, parcel("A", "a@x")))
    assert store.wait(store.spool.totals()) == {"A": Total(0, 1, None)}


@pytest.mark.parametrize("lanes", [1, 2, 100])
@pytest.mark.parametrize("counted", [1, 2, 100])
def test_the_totals_are_counted_in_pieces(monkeypatch, store, counted, lanes):
    monkeypatch.setattr(view, "COUNTED", counted)
    monkeypatch.setattr(view, "LANES", lanes)
    first = store.reactor.now
    for n in range(12):
        store.reactor.now = first + n // 2  # some are due at the same time
        commit(store, parcel("AB"[n % 3 == 2], "a@x", destination="xy"[n % 5 == 4]))
    assert store.wait(store.spool.totals()) == {
        "A": Total(8, 0, first),
        "B": Total(4, 0, first + 1),
    }


def test_nothing_has_no_age(store):
    assert store.wait(store.spool.ages([1.0, 2.0])) == {}


@pytest.mark.parametrize("counted", [1, 2, 100])
def test_what_waits_is_counted_by_its_age(monkeypatch, store, counted):
    monkeypatch.setattr(view, "COUNTED", counted)
    first = store.reactor.now
    kept = []
    for n in range(12):
        store.reactor.now = first + n // 2
        kept += commit(store, parcel("AB"[n % 3 == 2], "a@x", destination="xy"[n % 5 == 4]))
    # Those that are held are counted, and age does not begin anew with a delay.
    change(store, "hold", [kept[0], kept[5], kept[6]])
    later = attrs.evolve(kept[1], due=kept[1].due + 1e6, attempts=1)
    store.settle(Settlement(delivery=kept[1], remaining=later))
    ages = store.spool.ages
    assert store.wait(ages([])) == {"A": (8,), "B": (4,)}
    assert store.wait(ages([first])) == {"A": (0, 8), "B": (0, 4)}
    assert store.wait(ages([first + 0.5, first + 3, first + 3, first + 5])) == {
        "A": (2, 2, 0, 3, 1),
        "B": (0, 2, 0, 1, 1),
    }
    assert store.wait(ages([first + 6])) == {"A": (8, 0), "B": (4, 0)}


@pytest.mark.parametrize(
    ("selection", "found"),
    [
        ({}, "abcd"),
        ({"account": "A"}, "ac"),
        ({"account": "a"}, ""),
        ({"destination": ""}, "abd"),
        ({"account": "A", "destination": "x.example"}, "c"),
        ({"sender": "BOSS@Example.com"}, "abd"),
        ({"sender": ""}, "c"),
        ({"recipient": "One@x.example"}, "ac"),
        ({"recipient": "two@xn--bcher-kva.example"}, "b"),
        ({"recipient": "two@bücher.example"}, "b"),
        ({"recipient": "one"}, ""),
        ({"recipient": "settled@x.example"}, ""),
        ({"held": True}, "d"),
        ({"held": False}, "abc"),
        ({"arrived_before": 1_700_000_005.0}, "ab"),
        ({"arrived_before": 1_700_000_000.0}, ""),
        ({"arrived_since": 1_700_000_005.0}, "cd"),
        ({"arrived_since": 1_700_000_000.0, "arrived_before": 1_700_000_005.0}, "ab"),
        ({"held": True, "sender": ""}, ""),
    ],
)
def test_what_is_selected_is_found(store, selection, found):
    store.reactor.now = 1_700_000_000.0
    a, b = commit(
        store,
        parcel("A", "one@x.example", "settled@x.example"),
        parcel("B", "two@bücher.example"),
    )
    one, settled = a.recipients
    untold = Untold(recipient=settled, delivered=False, phase=Phase.RCPT, reply=Reply(550, "", ""))
    remaining = attrs.evolve(a, recipients=(one,), untold=(untold,))
    store.settle(Settlement(delivery=a, remaining=remaining))
    store.reactor.now = 1_700_000_005.0
    (c,) = commit(store, parcel("A", "one@x.example", destination="x.example"), sender="")
    (d,) = commit(store)
    change(store, "hold", [d])
    expected = [dict(zip("abcd", (a, b, c, d), strict=True))[each].number for each in found]
    selected = Selection(**selection)
    assert [each.number for each in store.find(selected, 2)] == expected


def test_a_message_is_found_by_its_number(store):
    for _ in range(3):
        commit(store)
    deliveries = commit(store, parcel("A", "a@x"), parcel("B", "b@x"))
    commit(store)
    selected = Selection(message=deliveries[0].message.number)
    assert store.find(selected) == store.find(selected, 1) == deliveries
    assert store.find(Selection(message=5)) == ()


# Changing


def test_what_is_held_is_in_no_lane_until_it_is_released(store):
    (first,), (second,) = commit(store), commit(store)
    later = attrs.evolve(first, due=first.due + 50, attempts=1)
    store.settle(Settlement(delivery=first, remaining=later))
    assert change(store, "hold", [later]) == (later.number,)
    assert change(store, "hold", [later, second]) == (second.number,)
    assert store.lanes() == {}
    assert store.waiting("Sales") == ()
    store.wait(store.spool.bring_forward(("Sales", ""), 0.0))
    assert store.find(Selection()) == tuple(attrs.evolve(d, held=True) for d in (later, second))
    assert change(store, "release", [later, first]) == (later.number,)
    assert store.lanes() == {"Sales": 1}
    assert store.waiting("Sales") == (later,)


@pytest.mark.parametrize("leave", ["close", "crash"])
def test_what_is_held_stays_held_over_a_restart_and_keeps_its_content(store, leave):
    (delivery,) = commit(store, content=bytes(400_000))
    change(store, "hold", [delivery])
    getattr(store, leave)()
    store.open()
    assert store.waiting("Sales") == ()
    assert store.find(Selection(held=True)) == (attrs.evolve(delivery, held=True),)
    assert store.read(delivery.message) == bytes(400_000)


def test_what_is_held_while_it_is_under_way_stays_held_when_it_is_settled(store):
    first, second = commit(store, parcel("A", "a@x"), parcel("A", "b@x"))
    change(store, "hold", [first, second])
    deferred = attrs.evolve(first, due=first.due + 60, attempts=1)
    store.settle(Settlement(delivery=first, remaining=deferred))
    store.settle(Settlement(delivery=second, remaining=None))
    assert store.waiting("A") == ()
    assert store.find(Selection()) == (attrs.evolve(deferred, held=True),)


def test_what_is_retried_is_due_now(store):
    deliveries = [commit(store)[0] for _ in range(4)]
    due, later, held, gone = deliveries
    for each in (later, held):
        store.settle(
            Settlement(delivery=each, remaining=attrs.evolve(each, due=each.due + 50, attempts=1))
        )
    change(store, "hold", [held])
    store.settle(Settlement(delivery=gone, remaining=None))
    store.reactor.now += 10
    assert change(store, "retry", deliveries) == (due.number, later.number)
    assert store.waiting("Sales") == (
        due,
        attrs.evolve(later, due=store.reactor.now, attempts=1),
    )
    assert store.find(Selection(held=True))[0].due == held.due + 50


def test_a_held_delivery_that_is_moved_stays_held(store):
    (delivery,) = commit(store)
    change(store, "hold", [delivery])
    moved = delivery.moved_to(("B", ""), "moved by hand", store.reactor.now)
    store.settle(Settlement(delivery=delivery, remaining=moved))
    assert store.lanes() == {}
    change(store, "release", [delivery])
    assert store.waiting("B") == (moved,)


@pytest.mark.parametrize("how", ["read", "hold", "release", "retry"])
def test_what_is_not_there_is_not_changed(store, how):
    assert store.wait(getattr(store.spool, how)([5, 7])) == ()
    assert store.wait(getattr(store.spool, how)([])) == ()


def test_a_closed_spool_shows_and_changes_nothing(store):
    (delivery,) = commit(store)
    spool = store.spool
    store.close()
    for attempt in (
        lambda: spool.find(Selection(), 1),
        lambda: spool.hold([delivery.number]),
        lambda: spool.release([delivery.number]),
        lambda: spool.retry([delivery.number]),
        lambda: spool.read([delivery.number]),
    ):
        with pytest.raises(SpoolError):
            store.wait(maybeDeferred(attempt))
    store.open()
    assert store.waiting("Sales") == (delivery,)


# Pieces


@pytest.mark.parametrize("looked_at", [1, 2, 3, 100])
def test_a_piece_looks_at_few_rows_whatever_it_finds(monkeypatch, looked_at):
    monkeypatch.setattr(view, "LOOKED_AT", looked_at)
    with SqliteStore() as store:
        everything = [
            commit(store, parcel("Rare" if n in (2, 6) else "Often", "a@x"))[0] for n in range(8)
        ]
        first = store.wait(store.spool.find(Selection(account="Rare"), 10))
        assert list(first.deliveries) == [
            each for each in everything[:looked_at] if each.account == "Rare"
        ]
        assert first.after == (everything[looked_at - 1].number if looked_at < 8 else None)
        assert store.find(Selection(account="Rare"), 10) == (everything[2], everything[6])
        assert store.find(Selection(account="Rare"), 1) == (everything[2], everything[6])
        assert len(store.find(Selection(account="Often"), 10)) == 6
        found = store.find(Selection(message=everything[6].message.number))
        assert found == (everything[6],)
