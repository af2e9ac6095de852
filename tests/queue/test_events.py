"""What the queue publishes, and with which values."""

from __future__ import annotations

from multisendcon_plugin.events import (
    AccountFaulted,
    AccountRecovered,
    AttemptEnded,
    ConnectionsLimited,
    DeliveryMoved,
    FailureUntold,
    MailAccepted,
    ReportQueued,
    ReportUnroutable,
    ReportWithheld,
)
from multisendcon_plugin.mail.message import Recipient
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.queue.connections import KEPT
from tests.queue_world import (
    READER,
    SENDER,
    World,
    account,
    allows,
    closed,
    deferring,
    login_refused,
    refusing,
)
from tests.queues import CLOSED, LOGIN_REFUSED, NOW, REPLIES, collected


def test_a_mail_that_was_accepted_and_delivered():
    world = World()
    events = collected(world.events)
    world.mail()
    world.run(10)
    accepted, ended = events
    (delivery,) = accepted.deliveries
    assert isinstance(accepted, MailAccepted)
    assert delivery.message.envelope.reverse_path == SENDER
    assert delivery.recipients == (Recipient(address=READER, reason="test"),)
    assert delivery.account == "A"
    assert isinstance(ended, AttemptEnded)
    assert ended.delivery == delivery
    assert ended.judgement.remaining is None
    (result,) = ended.results
    assert (result.verdict, result.recipients) == (Verdict.DELIVERED, [READER])
    assert result.reply == str(REPLIES[Verdict.DELIVERED][1])
    assert NOW < ended.at < NOW + 10


def test_one_mail_for_two_accounts_is_accepted_once():
    world = World(account("A", recipients="a@*"), account("B"))
    events = collected(world.events, MailAccepted)
    world.mail("a@far.example", "b@far.example")
    world.run(10)
    (accepted,) = events
    assert [each.account for each in accepted.deliveries] == ["A", "B"]


def test_an_attempt_after_which_the_mail_waits():
    world = World()
    world.servers["A"] = deferring
    events = collected(world.events, AttemptEnded)
    world.mail()
    world.run(5)
    (ended,) = events
    assert ended.judgement.remaining.attempts == 1
    assert ended.judgement.remaining.due > ended.at
    (result,) = ended.results
    assert result.verdict is Verdict.DEFERRED
    assert result.waits


def test_an_attempt_is_told_before_what_follows_from_it_is_in_the_spool():
    world = World()
    waiting = []
    world.events.subscribe(AttemptEnded, lambda _: waiting.append(len(world.waiting)))
    world.mail()
    world.run(10)
    assert waiting == [1]
    assert world.waiting == []


def test_a_report_that_waits():
    world = World(account("Reports", senders="<>"), account("A"))
    world.servers["A"] = refusing
    events = collected(world.events, ReportQueued, MailAccepted)
    world.mail(by="A")
    world.run(10)
    accepted, queued = events
    assert isinstance(queued, ReportQueued)
    assert queued.about == accepted.deliveries[0]
    assert queued.report.account == "Reports"
    assert [each.address for each in queued.report.recipients] == [SENDER]
    assert queued.report.message.id != queued.about.message.id


def test_a_delivery_that_is_moved_since_its_account_rests():
    world = World(account("A", fallback=("B",)), account("B"))
    world.servers["A"] = closed
    events = collected(world.events, DeliveryMoved)
    world.mail(by="A")
    world.run(5)
    assert events == []  # that it went to B is what its attempt came to
    world.mail(by="A")
    world.run(5)
    (moved,) = events
    assert (moved.delivery.account, moved.account) == ("A", "B")


def test_an_account_that_fails_and_recovers():
    world = World()
    world.clock_set_by = 3600.0
    world.servers["A"] = closed
    events = collected(world.events, AccountFaulted, AccountRecovered)
    world.mail()
    world.run(5)
    (faulted,) = events
    assert (faulted.account, faulted.fault) == ("A", CLOSED)
    assert faulted.changed
    # By the clock that people read.
    assert NOW + 3600 + 30 <= faulted.until < NOW + 3600 + 60
    world.run(3600)
    again = events[1:]
    assert again
    assert not any(each.changed for each in again)
    world.servers["A"] = login_refused
    world.run(2 * 3600)
    another = next(each for each in events if each.fault == LOGIN_REFUSED)
    assert another.changed
    del world.servers["A"]
    world.run(4 * 3600)
    assert events[-1] == AccountRecovered("A")


def test_a_server_that_allows_fewer_connections():
    world = World(account("A", max_connections=10))
    world.servers["A"] = allows(world, 3)
    events = collected(world.events, ConnectionsLimited)
    for _ in range(20):
        world.mail()
    world.run(5)
    assert events == [ConnectionsLimited("A", 3, 10, KEPT)]


def test_a_failure_that_nobody_can_be_told_of():
    world = World()
    world.servers["A"] = refusing
    events = collected(world.events, FailureUntold)
    world.mail(sender="")
    world.run(10)
    (untold,) = events
    assert untold.message.envelope.reverse_path == ""
    assert [each.recipient.address for each in untold.outcomes] == [READER]


def test_a_report_that_is_withheld():
    world = World(account("Reports", senders="<>"), account("A"), ndr={"max_per_hour": 1})
    world.servers["A"] = refusing
    events = collected(world.events, ReportWithheld, MailAccepted)
    for _ in range(2):
        world.mail(by="A")
        world.run(10)
    *_, second, withheld = events
    assert withheld == ReportWithheld(second.deliveries[0].message, SENDER, 1)


def test_a_report_that_no_account_takes():
    world = World(account("A", senders=SENDER))
    world.servers["A"] = refusing
    events = collected(world.events, ReportUnroutable, MailAccepted)
    world.mail()
    world.run(10)
    accepted, unroutable = events
    message = accepted.deliveries[0].message
    assert unroutable == ReportUnroutable(message.id, world.ndr.sender, SENDER)


def test_a_subscriber_that_fails_keeps_no_mail_from_leaving():
    world = World()

    def fail(_):
        raise ZeroDivisionError

    for kind in (MailAccepted, AttemptEnded):
        world.events.subscribe(kind, fail)
    world.mail()
    world.run(10)
    assert len(world.sent) == 1
    assert world.waiting == []
