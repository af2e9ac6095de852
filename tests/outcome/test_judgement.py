from __future__ import annotations

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import Delivery, Message, Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import AccountFault, Attempt, Outcome, Scope, Verdict
from multisendcon_plugin.outcome.backoff import retry_pause
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.outcome.judgement import delayed_by, judge, retry_until, waited
from multisendcon_plugin.settings.values import DeliverySettings
from tests.queues import fault

ARRIVED = 1_000_000.0
SETTINGS = DeliverySettings(retry=(60.0, 300.0), give_up_after=1000.0, warn_after=500.0)

OK = Reply(250, "2.0.0", "queued")
LATER = Reply(451, "4.7.1", "greylisted")
NEVER = Reply(550, "5.1.1", "no such user")
REFUSED_LOGIN = fault(Phase.LOGIN, 535, "5.7.8", "bad password")
LOST = fault(Phase.END, 0, "4.4.2", "connection lost")

REPLIES = {
    Verdict.DELIVERED: (Phase.END, OK),
    Verdict.DEFERRED: (Phase.RCPT, LATER),
    Verdict.FAILED: (Phase.RCPT, NEVER),
    Verdict.UNCERTAIN: (Phase.END, Reply(0, "", "connection lost")),
}


def outcome(address, verdict):
    phase, reply = REPLIES[verdict]
    recipient = Recipient(address=address, reason="test")
    return Outcome(recipient=recipient, verdict=verdict, phase=phase, reply=reply)


def outcomes(*verdicts):
    return tuple(outcome(f"r{n}@b.example", verdict) for n, verdict in enumerate(verdicts))


def delivery_of(some, **changes):
    values = {
        "number": 7,
        "message": Message(
            number=3,
            envelope=Envelope(
                reverse_path="a@a.example",
                recipients=tuple(each.recipient.address for each in some),
            ),
            size=100,
            header_size=50,
            arrived=ARRIVED,
        ),
        "account": "A",
        "recipients": tuple(each.recipient for each in some),
        "due": ARRIVED,
    }
    return Delivery(**(values | changes))


def judged(*verdicts, age=0.0, fault=None, fallback=None, settings=SETTINGS, **delivery):
    """Judge an attempt without jitter; return the delivery, its outcomes, the judgement."""
    some = outcomes(*verdicts)
    before = delivery_of(some, **delivery)
    judgement = judge(
        before,
        Attempt(outcomes=some, fault=fault),
        now=ARRIVED + age,
        started=ARRIVED,
        settings=settings,
        jitter=0.0,
        fallback=fallback,
    )
    return before, some, judgement


def test_a_delivery_that_is_done_ends():
    _, some, judgement = judged(Verdict.DELIVERED, Verdict.FAILED)
    assert judgement.remaining is None
    assert judgement.delivered == some[:1]
    assert judgement.failed == some[1:]
    assert judgement.delayed == ()


def test_a_refused_recipient_fails_alone():
    _, some, judgement = judged(Verdict.DEFERRED, Verdict.FAILED, Verdict.DELIVERED)
    assert judgement.remaining.recipients == (some[0].recipient,)
    assert judgement.failed == (some[1],)
    assert judgement.delivered == (some[2],)


@pytest.mark.parametrize(("attempts", "pause"), [(0, 60.0), (1, 300.0), (2, 300.0)])
@pytest.mark.parametrize("verdict", [Verdict.DEFERRED, Verdict.UNCERTAIN])
def test_a_deferred_delivery_is_due_again_by_the_schedule(verdict, attempts, pause):
    before, _, judgement = judged(verdict, age=10.0, attempts=attempts)
    assert judgement.remaining == attrs.evolve(
        before,
        due=ARRIVED + 10.0 + pause,
        attempts=attempts + 1,
        uncertain=verdict is Verdict.UNCERTAIN,
        tried_at=ARRIVED + 10.0,
        waited=10.0,
        last_reply=judgement.remaining.last_reply,
    )


