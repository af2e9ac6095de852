"""The queue, as an admin sees it."""

from __future__ import annotations

import pytest

from multisendcon_plugin.operations.errors import BadRequestError, NotFoundError
from multisendcon_plugin.operations.pieces import PIECE
from multisendcon_plugin.operations.rows import shown
from multisendcon_plugin.operations.values import DeliveryState, Filter
from multisendcon_plugin.outcome.condition import Rest, State
from tests.operations.desk import CLIENT, Desk
from tests.queues import NOW


def names(rows):
    return [(row.id, row.account) for row in rows]


def test_a_row_says_all_of_a_delivery():
    desk = Desk()
    (delivery,) = desk.mail(("Sales", "one@far.example", "two@far.example"))
    desk.put(delivery, attempts=2, last_reply="451 later", due=NOW + 90, tried=("Lab",))
    (row,) = desk.rows(Filter())
    assert row.id == delivery.message.id
    assert (row.account, row.destination, row.state) == ("Sales", "", DeliveryState.WAITING)
    assert row.sender == "boss@sales.example"
    assert [(each.address, each.reason, each.last_reply) for each in row.recipients] == [
        ("one@far.example", "test", "451 later"),
        ("two@far.example", "test", "451 later"),
    ]
    assert (row.arrived, row.due, row.attempts) == (NOW + 1, NOW + 90, 2)
    assert (row.message_id, row.subject) == ("<1@b.example>", "grüße")
    assert (row.last_reply, row.tried) == ("451 later", ("Lab",))
    assert row.size == delivery.message.size


def test_times_are_those_of_the_clock_on_the_wall():
    desk = Desk()
    desk.mail()
    desk.set_by = 3600.2
    (row,) = desk.rows(Filter())
    assert row.arrived == row.due == NOW + 1 + 3600


STATES = [
    (State.OK, {}, DeliveryState.WAITING),
    (State.SLOW, {}, DeliveryState.RESTING),
    (State.RESTING, {}, DeliveryState.RESTING),
    (State.LOGIN, {}, DeliveryState.RESTING),
    (State.PAUSED, {}, DeliveryState.RESTING),
    (State.OFF, {}, DeliveryState.RESTING),
    (State.QUOTA, {}, DeliveryState.QUOTA),
    (State.PAUSED, {"held": True}, DeliveryState.HELD),
    (State.OK, {"held": True}, DeliveryState.HELD),
    (State.OK, {"account": "gone"}, DeliveryState.RESTING),
]


@pytest.mark.parametrize(("account", "fields", "state"), STATES)
def test_the_state_of_a_delivery(account, fields, state):
    desk = Desk()
    (delivery,) = desk.mail()
    desk.put(delivery, **fields)
    desk.queue.states["Sales"] = account
    assert [row.state for row in desk.rows(Filter())] == [state]
    for asked in DeliveryState:
        assert len(desk.rows(Filter(state=asked))) == (asked is state)


def test_a_delivery_rests_with_its_destination():
    desk = Desk()
    delivery, other = desk.mail(), desk.mail()
    desk.put(delivery[0], destination="far.example")
    desk.put(other[0], destination="near.example")
    desk.queue.resting["Sales", "far.example"] = Rest("connect: refused", 90.0)
    far, near = desk.rows(Filter())
    assert (far.state, near.state) == (DeliveryState.RESTING, DeliveryState.WAITING)
    # Why, and until when, is told of a mail that was not tried itself.
    assert (far.fault, far.until - far.due) == ("connect: refused", 90.0 - delivery[0].due)
    assert (near.fault, near.until) == ("", None)
    assert len(desk.rows(Filter(state=DeliveryState.RESTING))) == 1


@pytest.mark.parametrize("asked", ["Bücher.example", "XN--BCHER-KVA.example"])
def test_a_destination_is_asked_for_as_people_write_it(asked):
    desk = Desk()
    (delivery,) = desk.mail()
    desk.put(delivery, destination="xn--bcher-kva.example")
    assert len(desk.rows(Filter(destination=asked))) == 1


def test_what_is_under_way_is_active_even_if_it_is_held_meanwhile():
    desk = Desk()
    (delivery,) = desk.mail()
    desk.queue.active.add(delivery.number)
    assert [row.state for row in desk.rows(Filter())] == [DeliveryState.ACTIVE]
    desk.put(delivery, held=True)
    assert len(desk.rows(Filter(state=DeliveryState.ACTIVE))) == 1


