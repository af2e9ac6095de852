"""Which mails of the history would take another account: by the search that routes mail."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from multisendcon_plugin.errors import HistoryError
from multisendcon_plugin.events import Publisher
from multisendcon_plugin.history import StoryPage
from multisendcon_plugin.history.story import LAST_PLACE
from multisendcon_plugin.mail.envelope import Client
from multisendcon_plugin.operations import comparing
from multisendcon_plugin.operations.comparing import LONGEST, PERIOD, PIECE, STEP, Comparing
from multisendcon_plugin.operations.configured import Effects, Rerouted
from multisendcon_plugin.routing.account import REPORTS_ACCOUNT
from multisendcon_plugin.routing.registry import AccountRegistry
from tests.operations.desk import result
from tests.operations.test_history import story
from tests.queue_world import account

NOW = 1_700_000_000.0
ALL = AccountRegistry([account("All")])
SALES = AccountRegistry([account("Sales", senders="*@sales.example"), account("All")])


class Past:
    """A history whose pieces are at hand, the last first; each takes a while by the clock."""

    def __init__(self, *stories, clock=None, takes=0.0):
        self.stories = sorted(stories, key=lambda each: -each.arrived)
        self.clock = clock
        self.takes = takes
        self.asked = []

    def find(self, _search, limit, before=LAST_PLACE, _way=None):
        self.asked.append(limit)
        if self.takes:
            self.clock.rightNow += self.takes
        first = 0 if before == LAST_PLACE else before[0]
        found = self.stories[first : first + limit]
        after = (first + limit, 0) if len(found) == limit else None
        return succeed(StoryPage(tuple(found), after))


def mail(number, **fields):
    return attrs.evolve(story(number), arrived=NOW - number, **fields)


def compare(history, before, after, clock=None):
    """Begin a comparison; on a clock of its own it goes on to its end."""
    own = clock or Clock()
    made = Comparing(lambda: history, Publisher(), own, lambda: NOW)
    comparison = Deferred.fromCoroutine(made.effects(before, after))
    if clock is None:
        own.advance(0)
    return comparison


def changed(*stories, before=ALL, after=SALES):
    found = result(compare(Past(*stories), before, after))
    assert found.looked_at == len(stories)
    return [(each.id, each.recipient, each.before, each.after) for each in found.changed]


def test_mails_that_would_go_elsewhere_are_named_the_last_first():
    other = mail(2, sender="boss@lab.example")
    found = result(compare(Past(mail(1), other, mail(3)), ALL, SALES))
    assert found == Effects(
        looked_at=3,
        since=NOW - PERIOD,
        changed=tuple(
            Rerouted(
                id=each,
                sender="boss@sales.example",
                recipient="one@far.example",
                before="All",
                after="Sales",
            )
            for each in ("1", "3")
        ),
    )


def test_each_recipient_goes_its_own_way():
    to = ("a@here.example", "b@far.example", "a@here.example")
    here = AccountRegistry([account("Here", recipients="*@here.example"), account("All")])
    assert changed(mail(1, recipients=to), after=here) == [("1", "a@here.example", "All", "Here")]


def test_who_is_taken_by_nobody_is_told():
    nobody = AccountRegistry([account("Lab", senders="*@lab.example")])
    assert changed(mail(1), after=nobody) == [("1", "one@far.example", "All", None)]
    assert changed(mail(1), before=nobody, after=ALL) == [("1", "one@far.example", None, "All")]


def test_the_null_sender_goes_by_its_author():
    client = Client("192.0.2.1", "", "pc.example", "")
    away = mail(1, sender="", author="boss@sales.example", client=client)
    unknown = mail(2, sender="", client=client)
    assert changed(away, unknown) == [("1", "one@far.example", "All", "Sales")]


def test_reports_go_by_their_own_account():
    report = mail(1, sender="")
    by_itself = AccountRegistry([account("All")], account(REPORTS_ACCOUNT))
    assert changed(report, after=by_itself) == [("1", "one@far.example", "All", REPORTS_ACCOUNT)]
    sales = AccountRegistry([account("Sales"), account("All")], account(REPORTS_ACCOUNT))
    assert changed(report, before=by_itself, after=sales) == []


@pytest.mark.parametrize(
    "after",
    [
        AccountRegistry([account("All", minimum_wait=3.0, port=587)]),
        AccountRegistry([account("All")]),
    ],
)
def test_nothing_is_looked_at_if_nothing_decides_otherwise(after):
    past = Past(mail(1))
    assert result(compare(past, ALL, after)) == Effects()
    assert past.asked == []


@pytest.mark.parametrize(
    "after",
    [
        AccountRegistry([account("All", enabled=False)]),
        AccountRegistry([account("All", recipients="a@b.example")]),
        AccountRegistry([account("All"), account("More")]),
        AccountRegistry([account("All")], account(REPORTS_ACCOUNT)),
    ],
)
def test_what_decides_otherwise_is_looked_at(after):
    assert result(compare(Past(mail(1)), ALL, after)).looked_at == 1


def test_the_last_days_only():
    past = Past(mail(1), mail(int(PERIOD)), mail(int(PERIOD) + 1))
    found = result(compare(past, ALL, SALES))
    assert (found.looked_at, found.since) == (2, NOW - PERIOD)


def test_so_many_mails_only(monkeypatch):
    monkeypatch.setattr(comparing, "MOST_MAILS", PIECE + 2)
    found = result(compare(Past(*map(mail, range(1, 3 * PIECE))), ALL, SALES))
    assert (found.looked_at, found.since) == (PIECE + 2, NOW - PIECE - 2)


def test_so_long_only():
    clock = Clock()
    past = Past(*map(mail, range(1, 500)), clock=clock, takes=LONGEST / 2)
    looking = compare(past, ALL, SALES, clock)
    clock.advance(0)
    found = result(looking)
    assert (found.looked_at, found.since) == (PIECE, NOW - PIECE)


def test_so_many_are_named_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(comparing, "MOST_NAMED", 2)
    found = result(compare(Past(*map(mail, range(1, 6))), ALL, SALES))
    assert ([each.id for each in found.changed], found.more) == (["1", "2"], 3)


def test_many_recipients_are_looked_at_in_steps(monkeypatch):
    monkeypatch.setattr(comparing, "MOST_RECIPIENTS", 2 * STEP)
    everyone = tuple(f"{n}@far.example" for n in range(2 * STEP))
    clock = Clock()
    looking = compare(Past(mail(1, recipients=everyone), mail(2)), ALL, SALES, clock)
    others = []
    clock.callLater(0, lambda: others.append(looking.called))
    clock.advance(0)
    # Who came meanwhile did not wait for its end.
    assert others == [False]
    assert result(looking).looked_at == 1


def test_without_a_history_that_is_said():
    assert "keep is 0 in [history]" in result(compare(None, ALL, SALES)).problem


def test_a_history_that_cannot_be_read_is_told():
    class Broken:
        def find(self, *_):
            return fail(HistoryError("it cannot be read"))

    assert result(compare(Broken(), ALL, SALES)) == Effects(problem="it cannot be read")
