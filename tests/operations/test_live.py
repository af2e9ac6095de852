"""Events for those who listen."""

from __future__ import annotations

from typing import get_args

import pytest

from multisendcon_plugin import events
from multisendcon_plugin.events import Event
from multisendcon_plugin.operations.live import KEPT, KEPT_FOR
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.condition import State
from multisendcon_plugin.outcome.judgement import Judgement
from tests.daemon.test_event_log import SAID
from tests.operations.desk import Desk
from tests.queues import NOW, attempt, delivery

PAUSED = events.AccountPaused("Lab")


class Told(Desk):
    """A desk, and what a listener hears there."""

    def __init__(self):
        super().__init__()
        self.heard = []
        self.leave = self.operations.live.listen(self.heard.append)

    def tell(self, event):
        """Publish an event; return what is told of it."""
        del self.heard[:]
        self.events.publish(event)
        return [told.plain for told in self.heard]


@pytest.mark.parametrize(("event", "_level", "_line"), SAID)
def test_there_is_something_to_tell_of_each_event_but_what_has_been_told(event, _level, _line):
    said = Told().tell(event)
    silent = events.FailureUntold | events.ReportWithheld
    about_an_account = events.AccountPaused | events.AccountResumed | events.AccountRecovered
    if isinstance(event, about_an_account | events.AccountFaulted):
        assert said == []  # there is no account A here
    else:
        assert bool(said) != isinstance(event, silent)
    for plain in said:
        assert plain["time"] == NOW
        assert plain["time_at"] == "2023-11-14T22:13:20.000Z"
        assert plain["event"].isidentifier()


def test_all_events_have_an_example_here():
    example = {type(event) for event, *_ in SAID} | {events.AccountFaulted}
    assert example == set(get_args(Event))


def test_a_mail_is_told_as_in_its_story():
    one = delivery(1)
    desk = Told()
    (accepted,) = desk.tell(events.MailAccepted((one,)))
    assert (accepted["event"], accepted["id"], accepted["account"]) == ("accepted", "1", "A")
    assert (accepted["sender"], accepted["recipients"]) == ("s@a.example", ["r@b.example"])
    assert accepted["reason"] == "test"
    ended = events.AttemptEnded(one, attempt(one), Judgement(remaining=None), NOW)
    assert [each["event"] for each in desk.tell(ended)] == ["attempt", "delivered"]
    tried = attempt(one, Verdict.DEFERRED)
    moved = one.moved_to(("B", ""), "because", NOW + 5)
    judgement = Judgement(remaining=moved)
    said = desk.tell(events.AttemptEnded(one, tried, judgement, NOW))
    assert [each["event"] for each in said] == ["attempt", "deferred", "moved"]
    assert said[1]["reply"] == "451 4.7.1 greylisted"
    assert (said[1]["due"], said[2]["to_account"]) == (NOW + 5, "B")
    assert said[2]["recipients"] == ["r@b.example"]


def test_an_account_is_told_by_its_state():
    desk = Told()
    desk.queue.states["Lab"] = State.PAUSED
    (plain,) = desk.tell(PAUSED)
    assert (plain["event"], plain["account"], plain["state"]) == ("account", "Lab", "paused")


def test_others_are_told_under_their_own_name():
    (plain,) = Told().tell(events.LimitReached("192.0.2.1", "max_connections"))
    assert plain == {
        "event": "limit_reached",
        "time": NOW,
        "time_at": "2023-11-14T22:13:20.000Z",
        "address": "192.0.2.1",
        "limit": "max_connections",
    }


def test_nothing_is_made_of_events_while_nobody_listens():
    desk = Told()
    desk.leave()
    desk.clock.advance(KEPT_FOR)
    desk.operations.live._public = None  # cannot be called
    desk.events.publish(PAUSED)
    assert desk.events._subscribers.get(events.AccountPaused) == ()


def test_who_listens_again_hears_what_was_missed():
    desk = Told()
    desk.tell(PAUSED)
    last = desk.heard[-1].number
    desk.leave()
    desk.clock.advance(KEPT_FOR - 1)
    for _ in range(2):
        desk.events.publish(PAUSED)
    again = []
    desk.operations.live.listen(again.append, last)
    assert [told.number for told in again] == [last + 1, last + 2]
    first = []
    desk.operations.live.listen(first.append)
    assert first == []
    desk.clock.advance(2 * KEPT_FOR)
    desk.events.publish(PAUSED)
    assert [told.number for told in first] == [last + 3]


def test_only_the_last_ones_are_kept():
    desk = Told()
    for _ in range(KEPT + 10):
        desk.events.publish(PAUSED)
    again = []
    desk.operations.live.listen(again.append, 0)
    assert len(again) == KEPT
    assert again[-1] == desk.heard[-1]


@pytest.mark.parametrize("how", ["leave first", "stop first"])
def test_when_the_relay_stops_nothing_is_left(how):
    desk = Told()
    for end in (desk.leave, desk.operations.live.stop)[:: 1 if how == "leave first" else -1]:
        end()
    assert desk.clock.getDelayedCalls() == []
    assert desk.events._subscribers[events.AccountPaused] == ()


def test_numbers_go_on_behind_those_of_the_relay_before_a_restart():
    before, after = Told(), Told()
    after.clock.advance(1)
    after.operations.__attrs_post_init__()
    assert after.operations.live._next > before.operations.live._next + 1000


def test_an_alarm_is_told_with_its_times():
    event = events.AlarmTold(
        kind="login", account="Lab", text="cannot log in", since=NOW - 10, over=False
    )
    (plain,) = Told().tell(event)
    assert (plain["event"], plain["kind"], plain["account"]) == ("alarm", "login", "Lab")
    assert (plain["since"], plain["since_at"]) == (NOW - 10, "2023-11-14T22:13:10.000Z")


def test_a_token_is_told_with_its_time_and_what_is_refused_with_the_reason():
    (plain,) = Told().tell(events.TokenRefreshed("Lab", NOW + 60))
    assert (plain["event"], plain["account"]) == ("token_refreshed", "Lab")
    assert (plain["valid_until"], plain["valid_until_at"]) == (NOW + 60, "2023-11-14T22:14:20.000Z")
    (plain,) = Told().tell(events.TokenRefused("Lab", "no such client", needs_login=True))
    assert (plain["event"], plain["error"]) == ("token_refused", "no such client")
    assert plain["needs_login"] is True
    (plain,) = Told().tell(events.QuotaUsedUp("Lab", "1000 recipients/1d", NOW))
    assert (plain["event"], plain["quota"], plain["until"]) == (
        *("quota_used_up", "1000 recipients/1d", NOW),
    )