def test_jitter_lengthens_the_pause():
    some = outcomes(Verdict.DEFERRED)
    attempt = Attempt(outcomes=some)
    judgement = judge(
        delivery_of(some), attempt, now=ARRIVED, started=ARRIVED, settings=SETTINGS, jitter=1.0
    )
    assert judgement.remaining.due == pytest.approx(ARRIVED + 66.0)


@pytest.mark.parametrize(
    ("verdicts", "fault", "said"),
    [
        ((Verdict.DELIVERED, Verdict.DEFERRED), None, "rcpt: 451 4.7.1 greylisted"),
        ((Verdict.UNCERTAIN, Verdict.DEFERRED), None, "end of data: connection lost"),
        ((Verdict.DEFERRED,), REFUSED_LOGIN, "login: 535 5.7.8 bad password"),
    ],
)
def test_the_last_reply_is_kept_with_its_phase(verdicts, fault, said):
    _, _, judgement = judged(*verdicts, fault=fault)
    assert judgement.remaining.last_reply == said


class TestExpiry:
    @pytest.mark.parametrize("fault", [None, REFUSED_LOGIN])
    def test_what_is_too_old_fails_with_its_last_outcome(self, fault):
        _, some, judgement = judged(Verdict.DEFERRED, age=1000.0, attempts=1, fault=fault)
        assert judgement.remaining is None
        assert judgement.failed == some
        assert judgement.delayed == ()

    def test_refused_and_expired_recipients_fail_together(self):
        _, some, judgement = judged(
            Verdict.UNCERTAIN, Verdict.FAILED, Verdict.DELIVERED, age=1000.0, attempts=1
        )
        assert judgement.failed == some[:2]
        assert judgement.delivered == some[2:]

    def test_not_before_its_time(self):
        _, _, judgement = judged(Verdict.DEFERRED, age=999.0, attempts=9)
        assert judgement.remaining is not None
        assert judgement.failed == ()

    def test_not_at_the_first_failed_attempt(self):
        _, _, judgement = judged(Verdict.DEFERRED, age=10_000.0)
        assert judgement.remaining.attempts == 1
        assert judgement.failed == ()

    def test_not_before_the_fallback_was_tried(self):
        _, _, judgement = judged(
            Verdict.DEFERRED, age=1000.0, attempts=1, fault=REFUSED_LOGIN, fallback="B"
        )
        assert judgement.remaining.account == "B"


class TestAccountFault:
    def test_the_delivery_moves_to_the_fallback_at_once(self):
        before, _, judgement = judged(
            Verdict.DEFERRED, age=10.0, attempts=1, fault=REFUSED_LOGIN, fallback="B"
        )
        assert judgement.remaining == attrs.evolve(
            before,
            account="B",
            tried=("A",),
            due=ARRIVED + 10.0,
            tried_at=ARRIVED + 10.0,
            waited=10.0,
            last_reply="login: 535 5.7.8 bad password",
        )

    def test_it_moves_on_to_the_next_fallback(self):
        _, _, judgement = judged(
            Verdict.DEFERRED, fault=REFUSED_LOGIN, fallback="C", account="B", tried=("A",)
        )
        assert judgement.remaining.account == "C"
        assert judgement.remaining.tried == ("A", "B")

    def test_it_returns_to_its_first_choice_when_none_is_left(self):
        _, _, judgement = judged(
            Verdict.DEFERRED, fault=REFUSED_LOGIN, account="C", tried=("A", "B")
        )
        assert judgement.remaining.account == "A"
        assert judgement.remaining.tried == ()
        assert judgement.remaining.attempts == 1
        assert judgement.remaining.due == ARRIVED + 60.0

    def test_without_fallback_it_waits_where_it_is(self):
        _, _, judgement = judged(Verdict.DEFERRED, fault=REFUSED_LOGIN)
        assert judgement.remaining.account == "A"
        assert judgement.remaining.due == ARRIVED + 60.0

    def test_what_may_have_arrived_is_not_moved(self):
        _, _, judgement = judged(
            Verdict.UNCERTAIN,
            Verdict.DEFERRED,
            fault=LOST,
            fallback="C",
            account="B",
            tried=("A",),
        )
        assert judgement.remaining.account == "B"
        assert judgement.remaining.tried == ("A",)
        assert judgement.remaining.attempts == 1
        assert judgement.remaining.due == ARRIVED + 60.0

    def test_a_refusal_under_a_fault_is_not_believed(self):
        _, some, judgement = judged(Verdict.FAILED, fault=REFUSED_LOGIN)
        assert judgement.failed == ()
        assert judgement.remaining.recipients == (some[0].recipient,)

    def test_a_mail_deferred_by_the_fallback_stays_there(self):
        _, _, judgement = judged(Verdict.DEFERRED, fallback="C", account="B", tried=("A",))
        assert judgement.remaining.account == "B"
        assert judgement.remaining.tried == ("A",)


