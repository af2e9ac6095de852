"""What every implementation of `IStore` and `IClaims` keeps."""

from __future__ import annotations

import copy
import random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import maybeDeferred
from zope.interface.verify import verifyObject

from multisendcon_plugin.errors import SpoolError, SpoolFullError, SpoolLockedError
from multisendcon_plugin.interfaces import (
    Commit,
    IClaims,
    IContent,
    IDraft,
    IQueueView,
    ISpool,
    IStore,
)
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.json_form import texts_of
from multisendcon_plugin.mail.message import MOST_RECIPIENTS, NewMessage, Parcel, Recipient, Untold
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.mail.selection import Selection
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.outcome.usage import Usage, UsageClock, UsageLog
from tests import queues
from tests.contracts.stores import HastySqliteStore, MemoryStore, ReservedStore, SqliteStore

KINDS = [MemoryStore, SqliteStore]
KIB = 1024


@pytest.fixture(params=KINDS)
def store(request):
    with request.param() as store:
        yield store


def octets(size):
    return random.Random(size).randbytes(size)


def parcel(account, *addresses):
    return Parcel(
        account=account,
        recipients=tuple(
            Recipient(address=each, reason=f"matches for {each}") for each in addresses
        ),
    )


ENVELOPE = Envelope(reverse_path="boss@example.com", recipients=("a@x.example",))
PARCELS = (parcel("Sales", "a@x.example"),)
REPORT = NewMessage(
    envelope=Envelope(reverse_path="", recipients=("boss@example.com",)),
    content=b"Subject: undelivered\r\n\r\n" + octets(300 * KIB),
    header_size=22,
    parcels=(parcel("Reports", "boss@example.com"),),
)


def commit(store, content=b"text\r\n", parcels=PARCELS):
    envelope = Envelope(
        reverse_path="boss@example.com",
        recipients=tuple(r.address for each in parcels for r in each.recipients),
    )
    return store.commit(content, envelope, parcels)


def ended(delivery, **rest):
    return Settlement(delivery=delivery, remaining=None, **rest)


def left(mail_ended):
    """Return the state of an account whose last mail ended then."""
    return {"minimum_wait": mail_ended, "of another": [1, "ü"]}


def changed(delivery, **changes):
    return Settlement(delivery=delivery, remaining=attrs.evolve(delivery, **changes))


# How it is


def test_a_heartbeat_comes_when_what_was_to_be_written_before_is_written(store):
    written = store.commit_draft(store.begin(b"text"), ENVELOPE, 0, PARCELS)
    assert store.wait(store.spool.heartbeat()) is None
    assert written.called


def test_it_tells_how_large_it_is(store):
    before = store.wait(store.spool.figures())
    commit(store, octets(300 * KIB))
    after = store.wait(store.spool.figures())
    assert after.taken - before.taken >= 300 * KIB
    assert after.free > after.kept_free >= 0


# Committing and reading back


@pytest.mark.parametrize(
    "size",
    [0, 1, *(n * 128 * KIB + d for n in (1, 2, 4) for d in (-1, 0, 1)), 3_000_000],
)
def test_content_comes_back_byte_for_byte(store, size):
    (delivery,) = commit(store, octets(size))
    assert delivery.message.size == size
    assert store.read(delivery.message) == octets(size)


@pytest.mark.parametrize("lines", [1, 20, 50_000])
@pytest.mark.parametrize("piece", [7, 1000, 128 * KIB + 1])
def test_dots_that_smtp_added_are_counted(store, lines, piece):
    piece = max(piece, lines * 12 // 100)
    content = b"A: .\r\n" + lines * b"..x.\r\nx..\r\n"
    draft = store.spool.draft()
    for start in range(0, len(content), piece):
        draft.write(content[start : start + piece])
    (delivery,) = store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    assert delivery.message.dots == lines
    (again,) = store.waiting(delivery.account)
    assert (again.message.dots, again.message.size) == (lines, len(content))


def test_dots_of_a_report_are_counted(store):
    (delivery,) = commit(store)
    report = NewMessage(
        envelope=ENVELOPE, content=b"A: b\r\n\r\n..\r\n..x\r\n", header_size=6, parcels=PARCELS
    )
    (made,) = store.settle(ended(delivery, reports=(report,)))
    assert made.message.dots == 2
    assert store.waiting(made.account) == (made,)


@pytest.mark.parametrize("kind", [MemoryStore, HastySqliteStore])
@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 10) | st.integers(0, 300 * KIB), max_size=12))
def test_content_comes_back_however_it_arrives(kind, sizes):
    chunks = [octets(size) for size in sizes]
    with kind() as store:
        draft = store.spool.draft()
        for chunk in chunks:
            paused = draft.write(chunk)
            if paused is not None:
                store.wait(paused)
        (delivery,) = store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
        assert store.read(delivery.message) == b"".join(chunks)


