from __future__ import annotations

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import NewMessage, Parcel, Recipient
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.spool.keys import PIECE, new_deliveries
from multisendcon_plugin.spool.recent import KEPT, Recent
from tests.contracts.stores import SqliteStore

NOW = 1_700_000_000.0
ENVELOPE = Envelope(reverse_path="boss@example.com", recipients=("a@x.example",))
PARCEL = Parcel(account="A", recipients=(Recipient(address="a@x.example", reason="test"),))


def deliveries(number, count=1, at=NOW):
    mail = NewMessage(envelope=ENVELOPE, content=b"", header_size=0, parcels=count * (PARCEL,))
    return new_deliveries(number, mail, size=0, dots=0, arrived=at)


def read_all(content):
    pieces = []
    while piece := content.read():
        pieces.append(piece)
    return b"".join(pieces)


def kept(recent, *numbers):
    return [number for number in numbers if recent.open(number)]


def test_what_is_kept_is_read_back_by_each_delivery():
    recent = Recent()
    recent.keep(b"content", deliveries(1, count=2))
    assert read_all(recent.open(1)) == b"content"
    assert read_all(recent.open(1)) == b"content"


def test_it_is_kept_until_the_last_delivery_has_let_go():
    recent = Recent()
    recent.keep(b"content", deliveries(1, count=2))
    recent.let_go(1)
    assert kept(recent, 1) == [1]
    recent.let_go(1)
    assert kept(recent, 1) == []


def test_what_is_being_read_is_read_to_its_end_also_when_it_is_let_go():
    recent = Recent()
    recent.keep(b"content", deliveries(1))
    content = recent.open(1)
    recent.let_go(1)
    assert read_all(content) == b"content"


def test_what_is_closed_is_no_short_content():
    recent = Recent()
    recent.keep(b"content", deliveries(1))
    content = recent.open(1)
    content.close()
    content.close()
    failed = []
    content.read().addErrback(failed.append)
    assert failed[0].check(SpoolError)


def test_what_does_not_fit_is_not_kept_and_room_comes_back():
    recent = Recent(limit=10)
    for number, octets in ((1, b"123456"), (2, b"12345"), (3, b"1234")):
        recent.keep(octets, deliveries(number))
    assert kept(recent, 1, 2, 3) == [1, 3]
    recent.let_go(1)
    recent.keep(b"123456", deliveries(4))
    assert kept(recent, 1, 3, 4) == [3, 4]


def test_what_has_not_left_after_a_while_makes_room():
    recent = Recent(limit=10)
    recent.keep(b"12345", deliveries(1))
    recent.keep(b"12345", deliveries(2, at=NOW + 1))
    recent.keep(b"12345", deliveries(3, at=NOW + KEPT - 1))
    assert kept(recent, 1, 2, 3) == [1, 2]
    recent.keep(b"12345", deliveries(4, at=NOW + KEPT))
    assert kept(recent, 1, 2, 3, 4) == [2, 4]
    recent.keep(b"1234567890", deliveries(5, at=NOW + 2 * KEPT))
    assert kept(recent, 2, 4, 5) == [5]
    recent.keep(b"12345678901", deliveries(6, at=NOW + 4 * KEPT))
    assert kept(recent, 5, 6) == []


def test_letting_go_of_what_is_not_kept_gives_no_room():
    recent = Recent(limit=10)
    recent.keep(b"123456", deliveries(1))
    recent.let_go(1)
    recent.let_go(1)
    recent.let_go(2)
    recent.keep(b"12345678901", deliveries(3))
    assert kept(recent, 3) == []


def test_nothing_is_kept_for_nobody():
    recent = Recent()
    recent.keep(b"content", ())
    assert recent.let_go(1) is None


# In the spool


@pytest.fixture
def store():
    with SqliteStore() as store:
        yield store


def begin(store, delivery):
    """Return the first answer of a content, and whether it was at hand."""
    answer = store.spool.content(delivery.message).read()
    return store.wait(maybeDeferred(lambda: answer)), not isinstance(answer, Deferred)


def test_a_short_message_that_leaves_at_once_is_not_read_back(store):
    short, long = (store.commit(bytes(size), ENVELOPE, (PARCEL,))[0] for size in (PIECE, PIECE + 1))
    assert begin(store, short) == (bytes(PIECE), True)
    assert begin(store, long) == (bytes(PIECE), False)


def test_what_was_not_kept_is_read_from_the_disk(store, monkeypatch):
    store.close()
    monkeypatch.setattr("multisendcon_plugin.spool.sqlite.Recent", lambda: Recent(limit=5))
    store.open()
    first, second = (store.commit(text, ENVELOPE, (PARCEL,))[0] for text in (b"one", b"two"))
    assert begin(store, first) == (b"one", True)
    assert begin(store, second) == (b"two", False)


def test_a_message_that_was_tried_is_read_from_the_disk(store):
    first, second = store.commit(b"text", ENVELOPE, (PARCEL, PARCEL))
    store.settle(Settlement(delivery=first, remaining=None))
    assert begin(store, second) == (b"text", True)
    deferred = evolve(second, attempts=1)
    store.settle(Settlement(delivery=second, remaining=deferred))
    assert begin(store, deferred) == (b"text", False)


def test_a_message_that_is_tried_again_at_once_is_not_read_back(store):
    (delivery,) = store.commit(b"text", ENVELOPE, (PARCEL,))
    moved = evolve(delivery, account="B", tried=("A",))
    store.settle(Settlement(delivery=delivery, remaining=moved))
    assert begin(store, moved) == (b"text", True)


def test_a_message_is_kept_for_each_part_into_which_it_is_divided(store):
    (delivery,) = store.commit(b"text", ENVELOPE, (PARCEL,))
    part = evolve(delivery, number=delivery.number + 7)
    store.settle(Settlement(delivery=delivery, remaining=delivery, parts=(part,)))
    store.settle(Settlement(delivery=delivery, remaining=None))
    assert begin(store, part) == (b"text", True)
    deferred = evolve(part, attempts=1)
    store.settle(Settlement(delivery=part, remaining=deferred))
    assert begin(store, deferred) == (b"text", False)
    another = evolve(part, number=part.number + 1)
    store.settle(Settlement(delivery=deferred, remaining=deferred, parts=(another,)))
    assert begin(store, another) == (b"text", False)


def test_a_message_that_is_not_stored_is_not_kept(store):
    (delivery,) = store.commit(b"one", ENVELOPE, (PARCEL,))
    again = store.spool.draft(delivery.message.number)
    again.write(b"two")
    with pytest.raises(SpoolError):
        store.wait(store.commit_draft(again, ENVELOPE, 0, (PARCEL,)))
    assert begin(store, delivery) == (b"one", True)
