"""Each event has its lines, in the order in which events were published, and in turns."""

from __future__ import annotations

import time
from typing import get_args

import attrs
import pytest
from twisted.logger import LogLevel, capturedLogs, formatEvent

from multisendcon_plugin import events
from multisendcon_plugin.daemon.event_log import LINES_AT_ONCE, EventLog
from multisendcon_plugin.daemon.log_lines import LINES
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.outcome.judgement import Judgement
from multisendcon_plugin.outcome.tls import TlsResult
from tests.queues import CLOSED, LOGIN_REFUSED, NOW, attempt, clock_now, delivery, logged, turn

ONE = delivery(1)
MANY = delivery(2, recipients=tuple(f"r{n}@b.example" for n in range(3 * LINES_AT_ONCE)))
REPORT = delivery(3, account="Reports", recipients=("s@a.example",))
REPLY = Reply(550, "5.7.1", "no")
THEN = time.strftime("%Y-%m-%d %H:%M", time.localtime(NOW))
CLOCK = time.strftime("%H:%M:%S", time.localtime(NOW))
STATE = {"address": "192.0.2.1", "user": "", "command": "", "sender": None, "recipients": ()}
INFO, WARN, ERROR, CRITICAL = LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical


def refused(number):
    """Return an event with a line for each recipient."""
    plain = attempt(MANY, Verdict.FAILED)
    outcomes = tuple(
        attrs.evolve(each, reply=Reply(550, "5.1.1", f"{number}.{n}"))
        for n, each in enumerate(plain.outcomes)
    )
    ended = attrs.evolve(plain, outcomes=outcomes)
    return events.AttemptEnded(MANY, ended, Judgement(remaining=None, failed=outcomes), NOW)


