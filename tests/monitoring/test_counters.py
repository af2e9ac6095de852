"""What is counted of mails, from events; and that no word of a stranger becomes a figure's name."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin import events
from multisendcon_plugin.edge import replies
from multisendcon_plugin.events import AttemptEnded, MailAccepted, Publisher
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.monitoring.counters import COUNTED_EVERY, REASONS, Counters, Tally
from multisendcon_plugin.operations.values import AccountCounts
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.outcome.judgement import Judgement
from tests.queues import NOW, attempt, clock_now, delivery

DELIVERED, DEFERRED, FAILED, UNCERTAIN = (
    Verdict.DELIVERED,
    Verdict.DEFERRED,
    Verdict.FAILED,
    Verdict.UNCERTAIN,
)
#: The clock on the wall was set by as much.
AHEAD = 7.0
STATE = {"address": "192.0.2.1", "user": "", "command": "", "sender": None, "recipients": ()}


class Counted:
    """Counters, and the world that they count."""

    def __init__(self):
        self.clock = clock_now()
        self.events = Publisher()
        self.counters = Counters(
            self.events, clock=self.clock, wall=lambda: self.clock.seconds() + AHEAD
        )
        self.counters.startService()

    def tried(self, *verdicts, account="A", failed=(), after=0.0, **more):
        """Try a delivery with so many recipients; `failed`: those for whom it was the last time."""
        tried = delivery(1, account=account, recipients=tuple(f"r{n}@x" for n in range(9)))
        tried = attrs.evolve(tried, recipients=tried.recipients[: len(verdicts)])
        ended = attempt(tried, *verdicts, **more)
        final = tuple(ended.outcomes[n] for n in failed)
        taken = tuple(each for each in ended.outcomes if each.verdict is DELIVERED)
        judgement = Judgement(remaining=tried, delivered=taken, failed=final)
        self.events.publish(AttemptEnded(tried, ended, judgement, NOW + after))

    def account(self, name="A"):
        tally = self.counters.tallies().get(name) or Tally({}, {})
        return [
            {outcome: count for outcome, count in counts.items() if count}
            for counts in (tally.recipients, tally.attempts)
        ]

    def refused(self):
        return {reason: count for reason, count in self.counters.refused.items() if count}


@pytest.fixture
def counted():
    return Counted()


def test_mails_that_became_ours(counted):
    assert counted.counters.accepted == 0
    for number in range(3):
        counted.events.publish(MailAccepted((delivery(number), delivery(number, account="B"))))
    assert counted.counters.accepted == 3


@pytest.mark.parametrize(
    ("verdicts", "failed", "recipients", "tried"),
    [
        ([DELIVERED, DELIVERED], (), {"delivered": 2}, "delivered"),
        ([DELIVERED, DEFERRED], (), {"delivered": 1, "deferred": 1}, "delivered"),
        ([UNCERTAIN, UNCERTAIN], (), {"uncertain": 2}, "uncertain"),
        ([FAILED, DEFERRED], (0,), {"failed": 1, "deferred": 1}, "deferred"),
        ([FAILED, FAILED], (0, 1), {"failed": 2}, "failed"),
        # Another account may take it.
        ([FAILED, FAILED], (), {"deferred": 2}, "deferred"),
        # They have waited for too long.
        ([DEFERRED], (0,), {"failed": 1}, "failed"),
        ([UNCERTAIN], (0,), {"failed": 1}, "failed"),
    ],
)
def test_each_recipient_counts_and_an_attempt_by_the_best_of_them(
    counted, verdicts, failed, recipients, tried
):
    counted.tried(*verdicts, failed=failed)
    assert counted.account() == [recipients, {tried: 1}]
    assert counted.account("B") == [{}, {}]


def test_who_is_left_to_the_next_transaction_does_not_count(counted):
    split = (replies.TOO_MANY_RECIPIENTS, Action.SPLIT)
    phase = attempt(delivery(1), DEFERRED).outcomes[0].phase
    counted.tried(DELIVERED, DEFERRED, deferred_by=(phase, *split))
    assert counted.account() == [{"delivered": 1}, {"delivered": 1}]


def test_times_are_of_the_clock_on_the_wall(counted):
    figures = counted.counters.counts("A")
    assert (figures.last_success, figures.last_failure) == (None, None)
    counted.tried(DELIVERED, after=1)
    counted.tried(DEFERRED, after=2)
    figures = counted.counters.counts("A")
    assert (figures.last_success, figures.last_failure) == (NOW + 1 + AHEAD, NOW + 2 + AHEAD)


def test_the_rate_is_that_of_the_last_five_minutes(counted):
    for _ in range(30):
        counted.tried(DELIVERED, DELIVERED)
    # There was no more than a minute yet.
    assert counted.counters.counts("A").rate == 30
    counted.clock.pump([COUNTED_EVERY] * 299)
    assert counted.counters.counts("A").rate == pytest.approx(30 / 5, rel=0.01)
    counted.clock.pump([COUNTED_EVERY] * 2)
    assert counted.counters.counts("A").rate == 0
    assert counted.account() == [{"delivered": 60}, {"delivered": 30}]


def test_how_long_recipients_have_waited(counted):
    counted.tried(DELIVERED, DELIVERED, after=0.2)
    counted.tried(DELIVERED, after=100)
    counted.tried(DEFERRED, after=100)
    counted.tried(DELIVERED, after=1e7)
    counted.tried(DELIVERED, after=-3)  # after a restart, the clock may tell another time
    found = counted.counters.delivery_seconds
    counts = dict(zip((*found.bounds, "more"), found.counts, strict=True))
    assert {bound: count for bound, count in counts.items() if count} == {
        0.1: 1,
        0.25: 2,
        300.0: 1,
        "more": 1,
    }
    assert found.sum == pytest.approx(2 * 0.2 + 100 + 1e7)


def test_what_is_published_is_not_kept_for_long(counted):
    """Nobody asks for weeks."""
    for _ in range(3):
        counted.events.publish(MailAccepted((delivery(1),)))
        counted.tried(DELIVERED)
        counted.clock.advance(COUNTED_EVERY)
        assert not counted.counters._mails
        assert not counted.counters._attempts


def test_after_its_stop_it_counts_no_more_and_nothing_is_left_of_it(counted):
    counted.counters.stopService()
    assert counted.clock.getDelayedCalls() == []
    counted.events.publish(MailAccepted((delivery(1),)))
    assert counted.counters.accepted == 0


def test_accounts_that_are_gone_are_forgotten(counted):
    counted.tried(DELIVERED)
    counted.tried(DELIVERED, account="B")
    counted.events.publish(
        events.ConfigurationChanged(added=(), removed=("A", "never used"), changed=("B",))
    )
    assert counted.account() == [{}, {}]
    assert counted.account("B") == [{"delivered": 1}, {"delivered": 1}]


def test_what_is_shown_of_an_account(counted):
    counted.tried(DELIVERED, DELIVERED, DEFERRED, FAILED, UNCERTAIN, failed=(3,))
    assert counted.counters.counts("A") == AccountCounts(
        delivered=2, deferred=1, failed=1, last_success=NOW + AHEAD, last_failure=None, rate=1.0
    )
    assert counted.counters.counts("B") == AccountCounts()


# What is refused.


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            Reply(550, "5.7.1", "no account is configured for mail"),
            "not_permitted",
        ),
        (Reply(451, "4.7.1", "max_mails_per_minute (3) reached"), "rate"),
        (Reply(501, "5.1.3", "what is this"), "address"),
        (replies.NEEDS_UTF8, "address"),
        (replies.TOO_LARGE, "size"),
        (replies.BAD_LINE_ENDS, "content"),
        (replies.LOOP, "loop"),
        (replies.LOGIN_FIRST, "no_login"),
        # They are about no mail.
        (replies.UNKNOWN_COMMAND, None),
        (replies.WRONG_CREDENTIALS, None),
    ],
)
def test_what_is_refused_counts_by_its_reason(counted, reply, reason):
    counted.events.publish(events.CommandRefused(reply=reply, more=0, **STATE))
    assert counted.refused() == ({reason: 1} if reason else {})
    left_out = events.EventsLeftOut(
        "192.0.2.1", "CommandRefused", f"{reply.code} {reply.enhanced}", 40
    )
    counted.events.publish(left_out)
    assert counted.refused() == ({reason: 41} if reason else {})


def test_mail_that_could_not_be_stored(counted):
    counted.events.publish(events.MailNotStored("192.0.2.1", replies.SPOOL_FULL, "full"))
    counted.events.publish(events.MailNotStored("192.0.2.1", replies.LOCAL_ERROR, "broken"))
    assert counted.refused() == {"no_room": 1, "spool": 1}


def test_connections_that_are_refused_are_no_mails(counted):
    counted.events.publish(events.LimitReached("192.0.2.1", "max_connections (3) reached"))
    counted.events.publish(events.ClientRefused("192.0.2.1", "allow"))
    counted.events.publish(events.EventsLeftOut("192.0.2.1", "LimitReached", "550 5.7.1", 5))
    assert counted.refused() == {}


@given(text=st.text(), code=st.integers(0, 999), kind=st.sampled_from(["CommandRefused", ""]))
def test_no_word_of_a_stranger_becomes_a_reason(text, code, kind):
    counted = Counted()
    state = STATE | {"user": text, "command": text, "sender": text, "recipients": (text,)}
    counted.events.publish(events.CommandRefused(reply=Reply(code, text, text), more=0, **state))
    counted.events.publish(events.EventsLeftOut(text, kind, text, 1))
    assert tuple(counted.counters.refused) == REASONS


def test_mails_by_the_minute(counted):
    assert counted.counters.by_minute("A") == ()
    counted.tried(DELIVERED)
    counted.counters.counts("A")
    counted.tried(DELIVERED, DELIVERED)
    counted.counters.counts("A")
    assert sum(counted.counters.by_minute("A")) == 0  # the minute has not ended
    counted.clock.advance(60)
    assert counted.counters.by_minute("A")[-2:] == (0, 2)
    counted.tried(DELIVERED)
    counted.tried(DEFERRED)
    counted.counters.counts("A")
    counted.clock.advance(60)
    assert counted.counters.by_minute("A")[-3:] == (0, 2, 1)
    counted.clock.advance(58 * 60)
    assert counted.counters.by_minute("A")[:2] == (2, 1)
    counted.clock.advance(60)
    assert counted.counters.by_minute("A")[:2] == (1, 0)
    assert len(counted.counters.by_minute("A")) == 60
