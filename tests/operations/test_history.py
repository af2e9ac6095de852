"""What became of mails, asked for by an admin."""

from __future__ import annotations

import pytest
from twisted.internet.defer import succeed

from multisendcon_plugin.errors import ConfigurationError
from multisendcon_plugin.history import (
    BACKWARD,
    FORWARD,
    Kind,
    Search,
    Story,
    StoryEvent,
    StoryPage,
)
from multisendcon_plugin.mail.message import queue_id
from multisendcon_plugin.operations.errors import BadRequestError, NotFoundError, RefusedError
from multisendcon_plugin.operations.json_form import to_json
from multisendcon_plugin.operations.stories import PIECE
from multisendcon_plugin.operations.values import HistoryFilter
from tests.operations.desk import Desk
from tests.queues import NOW


def story(number):
    return Story(
        id=queue_id(number),
        arrived=NOW + number,
        sender="boss@sales.example",
        recipients=("one@far.example",),
        message_id="<1@b.example>",
        subject="hello",
        size=10,
        client=None,
        user="",
        events=(StoryEvent(time=NOW + number, event=Kind.ACCEPTED, due=NOW),),
    )


class FakeHistory:
    """Finds all stories by number, whatever else is asked.

    :ivar asked: by what, how many, and from where.
    """

    trouble = ""

    def __init__(self, count):
        self.stories = [story(n) for n in range(1, count + 1)]
        self.asked = []

    def find(self, search, limit, after=(0, 0), way=FORWARD):
        self.asked.append((search, limit, after))
        found = [
            (n, each)
            for n, each in [*enumerate(self.stories, 1)][:: way.step]
            if ((n, n) > after if way is FORWARD else (n, n) < after) and search.number in (None, n)
        ][:limit]
        following = (found[-1][0],) * 2 if len(found) == limit else None
        return succeed(StoryPage(tuple(each for _, each in found), following))

    def place(self, number):
        return succeed((number, number))

    def newest(self):
        return succeed((len(self.stories),) * 2)


def desk(count=3):
    history = FakeHistory(count)
    made = Desk(history=lambda: history)
    made.past = history
    return made


def ids(desk, *asked):
    async def collect():
        return [piece async for piece in desk.operations.history(*asked)]

    return [each.id for piece in desk.ask(collect()) for each in piece]


def test_stories_come_in_pieces_and_pages():
    one = desk(2 * PIECE + 5)
    everything = [queue_id(n) for n in range(1, 2 * PIECE + 6)]
    assert ids(one, HistoryFilter()) == everything
    assert len(one.past.asked) == 3
    assert ids(one, HistoryFilter(), PIECE + 1) == everything[: PIECE + 1]
    assert ids(one, HistoryFilter(), 2, everything[9]) == everything[10:12]
    with pytest.raises(BadRequestError, match='"nobody" is no id'):
        ids(one, HistoryFilter(), None, "nobody")


def test_the_newest_can_come_first():
    one = desk(PIECE + 5)
    everything = [queue_id(n) for n in range(PIECE + 5, 0, -1)]
    assert ids(one, HistoryFilter(), None, "", BACKWARD) == everything
    assert ids(one, HistoryFilter(), 3, everything[4], BACKWARD) == everything[5:8]


def test_they_end_however_fast_mail_comes_meanwhile():
    one = desk(2 * PIECE)
    find = one.past.find

    def slowly(*asked):
        count = len(one.past.stories)
        one.past.stories += [story(n) for n in range(count + 1, count + PIECE + 1)]
        return find(*asked) if count < 9 * PIECE else succeed(StoryPage((), None))

    one.past.find = slowly
    assert ids(one, HistoryFilter()) == [queue_id(n) for n in range(1, 2 * PIECE + 1)]


FILTERS = [
    ({}, {}),
    ({"sender": "<>"}, {"sender": ""}),
    ({"sender": "a@b", "recipient": "c@d"}, {"sender": "a@b", "recipient": "c@d"}),
    ({"message_id": "<x>", "account": "A"}, {"message_id": "<x>", "account": "A"}),
    ({"id": "2"}, {"number": 2}),
    ({"since": "1h", "until": "1m"}, {"since": NOW - 3600, "until": NOW - 60}),
    ({"since": "2023-11-14T22:13:20Z"}, {"since": NOW}),
]


@pytest.mark.parametrize(("asked", "search"), FILTERS)
def test_what_is_looked_for(asked, search):
    one = desk()
    ids(one, HistoryFilter(**asked))
    assert one.past.asked[0][0] == Search(**search)


def test_times_are_by_the_clock_on_the_wall():
    one = desk()
    one.set_by = 7200
    ids(one, HistoryFilter(since="1h"))
    assert one.past.asked[0][0].since == NOW + 3600


def test_one_story():
    one = desk()
    plain = to_json(one.ask(one.operations.story("2")))
    assert (plain["id"], plain["arrived"], plain["arrived_at"]) == (
        "2",
        NOW + 2,
        "2023-11-14T22:13:22.000Z",
    )
    (event,) = plain["events"]
    assert (event["event"], event["time_at"], event["due_at"]) == (
        "accepted",
        "2023-11-14T22:13:22.000Z",
        "2023-11-14T22:13:20.000Z",
    )


@pytest.mark.parametrize("name", ["7Z", "no-id", ""])
def test_a_mail_that_is_not_remembered_is_told(name):
    one = desk()
    with pytest.raises(NotFoundError, match="is not in the history; older mail is forgotten"):
        one.ask(one.operations.story(name))


def test_without_a_history_that_is_said():
    one = Desk()
    for ask in (
        lambda: one.operations.story("1"),
        lambda: anext(one.operations.history(HistoryFilter())),
    ):
        with pytest.raises(RefusedError, match=r"there is no history: keep is 0 in \[history\]"):
            one.ask(ask())
    assert one.ask(one.operations.status()).history == "off"


def test_the_status_tells_what_is_wrong_with_it():
    one = desk()
    assert one.ask(one.operations.status()).history == "on"
    one.past.trouble = "it cannot be written"
    assert one.ask(one.operations.status()).history == "it cannot be written"


def test_a_reload_that_is_refused_has_all_faults():
    async def faulty():
        raise ConfigurationError(["one", "two"])

    one = Desk(reload=faulty)
    with pytest.raises(RefusedError, match="nothing has changed") as refused:
        one.ask(one.operations.reload())
    assert refused.value.faults == ("one", "two")