SAID = [
    (
        events.MailAccepted((ONE,)),
        INFO,
        "1: accepted from <s@a.example>, 10 bytes, for <r@b.example> by A (test)",
    ),
    (
        events.AttemptEnded(ONE, attempt(ONE), Judgement(remaining=None), NOW),
        INFO,
        "1: <r@b.example> delivered by account A: 250 2.0.0 taken",
    ),
    (
        events.DeliveryMoved(ONE, "B"),
        INFO,
        "1: moved to account B, since account A rests",
    ),
    (
        events.DeliveryMoved(ONE, "B", "moved by an admin"),
        INFO,
        "1: moved to account B, moved by an admin",
    ),
    (events.DeliveryHeld(ONE), INFO, "1: held by account A until it is released"),
    (events.DeliveryReleased(ONE), INFO, "1: released, waits for account A"),
    (
        events.DeliveryDeleted(ONE, notified=False),
        WARN,
        "1: mail for <r@b.example> by account A deleted, without a report",
    ),
    (
        events.DeliveryDeleted(ONE, notified=True),
        WARN,
        "1: mail for <r@b.example> by account A deleted, its sender gets a report",
    ),
    (
        events.ReportQueued(ONE, REPORT),
        INFO,
        "3: report on 1, for <s@a.example> by Reports (test)",
    ),
    (
        events.FailureUntold(ONE.message, attempt(ONE, Verdict.FAILED).outcomes),
        WARN,
        "1: mail to <r@b.example> not delivered, and nobody can be told: 550 5.1.1 no such user",
    ),
    (
        events.ReportWithheld(ONE.message, "s@a.example", 50),
        WARN,
        "1: no report to <s@a.example>, who has had 50 in the last hour: see ndr.max_per_hour",
    ),
    (
        events.ReportUnroutable("1", "d@a.example", "s@a.example"),
        ERROR,
        (
            "1: report to <s@a.example> not sent: no account takes mail from <d@a.example>;"
            " set ndr.server, or give an account the sender mask <>"
        ),
    ),
    (
        events.AccountRecovered("A"),
        INFO,
        "account A works again",
    ),
    (
        events.AlarmTold(kind="login", account="A", text="no", since=NOW, over=False),
        ERROR,
        f"alarm: no (login, since {THEN})",
    ),
    (
        events.AlarmTold(kind="front", account=None, text="no", since=NOW, over=True),
        INFO,
        f"alarm over: no (front, since {THEN})",
    ),
    (
        events.ConnectionsLimited("A", 3, 10, 900.0),
        WARN,
        (
            "account A: the server allows 3 connections at a time, not 10; set max_connections = 3"
            " (one more is tried every 15 minutes)"
        ),
    ),
    (
        events.QuotaUsedUp("A", "1000 recipients/1d", NOW),
        WARN,
        (
            f"account A: its quota of 1000 recipients/1d is used up until {THEN}:{CLOCK[-2:]}; its"
            " mail waits unless a fallback account takes it"
        ),
    ),
    (
        events.TlsPolicyApplied(
            account="A",
            policy="mta-sts",
            domain="b.example",
            recipient_domain="b.example",
            server="mx.b.example",
            testing=True,
            result=TlsResult.CERTIFICATE_EXPIRED,
            reason="the certificate has expired",
        ),
        WARN,
        (
            "account A: TLS with mx.b.example for mail to b.example (mta-sts): the certificate has"
            " expired; the domain is testing its policy, and the mail is sent all the same"
        ),
    ),
    (
        events.TlsPolicyApplied(
            account="A",
            policy="dane",
            domain="mx.b.example",
            recipient_domain="b.example",
            server="mx.b.example",
            result=TlsResult.STARTTLS_NOT_SUPPORTED,
            reason="no STARTTLS",
        ),
        WARN,
        "account A: TLS with mx.b.example for mail to b.example (dane): no STARTTLS",
    ),
    (
        events.TlsPolicyApplied(
            account="A",
            policy="opportunistic",
            domain="b.example",
            recipient_domain="b.example",
            server="mx.b.example",
            result=TlsResult.STS_POLICY_FETCH_ERROR,
            reason="no policy",
        ),
        WARN,
        "account A: TLS with mx.b.example for mail to b.example (opportunistic): no policy",
    ),
    (
        events.TokenRefreshed("A", NOW),
        INFO,
        f"account A has a new token, valid until {THEN}:{CLOCK[-2:]}",
    ),
    (
        events.TokenRefreshed("A", NOW, recovered=True),
        INFO,
        f"account A gets tokens again, valid until {THEN}:{CLOCK[-2:]}",
    ),
    (
        events.TokenRefused("A", "invalid_grant", needs_login=True),
        ERROR,
        (
            "account A gets no token: invalid_grant; its mail waits for that; multisendcon account"
            " test A says what to do"
        ),
    ),
    (
        events.TokenRefused("A", "no answer", needs_login=False),
        WARN,
        "account A gets no token: no answer; it is tried again",
    ),
    (
        events.TokenNotStored("A", "No space left on device"),
        ERROR,
        (
            "account A: its new token cannot be written, so it is used from memory and would be"
            " lost with a restart: No space left on device; it is tried again"
        ),
    ),
    (events.TokenStored("A"), INFO, "account A: its token is written now"),
    (
        events.SpoolBroken("spool.db", "disk I/O error", writes=False, advice=""),
        CRITICAL,
        (
            "spool.db: disk I/O error; no mail is accepted or sent any more, and mail in transit"
            " may be sent again after the restart; check the disk, then restart the relay"
        ),
    ),
    (
        events.SpoolBroken("spool.db", "malformed", writes=True, advice="Recover it"),
        CRITICAL,
        (
            "spool.db: malformed; new mail is rejected (451); readable mail is still delivered."
            " Recover it"
        ),
    ),
    (
        events.AccountPaused("A"),
        WARN,
        "account A is it rests until somebody resumes it; its mail waits",
    ),
    (events.AccountResumed("A"), INFO, "account A is resumed"),
    (
        events.SpoolFull("the disk is full"),
        ERROR,
        "there is no room for new mail, which is put off (452): the disk is full",
    ),
    (events.SpoolHasRoom(), INFO, "there is room for new mail again"),
    (
        events.ArchiveFailed("No space left on device"),
        ERROR,
        (
            "copies of outgoing mail are not kept: No space left on device; the mail is sent all"
            " the same; see [archive] path"
        ),
    ),
    (
        events.ArchiveRecovered(7),
        WARN,
        "copies of outgoing mail are kept again; 7 mails have none",
    ),
    (
        events.HistoryInterrupted("disk full"),
        ERROR,
        "the history lacks something, mail goes on: disk full",
    ),
    (
        events.HistoryResumed(1_234),
        INFO,
        "the history is written again; 1,234 events are missing in it",
    ),
    (
        events.ConfigurationChanged(added=("A", "B"), removed=(), changed=("C",)),
        INFO,
        "the configuration was reloaded: added A, B; changed C",
    ),
    (
        events.ConfigurationChanged(added=(), removed=(), changed=()),
        INFO,
        "the configuration was reloaded: no account was added, removed or changed",
    ),
    (
        events.FrontProcessEnded("ended", 1.0),
        CRITICAL,
        "the front process ended; starting a new one in 1 s",
    ),
    (events.FrontProcessStarted(), INFO, "the front process serves the clients"),
    (
        events.ClientRefused("192.0.2.1", "allow"),
        INFO,
        "192.0.2.1 rejected: not in [master_relay] allow",
    ),
    (
        events.LimitReached("192.0.2.1", "max_connections (5) reached"),
        WARN,
        "192.0.2.1 rejected: max_connections (5) reached",
    ),
    (
        events.ProxyRefused("192.0.2.1", "too long"),
        WARN,
        "connection from 192.0.2.1 closed: PROXY header too long",
    ),
    (
        events.CommandRefused(reply=REPLY, more=0, **STATE),
        INFO,
        "192.0.2.1 rejected: 550 5.7.1 no",
    ),
    (
        events.SessionEnded(
            why="it was slow", more=6, **STATE | {"sender": "", "recipients": ("a@b", "c@d")}
        ),
        INFO,
        "192.0.2.1: session closed: it was slow; from <>; to <a@b>, <c@d> and 6 more",
    ),
    (
        events.MailNotStored("192.0.2.1", Reply(451, "4.3.0", "local error"), "no disk"),
        ERROR,
        "mail from 192.0.2.1 temporarily rejected (451): no disk",
    ),
    (
        events.AdminSignedIn(address="192.0.2.1", admin="joe"),
        INFO,
        "192.0.2.1: joe has signed in",
    ),
    (
        events.AdminRefused(address="192.0.2.1", admin="joe"),
        WARN,
        "192.0.2.1 could not sign in as joe",
    ),
    (
        events.AdminActed(
            address="192.0.2.1", admin="joe", text="Account A is paused.", status=303
        ),
        INFO,
        "joe (192.0.2.1): Account A is paused.",
    ),
    (
        events.AdminActed(
            address="192.0.2.1", admin="joe", text="POST /accounts/A/pause", status=403
        ),
        INFO,
        "joe (192.0.2.1): POST /accounts/A/pause (refused: 403)",
    ),
    (events.LoginAccepted("192.0.2.1", "joe"), INFO, "192.0.2.1 logged in as joe"),
    (events.LoginRefused("192.0.2.1", "joe"), WARN, "192.0.2.1 could not log in as joe"),
    (
        events.EventsLeftOut("192.0.2.1", "CommandRefused", "550 5.7.1", 2950),
        WARN,
        "192.0.2.1 rejected: 550 5.7.1 ... and 2,950 more",
    ),
    (
        events.EventsLeftOut("other addresses", "", "", 7),
        WARN,
        "other addresses rejected or closed: ... and 7 more",
    ),
]