def test_everything_that_is_known_of_a_message_comes_back(store):
    envelope = Envelope(
        reverse_path="Böss@example.com",
        recipients=("a@x.example", "b@y.example", "c@x.example", "a@x.example"),
        eight_bit=True,
        utf8=True,
        returns=Return.HEADER,
        envelope_id="QQ+3D1",
        author="Büro@example.com",
        client=Client("192.0.2.7", "Jörg, of x", "client.example", "TLSv1.3 X"),
    )
    asking = Recipient(
        address="c@x.example", reason="test", notify=Notify.NEVER, original="utf-8;Ü@x.example"
    )
    parcels = (
        attrs.evolve(
            parcel("Sales"),
            recipients=(*parcel("Sales", "a@x.example", "a@x.example").recipients, asking),
        ),
        parcel("Büro", "b@y.example"),
    )
    draft = store.spool.draft()
    draft.write(b"Subject: x\r\n")
    draft.write(b"\r\ntext\r\n")
    store.reactor.now += 1.5
    sales, office = store.wait(store.commit_draft(draft, envelope, 12, parcels))

    assert store.waiting("Sales") == (sales,)
    assert store.waiting("Büro") == (office,)
    assert sales.number != office.number
    assert sales.message is office.message
    assert sales.message.number == draft.number
    assert sales.message.envelope == envelope
    assert sales.message.size == 20
    assert sales.message.header_size == 12
    assert sales.message.arrived == sales.due == office.due == store.reactor.now
    assert sales.recipients == parcels[0].recipients
    assert office.recipients == parcels[1].recipients
    assert (sales.attempts, sales.tried, sales.warned, sales.last_reply) == (0, (), False, "")


def test_what_is_given_out_keeps_its_interface(store):
    draft = store.spool.draft()
    (delivery,) = commit(store)
    for interface in (IStore, IQueueView, IClaims, ISpool):
        assert verifyObject(interface, store.spool)
    assert verifyObject(IDraft, draft)
    assert verifyObject(IContent, store.spool.content(delivery.message))


@pytest.mark.parametrize("size", [10, 400 * KIB])
def test_nothing_is_seen_of_a_message_before_its_commit(store, size):
    draft = store.spool.draft()
    draft.write(octets(size))
    store.finish_writing()
    assert store.lanes() == {}
    assert store.waiting("Sales") == ()


@pytest.mark.parametrize("size", [10, 400 * KIB])
def test_a_discarded_message_is_forgotten(store, size):
    draft = store.spool.draft()
    draft.write(octets(size))
    draft.discard()
    draft.write(octets(size))
    draft.discard()
    with pytest.raises(SpoolError):
        store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    assert store.lanes() == {}


def commits(*drafts):
    texts = texts_of(ENVELOPE, PARCELS)
    return [Commit(draft, ENVELOPE, 12, PARCELS, texts) for draft in drafts]


def test_messages_that_are_committed_together_are_answered_in_their_order(store):
    drafts = [store.begin(octets(size)) for size in (0, 10, 300 * 1024)]
    answers = store.wait(store.spool.commit(commits(*drafts)))
    assert [
        [(each.message.number, each.account, each.message.header_size) for each in deliveries]
        for deliveries in answers
    ] == [[(draft.number, "Sales", 12)] for draft in drafts]
    assert store.waiting("Sales") == tuple(each for deliveries in answers for each in deliveries)
    assert [store.read(each.message) for (each,) in answers] == [
        octets(size) for size in (0, 10, 300 * 1024)
    ]


