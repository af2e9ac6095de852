"""Samples of what happens to mails."""

from __future__ import annotations

import pytest

from multisendcon_plugin.events import AttemptEnded, MailAccepted, SpoolHasRoom
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.judgement import Judgement
from tests.operations.desk import Desk
from tests.queues import NOW, attempt, delivery


@pytest.fixture
def desk():
    return Desk()


def tried(number, verdict=Verdict.DELIVERED):
    mail = delivery(number, account="Sales")
    ended = attempt(mail, verdict)
    taken = ended.outcomes if verdict is Verdict.DELIVERED else ()
    return AttemptEnded(mail, ended, Judgement(remaining=mail, delivered=taken), NOW)


def test_a_sample_has_what_happened_since_the_one_before(desk):
    desk.events.publish(tried(1))
    flow = desk.operations.flow()
    assert flow.take(10) == ([], 0)
    desk.events.publish(MailAccepted((delivery(1),)))
    desk.events.publish(tried(1))
    desk.events.publish(SpoolHasRoom())
    told, left_out = flow.take(10)
    assert ([each["event"] for each in told], left_out) == (["accepted", "delivered"], 0)
    assert flow.take(10) == ([], 0)


def test_what_went_wrong_is_told_first_and_all_in_order(desk):
    flow = desk.operations.flow()
    for number in range(8):
        verdict = Verdict.DEFERRED if number in (1, 4) else Verdict.DELIVERED
        desk.events.publish(tried(number + 1, verdict))
    told, left_out = flow.take(4)
    assert [each["event"] for each in told] == ["deferred", "deferred", "delivered", "delivered"]
    assert left_out == 4


def test_of_much_that_goes_wrong_the_last_is_told(desk):
    flow = desk.operations.flow()
    for number in range(8):
        desk.events.publish(tried(number + 1, Verdict.DEFERRED))
    assert len(flow.take(3)[0]) == 3


def test_after_its_end_nothing_is_kept(desk):
    flow = desk.operations.flow()
    flow.end()
    desk.events.publish(tried(1))
    assert flow.take(10) == ([], 0)
