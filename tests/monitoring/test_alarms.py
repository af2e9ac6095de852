"""Alarms of a relay: when it looks, what is told, and that nothing which hangs prevents it."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred, fail, succeed

from multisendcon_plugin import events
from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.logins import LoginStanding
from multisendcon_plugin.mail.selection import StoreFigures, Total
from multisendcon_plugin.monitoring.alarms import ANSWER_WITHIN, LOOKS_EVERY, READS_EVERY, Alarms
from multisendcon_plugin.monitoring.troubles import RESTS_FOR, USED_UP_FOR, Expiry
from multisendcon_plugin.operations.values import AlarmKind
from multisendcon_plugin.outcome.condition import Condition, State
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider
from multisendcon_plugin.settings.operation import AlarmSettings
from multisendcon_plugin.settings.quota import Counted, Quota
from tests.queues import LOGIN_REFUSED, NOW, clock_now, collected, logged

#: The clock on the wall was set by as much.
AHEAD = 5000.0
ROOM = StoreFigures(taken=0, free=1000, kept_free=0, batches=(0,), jobs=0)
FULL = StoreFigures(taken=0, free=0, kept_free=0, batches=(0,), jobs=0)
DAY = 86400.0


class Teller:
    def __init__(self):
        self.told = []
        self.stopped = False

    def tell(self, alarm):
        assert not self.stopped
        self.told.append(alarm)

    def stop(self):
        self.stopped = True


class World:
    """Alarms, and what they look at."""

    def __init__(self, **settings):
        self.clock = clock_now()
        self.publisher = events.Publisher()
        self.published = collected(self.publisher, events.AlarmTold)
        self.conditions = []
        self.totals = {}
        self.figures = ROOM
        self.expiries = []
        self.logins = []
        self.tellers = []
        self.reads = 0
        self.alarms = Alarms(
            settings=AlarmSettings(**settings),
            publisher=self.publisher,
            conditions=lambda: self.conditions,
            totals=lambda: succeed(self.totals) if isinstance(self.totals, dict) else self.totals,
            figures=lambda: succeed(self.figures),
            logins=lambda: self.logins,
            cure=lambda name, fault: f"cure {name} of {fault}",
            expiries=self.read,
            make_tellers=self.make_tellers,
            clock=self.clock,
            wall=lambda: self.clock.seconds() + AHEAD,
        )
        self.alarms.startService()

    def read(self):
        self.reads += 1
        return succeed(self.expiries)

    def make_tellers(self, settings, report):
        self.report = report
        self.tellers.append(Teller())
        return [self.tellers[-1]]

    def goes_on(self, seconds=LOOKS_EVERY):
        self.clock.advance(0)
        while seconds > 0:
            self.clock.advance(min(seconds, LOOKS_EVERY))
            seconds -= LOOKS_EVERY

    def told(self):
        """Return what was told since the last time, and see that all were told the same."""
        published = [(each.kind, each.account, each.over) for each in self.published]
        told = [(each.kind.value, each.account, each.over) for each in self.tellers[-1].told]
        assert told == published
        self.published.clear()
        self.tellers[-1].told.clear()
        return published


@pytest.fixture
def world():
    return World()


def condition(state, rested=0.0, name="A"):
    return Condition(account=name, state=state, fault="no", since=NOW + AHEAD - rested)


def test_a_relay_of_which_all_is_well(world):
    world.goes_on(1000)
    assert world.told() == []
    assert world.alarms.current == ()


def test_an_account_that_cannot_log_in_is_told_at_once_and_so_is_its_recovery(world):
    world.conditions = [condition(State.LOGIN), condition(State.OK, name="B")]
    world.publisher.publish(events.AccountFaulted("A", LOGIN_REFUSED, NOW + 30, changed=True))
    assert world.told() == []  # not while the account is still changing
    world.clock.advance(0)
    assert world.told() == [("login", "A", False)]
    [alarm] = world.alarms.current
    assert (alarm.kind, alarm.since, alarm.over) == (AlarmKind.LOGIN, NOW + AHEAD, False)
    world.conditions = [condition(State.OK)]
    world.publisher.publish(events.AccountRecovered("A"))
    world.clock.advance(0)
    assert world.told() == [("login", "A", True)]
    assert world.alarms.current == ()


def test_a_thousand_faults_of_a_moment_are_one_look(world):
    world.conditions = [condition(State.LOGIN)]
    before = len(world.clock.getDelayedCalls())
    for _ in range(1000):
        world.publisher.publish(events.AccountFaulted("A", LOGIN_REFUSED, NOW, changed=False))
    assert len(world.clock.getDelayedCalls()) == before + 1
    world.clock.advance(0)
    assert world.told() == [("login", "A", False)]


def test_an_account_that_rests_for_long_is_told_by_and_by(world):
    world.conditions = [condition(State.RESTING)]
    world.goes_on(RESTS_FOR - LOOKS_EVERY)
    assert world.told() == []
    world.goes_on(LOOKS_EVERY)
    assert world.told() == [("resting", "A", False)]


def test_mail_that_waits_for_long_is_told_by_the_clock_of_the_spool():
    world = World(oldest_mail=100.0)
    world.totals = {"A": Total(1, 0, NOW)}
    world.goes_on(90)
    assert world.told() == []
    world.goes_on(15)
    assert world.told() == [("oldest_mail", "A", False)]
    world.totals = {}
    world.goes_on()
    assert world.told() == [("oldest_mail", "A", True)]


def test_it_is_repeated_as_often_as_the_settings_say():
    world = World(repeat=60.0)
    world.conditions = [condition(State.LOGIN)]
    world.goes_on(60)
    assert world.told() == [("login", "A", False)]
    world.goes_on(15)
    assert world.told() == [("login", "A", False)]


def test_a_disk_without_room(world):
    world.figures = FULL
    world.goes_on()
    assert world.told() == [("spool_full", None, False)]
    world.publisher.publish(events.SpoolFull("no room"))
    world.goes_on()
    assert world.told() == []  # it is the same trouble
    world.figures = ROOM
    world.goes_on()
    assert world.told() == []
    world.publisher.publish(events.SpoolHasRoom())
    world.goes_on()
    assert world.told() == [("spool_full", None, True)]


def test_what_events_tell_of_spool_and_front_process(world):
    world.publisher.publish(events.SpoolBroken("spool.db", "disk I/O error", False, ""))
    world.publisher.publish(events.FrontProcessEnded("ended unexpectedly: signal 9", 1.0))
    world.clock.advance(0)
    assert world.told() == [("spool_broken", None, False), ("front", None, False)]
    spool, front = [alarm.text for alarm in world.alarms.current]
    assert spool == (
        "the spool is broken, new mail is put off (451): disk I/O error; look at the disk, then"
        " restart the relay"
    )
    assert front == (
        "the front process, which serves the clients, ended unexpectedly: signal 9; it is started"
        " again"
    )
    world.publisher.publish(events.FrontProcessStarted())
    world.clock.advance(0)
    assert world.told() == [("front", None, True)]


def test_history_and_archive_that_are_not_written_are_told_while_mail_goes_on(world):
    world.publisher.publish(events.HistoryInterrupted("no room"))
    world.publisher.publish(events.ArchiveFailed("no room"))
    world.clock.advance(0)
    assert world.told() == [("history", None, False), ("archive", None, False)]
    world.publisher.publish(events.HistoryResumed(3))
    world.publisher.publish(events.ArchiveRecovered(3))
    world.clock.advance(0)
    assert world.told() == [("history", None, True), ("archive", None, True)]


def test_certificates_are_read_from_time_to_time_and_after_a_reload(world):
    assert world.reads == 1
    world.goes_on(READS_EVERY - 30)
    assert world.reads == 1
    world.expiries = [Expiry("/x.pem", None, NOW + AHEAD + 10 * DAY)]
    world.goes_on(60)
    assert world.reads == 2
    assert world.told() == [("certificate", None, False)]
    world.expiries = []
    world.alarms.reconfigure(AlarmSettings())
    world.goes_on()
    assert world.reads == 3
    assert world.told() == [("certificate", None, True)]


# Logins and quotas.

QUOTA = Quota(1000, Counted.MAILS, DAY)


def login(**standing):
    oauth2 = OAuth2(provider=Provider.MICROSOFT, grant=Grant.DEVICE)
    account = Account(name="A", server="mx.example", oauth2=oauth2)
    return account, LoginStanding(kind="token", **standing)


def test_what_can_be_done_about_a_fault_is_in_its_alarm(world):
    world.conditions = [condition(State.LOGIN)]
    world.publisher.publish(events.AccountFaulted("A", LOGIN_REFUSED, NOW, changed=True))
    world.clock.advance(0)
    [alarm] = world.alarms.current
    cure = "cure A of login: 535 5.7.8 bad password"
    assert alarm.text == f"account A cannot log in, or may not send: no. {cure}"
    # What is wrong now is something else.
    world.publisher.publish(events.AccountRecovered("A"))
    world.goes_on()
    assert "cure" not in world.alarms.current[0].text


def test_an_account_without_a_token_is_told_before_any_mail_meets_that(world):
    world.logins = [login(trouble="no answer")]
    world.publisher.publish(events.TokenRefused("A", "no answer", needs_login=False))
    world.goes_on()
    assert world.told() == []
    world.logins = [login(trouble="invalid_grant", needs_admin=True)]
    world.publisher.publish(events.TokenRefused("A", "invalid_grant", needs_login=True))
    world.clock.advance(0)
    assert world.told() == [("login", "A", False)]
    [alarm] = world.alarms.current
    cure = "cure A of login: 5.7.8 invalid_grant"
    assert alarm.text == f"account A gets no token to log in with: invalid_grant. {cure}"
    world.logins = [login()]
    world.publisher.publish(events.TokenRefreshed("A", NOW))
    world.clock.advance(0)
    assert world.told() == [("login", "A", True)]


def test_a_mail_that_meets_it_does_not_make_two_alarms_of_it(world):
    world.logins = [login(trouble="invalid_grant", needs_admin=True)]
    world.conditions = [condition(State.LOGIN)]
    world.publisher.publish(events.AccountFaulted("A", LOGIN_REFUSED, NOW, changed=True))
    world.goes_on()
    assert world.told() == [("login", "A", False)]


def test_a_login_that_runs_out_is_told_once_and_again_when_it_is_urgent():
    world = World(repeat=1e9)
    world.logins = [login(expires=NOW + AHEAD + 10 * DAY)]
    world.goes_on()
    assert world.told() == [("expires", "A", False)]
    world.logins = [login(expires=NOW + AHEAD + 7 * DAY)]
    world.goes_on()
    assert world.told() == [("expires", "A", False)]
    world.logins = []
    world.goes_on()
    assert world.told() == [("expires", "A", True)]


def test_mail_that_waits_for_a_quota_is_told_by_and_by(world):
    world.conditions = [condition(State.QUOTA)]
    world.conditions = [attrs.evolve(world.conditions[0], used_up=QUOTA)]
    world.totals = {"A": Total(1, 0, NOW)}
    world.goes_on(USED_UP_FOR)
    assert world.told() == []
    world.goes_on()
    assert world.told() == [("quota", "A", False)]
    world.totals = {}
    world.goes_on()
    assert world.told() == [("quota", "A", True)]


# What hangs, or fails.


def test_a_spool_that_hangs_keeps_nobody_from_being_told(world):
    world.totals = Deferred()
    world.goes_on(5 * LOOKS_EVERY)
    world.conditions = [condition(State.LOGIN)]
    world.publisher.publish(events.AccountFaulted("A", LOGIN_REFUSED, NOW, changed=True))
    world.clock.advance(0)
    assert world.told() == [("login", "A", False)]
    world.figures = FULL
    world.totals = Deferred()
    world.goes_on(LOOKS_EVERY + ANSWER_WITHIN)
    assert world.told() == [("spool_full", None, False)]


def test_what_is_known_stays_while_the_spool_does_not_tell():
    world = World(oldest_mail=1.0)
    world.totals = {"A": Total(1, 0, NOW)}
    world.goes_on()
    assert world.told() == [("oldest_mail", "A", False)]
    world.totals = fail(SpoolError("broken"))
    world.goes_on()
    assert world.told() == []
    assert len(world.alarms.current) == 1


def test_a_bug_in_a_look_is_logged_and_the_next_look_is_taken(world):
    world.totals = fail(ZeroDivisionError())
    with logged() as log:
        world.goes_on()
    assert log.failures(ZeroDivisionError) == 1
    world.totals = {}
    world.figures = FULL
    world.goes_on()
    assert world.told() == [("spool_full", None, False)]


def test_a_webhook_that_does_not_take_alarms_is_a_trouble_of_its_own(world):
    world.report("the webhook at hooks.example.com does not take alarms: it answers 500")
    world.clock.advance(0)
    assert world.told() == [("webhook", None, False)]
    world.report("")
    world.clock.advance(0)
    assert world.told() == [("webhook", None, True)]
    world.report("")
    world.goes_on()
    assert world.told() == []


# Reload and stop.


def test_a_reload_that_changes_who_is_told(world):
    world.conditions = [condition(State.LOGIN)]
    world.goes_on()
    world.told()
    world.report("does not work")
    [first] = world.tellers
    world.alarms.reconfigure(AlarmSettings(webhook="https://hooks.example.com/x"))
    assert first.stopped
    assert len(world.tellers) == 2
    world.goes_on()
    # The trouble was that of the old one, and nobody was told of it yet.
    assert world.told() == []
    assert [each.kind for each in world.alarms.current] == [AlarmKind.LOGIN]
    world.alarms.reconfigure(AlarmSettings(webhook="https://hooks.example.com/x", repeat=1.0))
    assert len(world.tellers) == 2
    world.clock.advance(0)
    assert world.told() == [("login", "A", False)]


def test_a_reload_may_change_what_is_too_long(world):
    world.totals = {"A": Total(1, 0, NOW)}
    world.goes_on()
    assert world.told() == []
    world.alarms.reconfigure(AlarmSettings(oldest_mail=1.0))
    world.clock.advance(0)
    assert world.told() == [("oldest_mail", "A", False)]


@pytest.mark.parametrize("hangs", [False, True])
def test_after_its_stop_nothing_is_told_and_no_timer_is_left(world, hangs):
    if hangs:
        world.totals = Deferred()
        world.goes_on()
    world.conditions = [condition(State.LOGIN)]
    world.publisher.publish(events.AccountFaulted("A", LOGIN_REFUSED, NOW, changed=True))
    world.alarms.stopService()
    assert world.tellers[0].stopped
    world.publisher.publish(events.SpoolFull("no room"))
    world.clock.advance(100)
    assert world.told() == []
    assert world.clock.getDelayedCalls() == []