@pytest.mark.parametrize("size", [10, 300 * 1024])
def test_of_messages_that_are_committed_together_one_that_fails_takes_no_other_with_it(store, size):
    good, discarded, last = (store.begin(octets(size)) for _ in range(3))
    again = store.spool.draft(good.number)
    again.write(octets(size + 1))
    discarded.discard()
    drafts = good, discarded, again, good, last
    answers = store.wait(store.spool.commit(commits(*drafts)))
    assert [isinstance(each, SpoolError) for each in answers] == [False, True, True, True, False]
    assert [each.message.number for each in store.waiting("Sales")] == [good.number, last.number]
    store.crash()
    store.open()
    assert [store.read(each.message) for each in store.waiting("Sales")] == 2 * [octets(size)]


def test_of_messages_that_are_committed_together_each_is_told_that_there_is_no_room(store):
    before = store.commit(b"text", ENVELOPE, PARCELS)
    store.fill()
    drafts = [store.begin(octets(100 * 1024)) for _ in range(3)]
    answers = store.wait(store.spool.commit(commits(*drafts)))
    assert [type(each) for each in answers] == [SpoolFullError] * 3
    store.relieve()
    assert store.waiting("Sales") == before


def test_nothing_is_committed_by_an_empty_list(store):
    assert store.wait(store.spool.commit([])) == []


def test_a_draft_is_committed_once(store):
    draft = store.spool.draft()
    store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    with pytest.raises(SpoolError):
        store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    draft.discard()
    store.finish_writing()
    assert store.lanes() == {"Sales": 1}


def test_content_can_be_left_before_its_end(store):
    (delivery,) = commit(store, octets(300 * KIB))
    content = store.spool.content(delivery.message)
    first = store.wait(maybeDeferred(content.read))
    assert octets(300 * KIB).startswith(first)
    content.close()
    content.close()
    with pytest.raises(SpoolError):
        store.wait(maybeDeferred(content.read))


# Settling


def test_an_ended_delivery_takes_its_message_along(store):
    (delivery,) = commit(store, octets(300 * KIB))
    assert store.settle(ended(delivery)) == ()
    assert store.waiting("Sales") == ()
    assert store.lanes() == {}
    with pytest.raises(SpoolError):
        store.read(delivery.message)


def test_a_message_stays_until_its_last_delivery_ends(store):
    first, second = commit(store, b"text", (parcel("A", "a@x.example"), parcel("B", "b@x.example")))
    (other,) = commit(store, b"other")
    store.settle(ended(first))
    assert store.waiting("B") == (second,)
    assert store.read(second.message) == b"text"
    store.settle(ended(second))
    with pytest.raises(SpoolError):
        store.read(second.message)
    assert store.read(other.message) == b"other"


def test_what_remains_is_as_the_settlement_says(store):
    (delivery,) = commit(store, b"text", (parcel("A", "a@x", "b@x", "a@x", "c@x"),))
    remaining = attrs.evolve(
        delivery,
        recipients=(delivery.recipients[0], delivery.recipients[2], delivery.recipients[3]),
        due=delivery.due + 60.25,
        attempts=3,
        tried_at=delivery.due + 1.5,
        waited=2.25,
        tried=("B", 'C "quoted", ü'),
        uncertain=True,
        warned=True,
        last_reply="451 4.3.0 später\nnoch eins",
        untold=(
            Untold(
                recipient=delivery.recipients[1],
                delivered=False,
                phase=Phase.RCPT,
                reply=Reply(550, "5.1.1", "unbekannt\n\ud800 ü"),
            ),
        ),
    )
    store.settle(Settlement(delivery=delivery, remaining=remaining))
    assert store.waiting("A") == (remaining,)
    last = attrs.evolve(remaining, recipients=remaining.recipients[2:], tried=(), warned=False)
    store.settle(Settlement(delivery=remaining, remaining=last))
    assert store.waiting("A") == (last,)


def test_the_envelope_stays_whole_when_recipients_are_settled(store):
    (delivery,) = commit(store, b"text", (parcel("A", "a@x", "b@x"),))
    store.settle(changed(delivery, recipients=delivery.recipients[1:]))
    (again,) = store.waiting("A")
    assert again.message.envelope.recipients == ("a@x", "b@x")


def test_a_delivery_moves_to_another_account(store):
    (delivery,) = commit(store)
    reason = (Recipient(address="a@x.example", reason="fallback of Sales"),)
    moved = changed(delivery, account="Backup", tried=("Sales",), recipients=reason)
    store.settle(moved)
    assert store.waiting("Sales") == ()
    assert store.waiting("Backup") == (moved.remaining,)
    assert store.lanes() == {"Backup": 1}


