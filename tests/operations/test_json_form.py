"""Values as JSON."""

from __future__ import annotations

import json
import math

import pytest

from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.operations.errors import BadRequestError
from multisendcon_plugin.operations.json_form import encode, from_json, to_json
from multisendcon_plugin.operations.values import (
    AccountTest,
    Chosen,
    Deletion,
    DeliveryState,
    Filter,
    Move,
)
from multisendcon_plugin.times import Time, iso
from tests.operations.desk import Desk


def test_a_time_stands_beside_itself_as_text():
    desk = Desk()
    desk.mail()
    (row,) = desk.rows(Filter())
    plain = to_json(row)
    assert plain["arrived"] == row.arrived
    assert plain["arrived_at"] == "2023-11-14T22:13:21.000Z"
    names = list(plain)
    assert names.index("due_at") == names.index("due") + 1


def test_a_time_that_is_not_known_is_null_twice():
    desk = Desk()
    status = to_json(desk.ask(desk.operations.status()))
    assert (status["oldest"], status["oldest_at"]) == (None, None)


def test_what_is_flat_stands_in_the_row_itself():
    desk = Desk()
    (delivery,) = desk.mail()
    plain = to_json(desk.ask(desk.operations.message(delivery.message.id)))
    assert "next" not in plain
    assert plain.items() >= plain["deliveries"][0].items()
    assert plain["client"] == {
        "address": "192.0.2.1",
        "user": "boss",
        "helo": "pc.example",
        "tls": "TLSv1.3",
    }


def test_it_is_one_line_and_utf_8_whatever_is_in_it():
    assert (
        encode({"a": "ü\n\udcff", "b": (1, None, True)})
        == '{"a":"ü\\n?","b":[1,null,true]}'.encode()
    )
    assert encode(Reply(550, "5.1.1", "no")) == b'"550 5.1.1 no"'


@pytest.mark.parametrize(
    ("time", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1.2345, "1970-01-01T00:00:01.234Z")]
)
def test_the_text_of_a_time(time, text):
    assert iso(Time(time)) == text


READ = [
    (Filter, {"account": "A", "state": "held"}, Filter(account="A", state=DeliveryState.HELD)),
    (Chosen, {"ids": ["1", "2"]}, Chosen(ids=("1", "2"))),
    (Chosen, {"ids": None, "filter": {}}, Chosen(filter=Filter())),
    (Deletion, {"ids": ["1"], "notify": True}, Deletion(chosen=Chosen(ids=("1",)), notify=True)),
    (
        Move,
        {"filter": {"sender": ""}, "to_account": "B", "dry_run": True},
        Move(chosen=Chosen(filter=Filter(sender=""), dry_run=True), to_account="B"),
    ),
    (AccountTest, {"from": "a@b", "to": None}, AccountTest(sender="a@b")),
]


@pytest.mark.parametrize(("kind", "plain", "value"), READ)
def test_what_is_asked_for_is_read(kind, plain, value):
    assert from_json(plain, kind) == value


FAULTS = [
    (
        Filter,
        {"state": "asleep"},
        'state: "asleep" is none of waiting, active, resting, quota, held',
    ),
    (Filter, {"state": 3}, "state: 3 is none of waiting, active, resting, quota, held"),
    (Filter, {"colour": "x"}, "unknown: colour; known are account, sender"),
    (Filter, {"account": 5}, "account: text is needed here"),
    (Filter, {"account": "\ud800"}, "account: text is needed here"),
    (Chosen, [], "an object is needed here"),
    (Chosen, None, "an object is needed here"),
    (Chosen, {"ids": "1"}, "ids: a list of texts is needed here"),
    (Chosen, {"ids": [1]}, "ids: a list of texts is needed here"),
    (Chosen, {"filter": "x"}, "filter: an object is needed here"),
    (Chosen, {"filter": {"account": []}}, "filter.account: text is needed here"),
    (Chosen, {"dry_run": 1}, "dry_run: true or false is needed here"),
    (Move, {"ids": ["1"]}, "to_account: is missing"),
    (Move, {"ids": [1], "to_account": "B"}, "ids: a list of texts is needed here"),
    (Move, {"account": "B", "to_account": "B"}, "unknown: account; known are ids, filter, dry_run"),
    (AccountTest, {"from": math.nan}, "from: text is needed here"),
    (AccountTest, {"sender": "a@b"}, "unknown: sender; known are to, from, connections"),
]


@pytest.mark.parametrize(("kind", "plain", "text"), FAULTS)
def test_a_fault_says_where_it_is_and_what_would_be_right(kind, plain, text):
    with pytest.raises(BadRequestError) as caught:
        from_json(plain, kind)
    assert str(caught.value).startswith(text)
    json.dumps(str(caught.value)).encode()