@pytest.mark.parametrize(("event", "level", "text"), SAID, ids=lambda each: type(each).__name__)
def test_what_is_said_of_an_event(event, level, text):
    publisher = events.Publisher()
    EventLog(publisher, clock_now())
    with capturedLogs() as said:
        publisher.publish(event)
    (line,) = said
    assert (line["log_level"], formatEvent(line)) == (level, text)


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize(
    ("fault", "alarm"), [(CLOSED, False), (LOGIN_REFUSED, True)], ids=["rests", "alarms"]
)
def test_an_account_at_fault_is_an_error_once(fault, alarm, changed):
    publisher = events.Publisher()
    EventLog(publisher, clock_now())
    with capturedLogs() as said:
        publisher.publish(events.AccountFaulted("A", fault, NOW, changed=changed))
    (line,) = said
    assert line["log_level"] is (ERROR if changed else INFO)
    assert line["alarm"] is alarm
    assert formatEvent(line).startswith(f"account A cannot be used: {fault}; it rests until ")


@pytest.mark.parametrize(
    ("policy", "result", "lines"),
    [
        ("dane", None, 0),
        ("opportunistic", None, 0),
        ("opportunistic", TlsResult.STARTTLS_NOT_SUPPORTED, 0),
        ("opportunistic", TlsResult.VALIDATION_FAILURE, 0),
        ("opportunistic", TlsResult.STS_POLICY_INVALID, 1),
        ("mta-sts", TlsResult.STARTTLS_NOT_SUPPORTED, 1),
    ],
)
def test_a_session_without_tls_has_a_line_where_somebody_demands_it(policy, result, lines):
    event = events.TlsPolicyApplied(
        account="A",
        policy=policy,
        domain="b.example",
        recipient_domain="b.example",
        server="mx.b.example",
        result=result,
        reason="why",
    )
    assert len(LINES[events.TlsPolicyApplied](event)) == lines