class TestWaiting:
    """The time that counts for a delay and for giving up."""

    def test_counts_from_the_arrival(self):
        fresh = delivery_of(outcomes(Verdict.DEFERRED))
        assert waited(fresh, now=ARRIVED + 70.0, started=ARRIVED - 5.0) == 70.0

    def test_goes_on_from_the_last_attempt(self):
        tried = delivery_of(outcomes(Verdict.DEFERRED), tried_at=ARRIVED + 60.0, waited=60.0)
        assert waited(tried, now=ARRIVED + 70.0, started=ARRIVED) == 70.0

    def test_does_not_count_what_passed_before_the_relay_was_started(self):
        tried = delivery_of(outcomes(Verdict.DEFERRED), tried_at=ARRIVED + 60.0, waited=60.0)
        assert waited(tried, now=ARRIVED + 1e6 + 7.0, started=ARRIVED + 1e6) == 67.0

    def test_does_not_believe_times_that_are_still_to_come(self):
        tried = delivery_of(outcomes(Verdict.DEFERRED), tried_at=ARRIVED + 1e6, waited=60.0)
        assert waited(tried, now=ARRIVED + 7.0, started=ARRIVED) == 67.0

    def test_never_shrinks(self):
        tried = delivery_of(outcomes(Verdict.DEFERRED), tried_at=ARRIVED, waited=60.0)
        assert waited(tried, now=ARRIVED - 7.0, started=ARRIVED) == 60.0

    def test_a_mail_that_the_relay_could_not_try_is_not_given_up(self):
        long_off = {"started": ARRIVED + 1e6, "now": ARRIVED + 1e6 + 1.0}
        some = outcomes(Verdict.DEFERRED)
        before = delivery_of(some, attempts=5, tried_at=ARRIVED + 900.0, waited=900.0)
        judgement = judge(before, Attempt(outcomes=some), settings=SETTINGS, jitter=0.0, **long_off)
        assert judgement.remaining.waited == 901.0


class TestWaitingForAnAccountAtFault:
    @staticmethod
    def delayed_by(age, **delivery):
        before = delivery_of(outcomes(Verdict.DEFERRED), **delivery)
        now = ARRIVED + age
        return before, delayed_by(
            before, REFUSED_LOGIN, now=now, started=ARRIVED, settings=SETTINGS
        )

    def test_the_sender_is_told_although_nothing_was_tried(self):
        before, judgement = self.delayed_by(500.0)
        assert [each.recipient for each in judgement.delayed] == list(before.recipients)
        assert judgement.delayed[0].reply == REFUSED_LOGIN.reply
        assert judgement.failed == judgement.delivered == ()
        assert judgement.remaining == attrs.evolve(
            before, warned=True, due=ARRIVED + 500.0, last_reply=str(REFUSED_LOGIN)
        )

    @pytest.mark.parametrize(("age", "delivery"), [(499.0, {}), (500.0, {"warned": True})])
    def test_not_too_early_and_not_twice(self, age, delivery):
        assert self.delayed_by(age, **delivery)[1] is None