FILTERS = [
    ({}, "abc"),
    ({"account": "Sales"}, "ac"),
    ({"account": "sales"}, ""),
    ({"sender": "BOSS@sales.example"}, "a"),
    ({"sender": ""}, "c"),
    ({"sender": "<>"}, "c"),
    ({"recipient": "two@far.example"}, "b"),
    ({"recipient": "*@far.example"}, ""),
    ({"destination": ""}, "abc"),
    ({"destination": "far.example"}, ""),
    ({"older_than": "10s"}, "a"),
    ({"older_than": "2023-11-14T22:13:30Z"}, "a"),
    ({"older_than": "2023-11-14T23:13:30+01:00"}, "a"),
    ({"older_than": "1d"}, ""),
    ({"younger_than": "10s"}, "bc"),
    ({"account": "Sales", "sender": "<>"}, "c"),
]


@pytest.mark.parametrize(("asked", "found"), FILTERS)
def test_a_filter_finds_what_is_so(asked, found):
    desk = Desk()
    mails = {}
    (mails["a"],) = desk.mail()
    desk.clock.advance(20)
    (mails["b"],) = desk.mail(("Lab", "two@far.example"), sender="x@lab.example")
    (mails["c"],) = desk.mail(sender="")
    assert names(desk.rows(Filter(**asked))) == [
        (mails[each].message.id, mails[each].account) for each in found
    ]


@pytest.mark.parametrize("text", ["1 week", "yesterday", "", "-1h", "2023-13-01", "9999999d"])
def test_a_time_that_cannot_be_read_is_told_with_what_can(text):
    with pytest.raises(BadRequestError, match=r'is no time; write for example "90s"'):
        Desk().rows(Filter(older_than=text))


def test_a_page_ends_with_a_whole_message_and_the_next_one_begins_behind_it():
    desk = Desk()
    two = ("Sales", "one@far.example"), ("Lab", "two@far.example")
    first, second, third = (desk.mail(*two)[0].message.id for _ in range(3))
    page = desk.rows(Filter(), 3)
    assert [row.id for row in page] == [first, first, second, second]
    assert [row.id for row in desk.rows(Filter(), 3, second)] == [third, third]
    assert desk.rows(Filter(), 3, third) == []
    assert [row.id for row in desk.rows(Filter(), 1)] == [first, first]


def test_an_id_that_is_none_cannot_begin_a_page():
    with pytest.raises(BadRequestError, match='"nobody" is no id'):
        Desk().rows(Filter(), None, "nobody")


def test_a_long_listing_is_read_when_it_is_asked_for():
    desk = Desk()
    for _ in range(2 * PIECE + 1):
        desk.mail()
    asked = []
    find = desk.spool.find

    def counted(*args):
        asked.append(args)
        return find(*args)

    desk.spool.find = counted
    listing = desk.operations.listing(Filter())
    for n in range(1, 3):
        piece = desk.ask(anext(listing))
        assert len(piece) == PIECE
        assert len(asked) == n
    assert len(desk.ask(anext(listing))) == 1
    desk.ask(listing.aclose())


def test_a_message_is_shown_with_its_deliveries_its_header_and_its_client():
    desk = Desk()
    later, sooner = desk.mail(("Sales", "one@far.example"), ("Lab", "two@far.example"))
    desk.put(later, due=NOW + 1000)
    shown = desk.ask(desk.operations.message(later.message.id.lower()))
    assert shown.next.account == sooner.account
    assert [row.account for row in shown.deliveries] == ["Sales", "Lab"]
    assert shown.header == "From: a@b.example\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n"
    assert shown.client == CLIENT


@pytest.mark.parametrize("name", ["7Z", "", "no-id", "ZZZZZZZZZZZZZZZZZZ"])
def test_a_message_that_is_not_there_may_be_in_the_history(name):
    desk = Desk()
    desk.mail()
    with pytest.raises(NotFoundError, match="is not in the queue; it may be in the history"):
        desk.ask(desk.operations.message(name))


SHOWN = [
    ("hello", "hello"),
    ("=?utf-8?q?gr=C3=BC?= =?utf-8?b?w58=?=", "grüß"),
    ("Re: =?iso-8859-1?q?caf=E9?= today", "Re: café today"),
    ("=?nonsense?q?a=FF?=", "a\ufffd"),
    ("=?utf-8?q?=FF?=", "\ufffd"),
    ("=?utf-8?b?w?=", "=?utf-8?b?w?="),
    ("=?utf-8?b?====?=", ""),
    ("", ""),
    ("\udcff", "\udcff"),
]


@pytest.mark.parametrize(("text", "people_read"), SHOWN)
def test_a_subject_is_shown_as_people_read_it(text, people_read):
    assert shown(text) == people_read