def test_a_delivery_moves_to_another_destination(store):
    (delivery,) = commit(store)
    moved = changed(delivery, destination="x.example")
    store.settle(moved)
    assert store.waiting("Sales") == ()
    assert store.waiting("Sales", destination="x.example") == (moved.remaining,)
    assert store.lanes() == {("Sales", "x.example"): 1}


def test_a_delivery_is_divided_and_each_part_goes_on(store):
    (delivery,) = commit(store, b"text", (parcel("Sales", "a@x", "b@y", "c@y", "d@z"),))
    moved = attrs.evolve(delivery, account="Direct", attempts=2, tried=("Sales",), last_reply="no")
    first, *parts = moved.divided(lambda address: address[-1])
    assert [each.number - delivery.number for each in parts] == [
        MOST_RECIPIENTS + 1,
        MOST_RECIPIENTS + 3,
    ]
    divided = Settlement(delivery=delivery, remaining=first, parts=tuple(parts))
    store.settle(divided)
    for each, where in zip((first, *parts), "xyz", strict=True):
        assert store.waiting("Direct", destination=where) == (each,)
    store.settle(ended(first))
    assert store.read(delivery.message) == b"text"
    store.settle(divided)  # what has ended is not divided once more
    assert store.lanes() == {("Direct", "y"): 1, ("Direct", "z"): 1}
    store.settle(ended(parts[0]))
    store.settle(ended(parts[1]))
    assert store.lanes() == {}
    with pytest.raises(SpoolError):
        store.read(delivery.message)


def test_the_parts_of_a_held_delivery_are_held(store):
    (delivery,) = commit(store, b"text", (parcel("Sales", "a@x", "b@y"),))
    (held,) = store.wait(store.spool.hold([delivery.number]))
    first, part = held.divided(lambda address: address[-1])
    store.settle(Settlement(delivery=held, remaining=first, parts=(part,)))
    assert store.lanes() == {}
    assert store.find(Selection(held=True)) == (first, part)


def test_a_list_of_settlements_is_answered_in_its_order(store):
    first, second = commit(store, parcels=(parcel("A", "a@x"), parcel("B", "b@x")))
    once = ended(first, reports=(REPORT,))
    answers = store.wait(store.spool.settle([once, ended(second), once]))
    assert answers == [store.waiting("Reports"), (), ()]
    assert len(answers[0]) == 1
    assert store.lanes() == {"Reports": 1}


def test_reports_are_new_messages(store):
    (delivery,) = commit(store)
    store.reactor.now += 100
    reports = store.settle(ended(delivery, reports=(REPORT, REPORT)))
    assert len(reports) == 2
    assert store.waiting("Reports") == reports
    for report in reports:
        assert report.due == report.message.arrived == store.reactor.now
        assert report.message.envelope == REPORT.envelope
        assert report.message.size == len(REPORT.content)
        assert report.message.header_size == 22
        assert store.read(report.message) == REPORT.content
    assert len({delivery.message.number, *(r.message.number for r in reports)}) == 3


def test_a_delivery_can_remain_and_be_reported(store):
    (delivery,) = commit(store)
    warned = attrs.evolve(delivery, warned=True)
    reports = store.settle(Settlement(delivery=delivery, remaining=warned, reports=(REPORT,)))
    assert store.waiting("Sales") == (warned,)
    assert store.waiting("Reports") == reports


@pytest.mark.parametrize("again", [ended, changed])
def test_what_is_settled_is_not_settled_again(store, again):
    (delivery,) = commit(store)
    store.settle(ended(delivery))
    settlement = attrs.evolve(again(delivery), reports=(REPORT,), account_state=left(5.0))
    assert store.settle(settlement) == ()
    assert store.lanes() == {}
    assert store.wait(store.spool.account_states()) == {"Sales": left(5.0)}


def test_the_state_of_an_account_belongs_to_the_account_that_sent_the_mail(store):
    (delivery,) = commit(store)
    assert store.wait(store.spool.account_states()) == {}
    moved = attrs.evolve(changed(delivery, account="Backup"), account_state=left(12.5))
    store.settle(moved)
    assert store.wait(store.spool.account_states()) == {"Sales": left(12.5)}
    store.settle(ended(moved.remaining, account_state=left(14.0)))
    assert store.wait(store.spool.account_states()) == {"Sales": left(12.5), "Backup": left(14.0)}
    store.close()
    store.open()
    assert store.wait(store.spool.account_states()) == {"Sales": left(12.5), "Backup": left(14.0)}