class TestDelayWarning:
    def test_the_sender_is_told_of_what_remains(self):
        _, some, judgement = judged(Verdict.DEFERRED, Verdict.DELIVERED, Verdict.FAILED, age=500.0)
        assert judgement.delayed == some[:1]
        assert judgement.remaining.warned

    def test_only_once(self):
        _, _, judgement = judged(Verdict.DEFERRED, age=500.0, warned=True)
        assert judgement.delayed == ()
        assert judgement.remaining.warned

    def test_not_too_early(self):
        _, _, judgement = judged(Verdict.DEFERRED, age=499.0)
        assert judgement.delayed == ()
        assert not judgement.remaining.warned

    def test_never_when_switched_off(self):
        settings = attrs.evolve(SETTINGS, warn_after=0.0)
        _, _, judgement = judged(Verdict.DEFERRED, age=500.0, settings=settings)
        assert judgement.delayed == ()
        assert not judgement.remaining.warned


def test_mail_that_stays_with_its_account_is_due_now_and_counts_no_attempt():
    waiting = outcomes(Verdict.DEFERRED)
    delivery = delivery_of(waiting, attempts=5, warned=True)
    over = attrs.evolve(LOST, action=Action.QUOTA)
    judged = judge(
        delivery,
        Attempt(outcomes=waiting, fault=over),
        now=ARRIVED + 5000,
        started=ARRIVED,
        settings=SETTINGS,
        jitter=0.0,
        fallback="B",
        stays=True,
    )
    left = judged.remaining
    assert (left.account, left.attempts, left.due) == ("A", 5, ARRIVED + 5000)
    assert (judged.failed, judged.delayed) == ((), ())


def test_an_attempt_of_some_recipients_leaves_the_others_to_the_next_one():
    reply = Reply(0, "4.5.3", "no more than 1 at a time")
    some, all_of_them = outcomes(Verdict.DELIVERED), outcomes(*[Verdict.DELIVERED] * 3)
    whole = Attempt(outcomes=some).of_whole(delivery_of(all_of_them).recipients, reply)
    judged = judge(
        delivery_of(all_of_them, attempts=2),
        whole,
        now=ARRIVED,
        started=ARRIVED,
        settings=SETTINGS,
        jitter=0.0,
    )
    assert len(judged.delivered) == 1
    assert (judged.remaining.attempts, judged.remaining.due) == (2, ARRIVED)
    assert judged.remaining.recipients == delivery_of(all_of_them).recipients[1:]


def test_an_attempt_that_forgot_a_recipient_settles_nothing():
    some = outcomes(Verdict.DELIVERED, Verdict.DELIVERED)
    with pytest.raises(ValueError, match="each recipient"):
        judge(
            delivery_of(some),
            Attempt(outcomes=some[:1]),
            now=ARRIVED,
            started=ARRIVED,
            settings=SETTINGS,
            jitter=0.0,
        )


@pytest.mark.parametrize(("due", "until"), [(0.0, 1000.0), (1500.0, 1500.0)])
def test_a_delivery_is_tried_until_its_time_is_over_and_at_least_once_more(due, until):
    delivery = delivery_of(outcomes(Verdict.DEFERRED), due=ARRIVED + due)
    until_then = retry_until(delivery, now=ARRIVED + 10.0, started=ARRIVED, settings=SETTINGS)
    assert until_then == ARRIVED + until


@st.composite
def situations(draw):
    some = outcomes(*draw(st.lists(st.sampled_from(Verdict), min_size=1, max_size=8)))
    before = delivery_of(
        some,
        account=draw(st.sampled_from(["A", "B"])),
        attempts=draw(st.integers(0, 20)),
        tried=draw(st.sampled_from([(), ("C",), ("C", "D")])),
        warned=draw(st.booleans()),
        waited=draw(st.floats(0, 2e6)),
    )
    attempt = Attempt(outcomes=some, fault=draw(st.sampled_from([None, REFUSED_LOGIN, LOST])))
    settings = DeliverySettings(
        retry=tuple(draw(st.lists(st.floats(1, 1e5), min_size=1, max_size=4))),
        give_up_after=draw(st.floats(0, 1e6)),
        warn_after=draw(st.floats(0, 1e6)),
    )
    arguments = {
        "now": ARRIVED + draw(st.floats(-1e3, 2e6)),
        "started": ARRIVED + draw(st.floats(-1e3, 1e6)),
        "settings": settings,
        "jitter": draw(st.floats(0, 1)),
        "fallback": draw(st.sampled_from([None, "F"])),
    }
    return before, attempt, arguments