def test_there_are_words_for_every_event_and_a_test_of_them():
    assert set(LINES) == set(get_args(events.Event))
    assert {type(event) for event, _, _ in SAID} | {events.AccountFaulted} == set(LINES)


@pytest.mark.parametrize("action", [each for each in Action if each.stops_account])
def test_there_are_words_for_every_fault_of_an_account(action):
    fault = attrs.evolve(CLOSED, action=action)
    ((_, text, fields),) = LINES[events.AccountFaulted](
        events.AccountFaulted("A", fault, NOW, changed=True)
    )
    assert "account A" in text
    assert fields["alarm"] is (action is Action.ALARM)


def numbers(log):
    """Return the numbers in the replies that the lines end with."""
    return [text.rpartition(" ")[2] for text in log.texts(INFO)]


@pytest.fixture
def clock():
    return clock_now()


@pytest.fixture
def publisher():
    return events.Publisher()


def test_a_turn_has_its_lines_and_what_comes_meanwhile_waits(clock, publisher):
    EventLog(publisher, clock)
    expected = [f"{number}.{n}" for number in (1, 2) for n in range(3 * LINES_AT_ONCE)] + ["again"]
    with logged() as log:
        publisher.publish(refused(1))
        publisher.publish(refused(2))
        publisher.publish(events.AccountRecovered("A"))
        for turns in range(1, 7):
            assert numbers(log) == expected[: turns * LINES_AT_ONCE]
            turn(clock)
    assert numbers(log) == expected
    assert clock.getDelayedCalls() == []


def test_what_is_left_when_the_relay_stops_is_written(clock, publisher):
    log_of_events = EventLog(publisher, clock)
    with logged() as log:
        publisher.publish(refused(1))
        publisher.publish(events.AccountRecovered("A"))
        log_of_events.finish()
    assert len(numbers(log)) == 3 * LINES_AT_ONCE + 1
    assert clock.getDelayedCalls() == []
    log_of_events.finish()


def test_after_that_it_goes_on_as_before(clock, publisher):
    log_of_events = EventLog(publisher, clock)
    with logged() as log:
        publisher.publish(refused(1))
        log_of_events.finish()
        publisher.publish(events.AccountRecovered("A"))
    assert numbers(log)[-1] == "again"