def test_a_settlement_has_all_of_the_state_of_an_account(store):
    first, second = (commit(store)[0] for _ in range(2))
    store.settle(ended(first, account_state={"a": 1.5, "b": 2}))
    store.settle(ended(second, account_state={"b": 3}))
    assert store.wait(store.spool.account_states()) == {"Sales": {"b": 3}}


def test_a_settlement_without_a_state_keeps_the_last_one(store):
    first, second = (commit(store)[0] for _ in range(2))
    store.settle(ended(first, account_state=left(12.5)))
    store.settle(ended(second))
    assert store.wait(store.spool.account_states()) == {"Sales": left(12.5)}


# Waiting


def test_the_earliest_due_comes_first(store):
    (a,), (b,), (c,), (d,) = (commit(store) for _ in range(4))
    commit(store, parcels=(parcel("Other", "a@x.example"),))
    late = changed(a, due=a.due + 10)
    early = changed(c, due=c.due - 10)
    for each in (late, early):
        store.settle(each)
    order = (early.remaining, b, d, late.remaining)
    assert store.waiting("Sales") == order
    assert store.waiting("Sales", 2) == order[:2]
    assert store.waiting("Sales", 0) == ()
    for n, each in enumerate(order):
        assert store.waiting("Sales", 2, each.position) == order[n : n + 2]
    assert store.waiting("Sales", 9, late.remaining.position_after) == ()
    assert store.waiting("Nobody") == ()
    assert store.lanes() == {"Sales": 4, "Other": 1}


def test_each_destination_of_an_account_is_a_lane(store):
    parcels = tuple(
        attrs.evolve(parcel(account, f"a@{destination}"), destination=destination)
        for account, destination in (("A", ""), ("A", "x"), ("A", "y"), ("B", "x"), ("A", "x"))
    )
    any_of_a, x, y, other, x_again = commit(store, parcels=parcels)
    assert (x.lane, any_of_a.lane) == (("A", "x"), ("A", ""))
    assert store.lanes() == {"A": 1, ("A", "x"): 2, ("A", "y"): 1, ("B", "x"): 1}
    assert store.waiting("A") == (any_of_a,)
    assert store.waiting("A", destination="x") == (x, x_again)
    assert store.waiting("A", 9, x.position_after, destination="x") == (x_again,)
    store.wait(store.spool.bring_forward(("A", "x"), 1000.0))
    assert [each.due for each in store.waiting("A", destination="x")] == [1000.0, 1000.0]
    assert store.waiting("A", destination="y") == (y,)
    assert store.waiting("B", destination="x") == (other,)


# Closing, opening and crashing


@pytest.mark.parametrize("leave", ["close", "crash"])
@pytest.mark.parametrize("size", [10, 400 * KIB])
def test_whole_messages_survive_and_others_do_not(store, leave, size):
    (delivery,) = commit(store, octets(size))
    unfinished = store.spool.draft()
    unfinished.write(octets(size))
    getattr(store, leave)()
    store.open()
    assert store.lanes() == {"Sales": 1}
    assert store.waiting("Sales") == (delivery,)
    assert store.read(delivery.message) == octets(size)


def test_what_is_settled_stays_so_after_a_crash(store):
    (first,), (second,) = commit(store), commit(store)
    (report,) = store.settle(ended(first, reports=(REPORT,), account_state=left(9.0)))
    deferred = changed(second, attempts=1)
    store.settle(deferred)
    store.crash()
    store.open()
    assert store.waiting("Sales") == (deferred.remaining,)
    assert store.waiting("Reports") == (report,)
    assert store.wait(store.spool.account_states()) == {"Sales": left(9.0)}


def test_it_knows_whether_it_was_closed_in_good_order(store):
    assert store.spool.clean
    store.close()
    store.open()
    assert store.spool.clean
    store.crash()
    store.open()
    assert not store.spool.clean
    store.crash()
    store.open()
    assert not store.spool.clean
    store.close()
    store.open()
    assert store.spool.clean
    store.close(clean=False)
    store.open()
    assert not store.spool.clean