@given(situations())
def test_every_recipient_ends_up_in_exactly_one_place_in_order(situation):
    before, attempt, arguments = situation
    judgement = judge(before, attempt, **arguments)
    remaining = judgement.remaining.recipients if judgement.remaining else ()
    delivered = tuple(each.recipient for each in judgement.delivered)
    failed = tuple(each.recipient for each in judgement.failed)
    order = before.recipients.index
    assert sorted((*remaining, *delivered, *failed), key=order) == list(before.recipients)
    assert list(remaining) == sorted(remaining, key=order)
    assert list(delivered) == sorted(delivered, key=order)
    assert list(failed) == sorted(failed, key=order)
    assert judgement.remaining is None or remaining


@given(situations())
def test_nothing_is_tried_too_early(situation):
    before, attempt, arguments = situation
    after = judge(before, attempt, **arguments).remaining
    assume(after is not None)
    now, settings = arguments["now"], arguments["settings"]
    if after.attempts == before.attempts:
        assert attempt.fault
        assert after.account == "F"
        assert after.tried == (*before.tried, before.account)
        assert after.due == now
    else:
        assert after.attempts == before.attempts + 1
        assert after.due >= now + retry_pause(settings.retry, after.attempts, 0.0)
        assert after.account != "F"


@given(situations())
def test_only_waiting_makes_an_account_fault_fail_a_mail(situation):
    before, attempt, arguments = situation
    judgement = judge(before, attempt, **arguments)
    waits = waited(before, now=arguments["now"], started=arguments["started"])
    expired = waits >= arguments["settings"].give_up_after and before.attempts >= 1
    if attempt.fault and not expired:
        assert judgement.failed == ()
    if not expired:
        assert all(each.verdict is Verdict.FAILED for each in judgement.failed)


@given(situations())
def test_a_warning_is_given_once_and_for_all_that_remains(situation):
    before, attempt, arguments = situation
    judgement = judge(before, attempt, **arguments)
    if judgement.delayed:
        assert not before.warned
        assert judgement.remaining.warned
        told = tuple(each.recipient for each in judgement.delayed)
        assert told == judgement.remaining.recipients
    elif judgement.remaining:
        assert judgement.remaining.warned == before.warned


def test_recipients_that_were_one_too_many_go_next_at_once():
    some = outcomes(Verdict.DELIVERED, Verdict.DEFERRED)
    too_many = attrs.evolve(some[1], action=Action.SPLIT)
    before = delivery_of(some)
    attempt = Attempt(outcomes=(some[0], too_many))
    judgement = judge(
        before, attempt, now=ARRIVED + 5, started=ARRIVED, settings=SETTINGS, jitter=0.0
    )
    assert judgement.remaining.recipients == (too_many.recipient,)
    assert judgement.remaining.due == ARRIVED + 5
    assert judgement.remaining.attempts == 0


def test_if_no_recipient_was_taken_one_too_many_is_a_deferral():
    [one] = outcomes(Verdict.DEFERRED)
    too_many = attrs.evolve(one, action=Action.SPLIT)
    judgement = judge(
        delivery_of([one]),
        Attempt(outcomes=(too_many,)),
        now=ARRIVED,
        started=ARRIVED,
        settings=SETTINGS,
        jitter=0.0,
    )
    assert judgement.remaining.due == ARRIVED + 60
    assert judgement.remaining.attempts == 1


def split_off(each):
    return attrs.evolve(each, action=Action.SPLIT)


@pytest.mark.parametrize("taken", [Verdict.DELIVERED, Verdict.FAILED])
def test_nobody_who_was_too_many_waits_for_others_who_do(taken):
    later, gone, *rest = outcomes(Verdict.DEFERRED, taken, Verdict.DEFERRED, Verdict.DEFERRED)
    some = (later, gone, *map(split_off, rest))
    judgement = judge(
        delivery_of(some, attempts=3),
        Attempt(outcomes=some),
        now=ARRIVED + 5,
        started=ARRIVED,
        settings=SETTINGS,
        jitter=0.0,
    )
    # Those who have not been asked come first.
    assert judgement.remaining.recipients == (*(each.recipient for each in rest), later.recipient)
    assert (judgement.remaining.due, judgement.remaining.attempts) == (ARRIVED + 5, 3)
    assert judgement.remaining.last_reply == f"rcpt: {LATER}"