def test_no_delivery_is_due_later_than_it_is_brought_forward_to(store):
    (first,) = commit(store, parcels=(parcel("A", "a@x"),))
    (second,) = commit(store, parcels=(parcel("A", "b@x"),))
    (other,) = commit(store, parcels=(parcel("B", "c@x"),))
    in_time, late = changed(first, due=1000.0), changed(second, due=9000.0)
    elsewhere = changed(other, due=9000.0)
    for settlement in (in_time, late, elsewhere):
        store.settle(settlement)
    store.wait(store.spool.bring_forward(("A", ""), 2000.0))
    assert store.waiting("A") == (in_time.remaining, attrs.evolve(late.remaining, due=2000.0))
    assert store.waiting("B") == (elsewhere.remaining,)


def test_only_one_at_a_time(store):
    with pytest.raises(SpoolLockedError), copy.copy(store):
        pass
    commit(store)
    store.close()
    store.open()
    assert store.lanes() == {"Sales": 1}


def test_a_closed_spool_takes_nothing(store):
    (delivery,) = commit(store)
    spool, draft = store.spool, store.spool.draft()
    store.close()
    for attempt in (
        lambda: queues.commit(spool, draft, ENVELOPE, 0, PARCELS),
        lambda: spool.waiting(("Sales", ""), 1),
        spool.lanes,
        spool.account_states,
        spool.content(delivery.message).read,
    ):
        with pytest.raises(SpoolError):
            store.wait(maybeDeferred(attempt))
    (answer,) = store.wait(spool.settle([ended(delivery)]))
    assert isinstance(answer, SpoolError)
    store.open()
    assert store.waiting("Sales") == (delivery,)


def test_what_was_begun_before_closing_is_finished(store):
    done = store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS)
    store.close()
    (delivery,) = store.wait(done)
    store.open()
    assert store.waiting("Sales") == (delivery,)


# Numbers


def test_numbers_grow_with_the_clock(store):
    before = store.spool.draft().number
    store.reactor.now += 2
    assert store.spool.draft().number == before + 2_000 * 32


@pytest.mark.parametrize("step", [0, -1000])
def test_numbers_grow_when_the_clock_does_not(store, step):
    drafts = [store.spool.draft() for _ in range(3)]
    store.wait(store.commit_draft(drafts[2], ENVELOPE, 0, PARCELS))
    store.reactor.now += step
    drafts.append(store.spool.draft())
    store.close()
    store.open()
    drafts.append(store.spool.draft())
    numbers = [draft.number for draft in drafts]
    assert numbers[:4] == sorted(set(numbers[:4]))
    assert numbers[4] > numbers[2]
    (report,) = store.settle(ended(store.waiting("Sales")[0], reports=(REPORT,)))
    assert report.message.number > numbers[4]


@pytest.mark.parametrize("ahead", [-1_000_001, 1, 1_000_001])
def test_a_draft_takes_a_number_that_was_given_elsewhere(store, ahead):
    number = store.spool.draft().number + ahead
    before = store.spool.draft().number
    draft = store.spool.draft(number)
    assert draft.number == number
    (delivery,) = store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    assert delivery.message.number == number
    assert store.waiting("Sales") == (delivery,)
    assert store.spool.draft().number > max(before, number)


def test_the_next_process_knows_the_highest_number(store):
    number = store.spool.draft().number + 1_000_001
    store.wait(store.commit_draft(store.spool.draft(number), ENVELOPE, 0, PARCELS))
    store.close()
    store.open()
    assert store.spool.draft().number > number


SHORT_OR_LONG = [10, 400 * KIB]


@pytest.mark.parametrize("first", SHORT_OR_LONG)
@pytest.mark.parametrize("second", [20, 500 * KIB])
@pytest.mark.parametrize("end", ["commit", "discard"])
def test_a_number_that_is_in_use_is_not_stored_a_second_time(store, first, second, end):
    (delivery,) = commit(store, octets(first))
    again = store.spool.draft(delivery.message.number)
    for _ in range(2):
        again.write(octets(second))
        store.finish_writing()
    if end == "discard":
        again.discard()
    else:
        other = (parcel("Other", "a@x.example"),)
        with pytest.raises(SpoolError):
            store.wait(store.commit_draft(again, ENVELOPE, 0, other))
    store.finish_writing()
    assert store.lanes() == {"Sales": 1}
    assert store.read(delivery.message) == octets(first)
    store.crash()
    store.open()
    assert store.waiting("Sales") == (delivery,)
    assert store.read(delivery.message) == octets(first)
    store.settle(ended(delivery))
    assert store.lanes() == {}