@pytest.mark.parametrize(
    ("first", "fault"),
    [(Verdict.DEFERRED, None), (Verdict.UNCERTAIN, LOST), (Verdict.DEFERRED, REFUSED_LOGIN)],
)
def test_where_nothing_was_settled_all_wait_and_those_who_were_not_asked_come_first(first, fault):
    one, other = outcomes(first, Verdict.DEFERRED)
    some = (one, split_off(other))
    judgement = judge(
        delivery_of(some),
        Attempt(outcomes=some, fault=fault),
        now=ARRIVED,
        started=ARRIVED,
        settings=SETTINGS,
        jitter=0.0,
    )
    assert judgement.remaining.recipients == (other.recipient, one.recipient)
    assert (judgement.remaining.due, judgement.remaining.attempts) == (ARRIVED + 60, 1)


def test_what_was_uncertain_once_never_goes_to_another_account():
    before, _, judgement = judged(
        Verdict.DEFERRED, fault=REFUSED_LOGIN, fallback="B", uncertain=True
    )
    assert judgement.remaining.account == before.account
    assert judgement.remaining.uncertain


# What an attempt says of its account.


def test_a_mail_that_may_have_been_greylisted_is_a_possible_fault_of_the_account():
    deferred, other = outcomes(Verdict.DEFERRED, Verdict.DEFERRED)
    greylisted = attrs.evolve(deferred, action=Action.DEFER_THEN_SLOW)
    assert Attempt(outcomes=(other,)).possible_fault is None
    possible = Attempt(outcomes=(other, greylisted)).possible_fault
    assert possible.action is Action.SLOW
    assert possible.reply == greylisted.reply


def test_a_mail_that_somebody_gets_is_none():
    some = outcomes(Verdict.DELIVERED, Verdict.DEFERRED)
    greylisted = attrs.evolve(some[1], action=Action.DEFER_THEN_SLOW)
    assert Attempt(outcomes=(some[0], greylisted)).possible_fault is None


def test_where_the_account_is_at_fault_nothing_is_only_possible():
    [one] = outcomes(Verdict.DEFERRED)
    greylisted = attrs.evolve(one, action=Action.DEFER_THEN_SLOW)
    assert Attempt(outcomes=(greylisted,), fault=LOST).possible_fault is None


@pytest.mark.parametrize(
    ("problem", "moves"),
    [
        (LOST, True),
        (REFUSED_LOGIN, True),
        (fault(Phase.GREETING, 421, "4.7.0", "slow down"), False),
        (None, False),
    ],
)
def test_another_account_takes_over_for_a_fault_but_not_because_it_was_too_much(problem, moves):
    assert Attempt(outcomes=outcomes(Verdict.DEFERRED), fault=problem).moves is moves


@pytest.mark.parametrize(
    ("phase", "action", "account"),
    [
        (Phase.CONNECT, Action.REST, "Named"),
        (Phase.CONNECT, Action.SLOW, "A"),
        (Phase.TLS, Action.REST, "A"),
    ],
    ids=["dead", "slow", "without what TLS is to have"],
)
def test_mail_leaves_a_dead_destination_by_the_account_that_is_meant_for_that(
    phase, action, account
):
    dead = AccountFault(
        phase=phase,
        reply=Reply(0, "4.4.1", "unreachable"),
        action=action,
        scope=Scope.DESTINATION,
    )
    _, _, stays = judged(Verdict.DEFERRED, fault=dead, account="A")
    _, _, leaves = judged(Verdict.DEFERRED, fault=dead, fallback="Named", account="A")
    assert (stays.remaining.account, stays.remaining.attempts) == ("A", 1)
    assert leaves.remaining.account == account