@pytest.mark.parametrize("size", SHORT_OR_LONG)
def test_of_two_messages_with_one_number_that_arrive_together_one_is_stored(store, size):
    first, second = (store.spool.draft(int(store.reactor.now)) for _ in range(2))
    done = []
    for draft in (first, second):
        draft.write(octets(size))
        done.append(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    (delivery,) = store.wait(done[0])
    with pytest.raises(SpoolError):
        store.wait(done[1])
    (third,) = commit(store)
    assert store.waiting("Sales") == (delivery, third)
    assert store.read(delivery.message) == octets(size)


def test_an_empty_message_of_which_a_part_is_settled_keeps_its_number(store):
    first, second = commit(store, b"", PARCELS * 2)
    store.settle(ended(first))
    again = store.spool.draft(first.message.number)
    again.write(b"text")
    with pytest.raises(SpoolError):
        store.wait(store.commit_draft(again, ENVELOPE, 0, PARCELS))
    assert store.waiting("Sales") == (second,)
    assert store.read(second.message) == b""


# A full store


@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore, ReservedStore])
@pytest.mark.parametrize("size", [40 * KIB, 700 * KIB])
def test_a_full_store_refuses_new_mail_but_settles_the_old(kind, size):
    with kind() as store:
        first, second, third = (commit(store, octets(20 * KIB))[0] for _ in range(3))
        store.fill()
        with pytest.raises(SpoolFullError):
            commit(store, octets(size))
        assert store.waiting("Sales") == (first, second, third)

        deferred = changed(second, due=second.due + 60)
        store.settle(ended(first, account_state=left(3.0)))
        store.settle(deferred)
        assert store.waiting("Sales") == (third, deferred.remaining)

        store.relieve()
        (delivery,) = commit(store, octets(size))
        assert store.read(delivery.message) == octets(size)
        assert store.lanes() == {"Sales": 3}


@pytest.mark.parametrize("kind", [MemoryStore, SqliteStore, ReservedStore])
def test_a_store_that_fills_up_while_a_message_arrives(kind):
    with kind() as store:
        draft = store.spool.draft()
        draft.write(octets(300 * KIB))
        store.finish_writing()
        store.fill()
        draft.write(octets(300 * KIB))
        draft.write(octets(300 * KIB))
        with pytest.raises(SpoolFullError):
            store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
        store.relieve()
        assert store.lanes() == {}


# The use of quotas


BY = UsageClock("this boot", ahead=1.5, wall=0.0)


def test_nothing_is_used_up_of_a_new_store(store):
    assert store.wait(store.spool.usage()) == UsageLog()


@pytest.mark.parametrize("how", ["close", "crash"])
def test_use_of_quotas_outlives_a_crash(store, how):
    under_way = Usage("a", 7, None, 1, 20)
    counted = Usage("b", 7, 5.25, 2, 3)
    store.wait(store.spool.count([under_way, counted], BY, True))
    getattr(store, how)()
    store.open()
    assert store.wait(store.spool.usage()) == UsageLog(BY, (under_way, counted))


def test_use_of_quotas_takes_the_place_of_the_same_one_and_can_be_forgotten(store):
    first, second = Usage("a", 1, None, 1, 20), Usage("a", 2, 5.25, 2, 3)
    store.wait(store.spool.count([first, second], BY, True))
    first = attrs.evolve(first, counted=6.5, recipients=19)
    store.wait(store.spool.count([first, attrs.evolve(second, mails=0)], None, False))
    store.wait(store.spool.count([attrs.evolve(second, number=3, mails=0)], None, False))
    assert store.wait(store.spool.usage()) == UsageLog(BY, (first,))


def test_by_another_clock_all_use_of_quotas_is_written_anew(store):
    first, second = Usage("a", 1, None, 1, 20), Usage("a", 2, 5.25, 2, 3)
    store.wait(store.spool.count([first, second], BY, True))
    other = UsageClock("", ahead=0.0, wall=3600.0)
    first = attrs.evolve(first, counted=6.5)
    store.wait(store.spool.count([first], other, False))
    assert store.wait(store.spool.usage()) == UsageLog(other, (first,))
