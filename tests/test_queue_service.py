"""The whole queue over a spool in memory, with relays that do what the test says."""

from __future__ import annotations

import functools
from collections import Counter

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel

from multisendcon_plugin.account import Account
from multisendcon_plugin.attempt import AccountFault, Phase, Verdict
from multisendcon_plugin.configuration import Configuration
from multisendcon_plugin.configuration.values import (
    DeliverySettings,
    MasterRelay,
    NdrSettings,
    ReportTo,
)
from multisendcon_plugin.envelope import Envelope
from multisendcon_plugin.errors import SpoolError, SpoolFullError
from multisendcon_plugin.masks import Masks
from multisendcon_plugin.message import Recipient, parcels
from multisendcon_plugin.queue import QueueService
from multisendcon_plugin.queue import service as queue_service
from multisendcon_plugin.queue.agenda import Agenda
from multisendcon_plugin.queue.held import HeldContent
from multisendcon_plugin.registry import AccountRegistry
from multisendcon_plugin.reply import Reply
from multisendcon_plugin.spool import MemoryDisk, MemorySpool
from tests.queues import (
    CLOSED,
    LOGIN_REFUSED,
    LOST,
    NOW,
    FakeRelay,
    SlowSpool,
    clock_now,
    delivery,
    logged,
    run,
)

HOUR, DAY = 3600.0, 86400.0
SENDER, READER = "author@home.example", "reader@far.example"
POSTMASTER = "postmaster@home.example"
SHUTTING_DOWN = AccountFault(phase=Phase.CONNECT, reply=Reply(0, "4.3.2", "shutting down"))


def account(name, *, senders="*", recipients="*", **more):
    return Account(
        name=name,
        server=f"smtp.{name.lower()}.example",
        senders=Masks.parse(senders.split()),
        recipients=Masks.parse(recipients.split()),
        **more,
    )


@attrs.define(eq=False)
class Sent:
    """What left by an account."""

    account: str
    sender: str
    recipients: tuple[str, ...]
    content: str
    at: float


class World:
    """One relay's queue, and what outlives it: the clock, the disk, the servers of the accounts.

    :ivar servers: by account, how its server ends an attempt; by default all is delivered.
    """

    def __init__(self, *accounts, slow=True, seconds=1.0, ndr=None, **delivery):
        self.clock = clock_now()
        self.disk = MemoryDisk()
        self.accounts = accounts or (account("A"),)
        self.ndr = NdrSettings(sender="mailer-daemon@home.example", **(ndr or {}))
        self.delivery = DeliverySettings(**delivery)
        self.slow = slow
        self.seconds = seconds
        self.servers = {}
        self.tries = []
        self.sent = []
        self.start()

    def start(self):
        """Begin a new process."""
        configuration = Configuration(
            master_relay=MasterRelay(hostname="relay.home.example"),
            delivery=self.delivery,
            ndr=self.ndr,
            accounts=self.accounts,
        )
        self.memory = MemorySpool(self.clock, self.disk)
        self.memory.open()
        self.spool = SlowSpool(self.memory, self.clock) if self.slow else self.memory
        self.registry = AccountRegistry(self.accounts)
        self.relays = {}
        self.queue = QueueService(
            configuration,
            registry=self.registry,
            spool=self.spool,
            make_relay=self.make_relay,
            clock=self.clock,
        )
        self.queue.startService()

    def make_relay(self, of):
        assert of.name not in self.relays
        relay = FakeRelay(self.clock, of, script=self.serve, seconds=self.seconds)
        self.relays[of.name] = relay
        return relay

    def serve(self, now):
        if now not in now.relay.under_way:
            return
        self.tries.append(now)
        server = self.servers.get(now.relay.account.name)
        if server is None or server(now) == "as usual":
            self.deliver(now)

    def deliver(self, now):
        pieces = []
        content = now.open_content()
        while True:
            piece = content.read()
            if not isinstance(piece, bytes):
                piece = piece.result
            if not piece:
                break
            pieces.append(piece)
        self.sent.append(
            Sent(
                account=now.relay.account.name,
                sender=now.delivery.message.envelope.reverse_path,
                recipients=tuple(each.address for each in now.delivery.recipients),
                content=b"".join(pieces).decode(),
                at=self.clock.seconds(),
            )
        )
        now.end(Verdict.DELIVERED)

    def mail(self, *recipients, sender=SENDER, subject="x", header_from=SENDER, by=None):
        """Hand a mail in, as the edge does; return the Deferred of its commit."""
        recipients = recipients or (READER,)
        header = f"From: <{header_from}>\r\nSubject: {subject}\r\n".encode()
        draft = self.queue.draft()
        draft.write(header + b"\r\nhello\r\n")
        routes = [by or self.route(sender, header_from, each) for each in recipients]
        return self.queue.commit(
            draft,
            Envelope(reverse_path=sender, recipients=recipients),
            len(header),
            parcels(
                (name, Recipient(address=each, reason="test"))
                for name, each in zip(routes, recipients, strict=True)
            ),
        )

    def route(self, sender, header_from, recipient):
        if sender:
            return self.registry.route(sender, recipient).account
        return self.registry.route_null(header_from, recipient).account

    def run(self, seconds):
        run(self.clock, seconds)

    def stop(self, seconds=60.0):
        """Stop the process in good order; return whether it ended in time."""
        ended = []
        self.queue.stopService().addCallback(lambda _: self.memory.close()).addCallback(
            ended.append
        )
        self.run(seconds)
        return bool(ended)

    def crash(self):
        for call in list(self.clock.getDelayedCalls()):
            call.cancel()
        self.disk.crash()

    @property
    def waiting(self):
        return list(self.disk.deliveries.values())

    def since(self, tries):
        return [now.began - NOW for now in tries]

    def to(self, *recipients):
        return [each for each in self.sent if each.recipients == recipients]


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.queue.lane.random", lambda: 0.0)
    monkeypatch.setattr("multisendcon_plugin.queue.service.random", lambda: 0.0)


def deferring(now):
    now.end(Verdict.DEFERRED)


def refusing(now):
    now.end(Verdict.FAILED)


def closed(now):
    now.end(fault=CLOSED)


def login_refused(now):
    now.end(fault=LOGIN_REFUSED)


def losing(now):
    now.end(Verdict.UNCERTAIN, fault=LOST)


def silent(_now):
    """The attempt goes on and on."""


# Outcomes.


def test_what_is_delivered_leaves_the_spool():
    world = World()
    world.mail(READER, "other@far.example")
    world.run(5)
    assert [each.recipients for each in world.sent] == [(READER, "other@far.example")]
    assert world.sent[0].content.endswith("Subject: x\r\n\r\nhello\r\n")
    assert world.disk.deliveries == world.disk.contents == {}


def test_a_mail_that_leaves_at_once_is_not_read_back():
    world = World(account("A", recipients="*@far.example"), account("B"))
    read = []
    content = world.memory.content
    world.memory.content = lambda message: read.append(message) or content(message)
    world.mail(READER, "other@near.example")
    world.run(5)
    assert len(world.sent) == 2
    assert read == []


def test_content_that_is_not_kept_is_read_from_the_spool(monkeypatch):
    monkeypatch.setattr(queue_service, "HeldContent", lambda: HeldContent(limit=100))
    world = World(seconds=60.0, slow=False)
    read = []
    content = world.memory.content
    world.memory.content = lambda message: read.append(message) or content(message)
    for n in range(3):
        world.mail(subject=f"number {n}")
    world.run(1000)
    assert sorted(each.content.split("\r\n")[1] for each in world.sent) == [
        "Subject: number 0",
        "Subject: number 1",
        "Subject: number 2",
    ]
    assert len(read) == 2


def test_a_deferred_mail_follows_the_retry_schedule_and_the_last_pause_repeats():
    world = World(retry=(60.0, 300.0), give_up_after=DAY, warn_after=0.0)
    world.servers["A"] = deferring
    world.mail()
    world.run(800)
    # An attempt takes a second here.
    assert world.since(world.tries) == pytest.approx([0, 61, 362, 663], abs=0.1)
    world.servers.clear()
    world.run(400)
    assert len(world.sent) == 1
    assert world.waiting == []


def test_only_the_recipients_that_are_left_are_tried_again():
    world = World(ndr={"recipient": ReportTo.SENDER})
    world.servers["A"] = lambda now: now.end(
        Verdict.DELIVERED, Verdict.DEFERRED, Verdict.DELIVERED
    )
    world.mail("a@far.example", "b@far.example", "c@far.example")
    world.run(5)
    world.servers.clear()
    world.run(100)
    assert [each.recipients for each in world.sent] == [("b@far.example",)]


def test_a_refused_recipient_is_reported_to_the_sender_through_the_accounts():
    world = World(account("Reports", senders="<>"), account("A"))
    world.servers["A"] = lambda now: now.end(Verdict.FAILED, Verdict.DELIVERED)
    world.mail(READER, "other@far.example", subject="invoice")
    world.run(10)
    (report,) = world.sent
    assert (report.account, report.sender, report.recipients) == ("Reports", "", (SENDER,))
    assert READER in report.content
    assert "550 5.1.1 no such user" in report.content
    assert "Subject: invoice" in report.content
    assert "other@far.example" not in report.content.partition("Diagnostic-Code")[0]
    assert world.waiting == []


def test_reports_go_to_the_server_that_is_set_for_them():
    world = World(
        ndr={"server": "exchange.home.example", "port": 2525, "username": "u", "password": "p"}
    )
    world.servers["A"] = refusing
    world.mail()
    world.run(10)
    (report,) = world.sent
    assert report.recipients == (SENDER,)
    way = world.relays[report.account].account
    assert (way.server, way.port, way.username, way.password) == (
        "exchange.home.example",
        2525,
        "u",
        "p",
    )
    assert way.helo_domain == "relay.home.example"


def test_a_report_that_no_account_takes_is_logged_and_the_delivery_ends():
    world = World(account("A", senders="*@home.example !mailer-daemon@home.example"))
    world.servers["A"] = refusing
    world.mail()
    with logged() as log:
        world.run(10)
    assert any("no account takes mail from <mailer-daemon@home.example>" in t for t in log.texts())
    assert world.waiting == []


def test_what_expires_is_reported_after_a_second_attempt_at_least():
    world = World(account("<>", senders="<>"), account("A"), give_up_after=HOUR, warn_after=0.0)
    world.servers["A"] = deferring
    world.mail()
    world.run(2 * HOUR)
    (report,) = world.sent
    assert report.recipients == (SENDER,)
    assert report.at - NOW >= HOUR
    assert "4.7.1 greylisted" in report.content
    assert world.waiting == []


def test_a_mail_that_waited_too_long_while_nobody_tried_gets_a_second_chance():
    world = World(give_up_after=HOUR)
    world.servers["A"] = deferring
    world.mail()
    world.run(5)
    assert world.stop()
    world.clock.advance(DAY)
    world.servers.clear()
    world.start()
    world.run(60)
    assert len(world.to(READER)) == 1


def test_the_sender_is_told_of_a_delay_once():
    world = World(
        account("<>", senders="<>"), account("A"), warn_after=4 * HOUR, give_up_after=3 * DAY
    )
    world.servers["A"] = deferring
    world.mail()
    world.run(3.9 * HOUR)
    assert world.sent == []
    world.run(DAY)
    (report,) = world.sent
    assert report.recipients == (SENDER,)
    assert "Action: delayed" in report.content
    assert len(world.waiting) == 1
    assert world.waiting[0].warned


def test_the_delay_of_a_report_is_told_to_nobody():
    world = World()
    world.servers["A"] = deferring
    world.mail(sender="")
    with logged() as log:
        world.run(DAY)
    assert log.texts() == []
    assert len(world.disk.contents) == 1


def test_a_report_that_cannot_be_delivered_goes_to_the_postmaster_and_no_further():
    world = World(ndr={"postmaster": POSTMASTER})
    world.servers["A"] = refusing
    world.mail()
    with logged() as log:
        world.run(HOUR)
    tried = [now.delivery.recipients[0].address for now in world.tries]
    assert tried == [READER, SENDER, POSTMASTER]
    assert [text for text in log.texts() if "nobody can be told" in text]
    assert world.disk.deliveries == world.disk.contents == {}


def test_a_report_that_cannot_be_delivered_is_logged_when_there_is_no_postmaster():
    world = World()
    world.servers["A"] = refusing
    world.mail()
    with logged() as log:
        world.run(HOUR)
    assert [now.delivery.recipients[0].address for now in world.tries] == [READER, SENDER]
    assert [f"<{SENDER}>" in text for text in log.texts()] == [True]
    assert world.waiting == []


# Faults of an account.


def test_an_account_fault_bounces_nothing_and_the_mail_leaves_when_it_works_again():
    world = World(warn_after=0.0)
    world.servers["A"] = closed
    for _ in range(5):
        world.mail()
    world.run(DAY)
    assert world.sent == []
    assert len(world.waiting) == 5
    world.servers.clear()
    world.run(6 * HOUR)
    assert len(world.sent) == 5
    assert world.waiting == []


def test_a_refused_login_is_tried_once_in_each_pause():
    world = World(account("A", max_connections=1))
    world.servers["A"] = login_refused
    for _ in range(50):
        world.mail()
    world.run(HOUR)
    # An attempt takes a second here, and the rest begins when it has ended.
    assert world.since(world.tries) == pytest.approx([0, 31, 92, 213, 454, 935, 1896], abs=0.1)
    assert len(world.waiting) == 50


def test_other_accounts_go_on():
    world = World(
        account("Broken", recipients="*@broken.example"),
        account("Silent", recipients="*@silent.example"),
        account("Slow", recipients="*@slow.example", minimum_wait=HOUR),
        account("A"),
    )
    world.servers.update(Broken=closed, Silent=silent)
    for n in range(20):
        for domain in ("broken", "silent", "slow", "far"):
            world.mail(f"r{n}@{domain}.example")
    world.run(30)
    assert Counter(each.account for each in world.sent) == {"A": 20, "Slow": 1}


def test_the_fallback_account_takes_over():
    world = World(account("A"), account("B"))
    world.servers["A"] = closed
    for _ in range(3):
        world.mail()
    world.run(120)
    assert [each.account for each in world.sent] == ["B", "B", "B"]


def test_only_accounts_that_admit_the_mail_take_it_over():
    world = World(
        account("A", fallback=("Else", "Half", "Off", "B")),
        account("Else", senders="*@else.example"),
        account("Half", recipients="*@far.example"),
        account("Off", enabled=False),
        account("B"),
        account("Unnamed"),
    )
    world.servers["A"] = closed
    world.mail(READER, "other@near.example")
    world.run(120)
    assert [each.account for each in world.sent] == ["B"]


def test_without_a_fallback_the_mail_stays():
    world = World(account("A", fallback=()), account("B"))
    world.servers["A"] = closed
    world.mail()
    world.run(HOUR)
    assert world.sent == []
    assert {now.relay.account.name for now in world.tries} == {"A"}


def test_when_all_have_failed_the_first_choice_is_tried_again():
    world = World(account("A"), account("B"))
    world.servers.update(A=closed, B=closed)
    world.mail()
    world.run(60)
    world.servers.clear()
    world.run(HOUR)
    assert [now.relay.account.name for now in world.tries[:2]] == ["A", "B"]
    assert [each.account for each in world.sent] == ["A"]


def test_an_uncertain_mail_is_tried_again_by_the_same_account():
    world = World(account("A"), account("B"))
    world.servers["A"] = losing
    world.mail()
    world.run(5)
    world.servers.clear()
    world.run(120)
    assert [each.account for each in world.sent] == ["A"]
    assert "B" not in world.relays


# Restart.


def test_everything_that_waits_is_picked_up_after_a_restart():
    world = World(account("A", recipients="*@far.example"), account("B"))
    world.servers.update(A=deferring, B=silent)
    for n in range(10):
        world.mail(f"r{n}@far.example", f"r{n}@near.example")
    world.run(3)
    world.crash()
    world.servers.clear()
    world.start()
    world.run(120)
    assert sorted(each.recipients for each in world.sent) == sorted(
        (f"r{n}@{domain}.example",) for n in range(10) for domain in ("far", "near")
    )
    assert world.waiting == []


def test_a_due_time_outlives_a_restart():
    world = World(retry=(HOUR,))
    world.servers["A"] = deferring
    world.mail()
    world.run(5)
    assert world.stop(0)
    world.servers.clear()
    world.start()
    world.run(HOUR - 10)
    assert world.sent == []
    world.run(10)
    assert len(world.sent) == 1


def test_the_minimum_wait_is_kept_over_a_restart_in_good_order():
    world = World(account("A", minimum_wait=600.0))
    world.mail()
    world.mail()
    world.run(10)
    assert world.stop(0)
    world.start()
    world.run(HOUR)
    first, second = world.tries
    assert second.began - (first.began + 1.0) == pytest.approx(600.0, abs=0.1)


def test_after_a_crash_the_minimum_wait_counts_from_the_start():
    world = World(account("A", minimum_wait=600.0))
    world.mail()
    world.mail()
    world.run(100)
    world.crash()
    world.start()
    started = world.clock.seconds()
    world.run(HOUR)
    assert world.tries[1].began - started == pytest.approx(600.0, abs=0.1)


def test_an_end_that_is_still_to_come_stops_no_account():
    world = World(account("A", minimum_wait=600.0))
    assert world.stop(1)
    world.disk.mail_ends["A"] = NOW + 1000 * DAY
    world.start()
    world.mail()
    world.run(HOUR)
    assert len(world.sent) == 1


def test_a_spool_that_cannot_be_read_at_the_start_is_asked_again():
    world = World()
    world.servers["A"] = silent
    world.mail()
    world.run(1)
    world.crash()
    world.servers.clear()
    world.disk.fault = SpoolError("the disk has a fault")
    with logged() as log:
        world.start()
        world.run(60)
        assert log.failures(SpoolError) > 1
    world.disk.fault = None
    world.run(60)
    assert len(world.sent) == 1


@pytest.mark.parametrize("when", [0.0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03])
def test_what_is_committed_while_the_queue_picks_up_is_delivered_once(when):
    world = World()
    world.servers["A"] = silent
    world.mail("old@far.example")
    world.run(1)
    world.crash()
    world.servers.clear()
    world.start()
    world.run(when)
    world.mail("new@far.example")
    world.run(60)
    assert sorted(each.recipients[0] for each in world.sent) == [
        "new@far.example",
        "old@far.example",
    ]


def removed(world, *remaining):
    """Start again with other accounts."""
    world.stop(0)
    world.accounts = remaining
    world.servers.clear()
    world.start()
    world.run(60)


@pytest.mark.parametrize("disabled", [False, True], ids=["removed", "disabled"])
def test_mail_of_an_account_that_is_not_in_use_leaves_by_one_that_admits_it(disabled):
    old = account("Old", minimum_wait=DAY)
    world = World(old)
    for n in range(5):
        world.mail(f"r{n}@far.example")
    world.run(5)
    others = (account("Else", senders="*@else.example"), account("B"))
    removed(world, *([attrs.evolve(old, enabled=False)] if disabled else []), *others)
    assert [each.account for each in world.sent] == ["Old", "B", "B", "B", "B"]
    assert world.waiting == []


def test_mail_that_no_other_account_admits_stays_and_the_log_says_so():
    old = account("Old", minimum_wait=DAY)
    world = World(old)
    for n in range(4):
        world.mail(f"r{n}@far.example")
    world.mail("r@near.example")
    world.run(5)
    with logged() as log:
        removed(world, account("B", recipients="*@near.example"))
    assert [text for text in log.texts(LogLevel.error) if "3 deliveries wait for account Old" in text]
    assert [each.account for each in world.sent] == ["Old", "B"]
    removed(world, old)
    assert len(world.waiting) == 3


def test_an_account_takes_only_mail_over_of_which_it_admits_every_recipient():
    world = World(account("Old", minimum_wait=DAY))
    world.mail()
    world.mail(READER, "other@near.example")
    world.run(5)
    removed(world, account("Half", recipients="*@far.example"), account("B"))
    assert [each.account for each in world.to(READER, "other@near.example")] == ["B"]


def test_mail_without_a_sender_finds_its_new_account_by_its_from_field():
    world = World(account("Old", minimum_wait=DAY))
    world.mail()
    world.mail(sender="")
    world.run(5)
    removed(world, account("Else", senders="*@else.example"), account("B", senders="*@home.example"))
    assert [(each.account, each.sender) for each in world.sent] == [("Old", SENDER), ("B", "")]


@pytest.mark.parametrize("disabled", [False, True], ids=["removed", "disabled"])
def test_mail_never_goes_back_to_an_account_that_is_not_in_use(disabled):
    first = account("A", fallback=("B",))
    world = World(first, account("B"), retry=(60.0,))
    world.servers.update(A=closed, B=deferring)
    world.mail()
    world.run(5)
    assert world.waiting[0].account == "B"
    assert world.stop(0)
    world.accounts = (*([attrs.evolve(first, enabled=False)] if disabled else []), account("B"))
    world.servers.update(B=closed)
    world.start()
    world.run(100)
    world.servers.clear()
    world.run(HOUR)
    assert [each.account for each in world.sent] == ["B"]
    assert "A" not in world.relays


# The spool has a fault.


def test_a_settlement_that_cannot_be_written_is_tried_again_and_nothing_is_sent_meanwhile():
    world = World()
    world.mail()
    world.run(0.5)
    world.disk.fault = SpoolError("the disk has a fault")
    with logged() as log:
        world.run(HOUR)
        assert log.failures(SpoolError) > 10
    assert len(world.tries) == 1
    world.disk.fault = None
    world.run(HOUR)
    assert world.waiting == []
    assert len(world.tries) == 1


def test_stop_gives_a_settlement_one_last_try():
    world = World()
    world.mail()
    world.run(0.5)
    world.disk.fault = SpoolError("the disk has a fault")
    with logged():
        world.run(15)
    world.disk.fault = None
    assert world.stop(1)
    assert world.waiting == []


def test_a_spool_with_a_fault_does_not_keep_the_queue_from_stopping():
    world = World()
    world.mail()
    world.run(0.5)
    world.disk.fault = SpoolError("the disk has a fault")
    with logged() as log:
        world.run(15)
        assert world.stop(1)
    assert log.failures(SpoolError) > 0
    world.disk.fault = None
    assert len(world.waiting) == 1


def test_a_mail_that_the_spool_does_not_take_is_not_ours():
    world = World()
    world.disk.capacity = 10
    refused = []
    world.mail().addErrback(refused.append)
    world.run(60)
    assert [failure.type for failure in refused] == [SpoolFullError]
    assert world.tries == []


# Stop.


def test_stop_waits_for_the_mails_on_their_way_and_their_outcomes_are_durable():
    world = World(seconds=5.0)
    world.mail()
    world.mail()
    world.run(1)
    assert not world.stop(3)
    assert world.relays["A"].grace == queue_service.GRACE
    world.run(2)
    assert not world.disk.locked
    assert len(world.sent) == 2
    assert world.waiting == []


def test_what_the_end_of_the_relay_breaks_off_stays_as_it_was():
    world = World(account("A"), account("B"), give_up_after=HOUR)
    world.servers["A"] = deferring
    world.mail()
    world.run(30 * 60)
    (before,) = world.waiting
    world.servers["A"] = silent
    world.run(2 * HOUR)
    stopped = []
    world.queue.stopService().addCallback(stopped.append)
    (under_way,) = world.relays["A"].under_way
    under_way.end(fault=SHUTTING_DOWN)
    world.run(HOUR)
    assert len(stopped) == 1
    assert world.waiting == [under_way.delivery]
    assert under_way.delivery.attempts == before.attempts
    assert "B" not in world.relays
    assert world.sent == []


def test_an_uncertain_mail_is_recorded_also_while_stopping():
    world = World()
    world.servers["A"] = silent
    world.mail()
    world.run(5)
    world.queue.stopService()
    world.relays["A"].under_way[0].end(Verdict.UNCERTAIN, fault=LOST)
    world.run(5)
    assert [each.attempts for each in world.waiting] == [1]


def test_what_fails_while_stopping_is_reported_after_the_restart():
    world = World(account("<>", senders="<>"), account("A"))
    world.servers["A"] = silent
    world.mail()
    world.run(5)
    world.queue.stopService().addCallback(lambda _: world.memory.close())
    world.relays["A"].under_way[0].end(Verdict.FAILED)
    world.run(60)
    assert "<>" not in world.relays
    world.start()
    world.run(60)
    assert [each.recipients for each in world.sent] == [(SENDER,)]


def test_mail_that_is_committed_while_stopping_leaves_after_the_restart():
    world = World()
    world.run(1)
    committed = []
    world.mail().addCallback(committed.append)
    world.queue.stopService().addCallback(lambda _: world.memory.close())
    world.run(60)
    assert len(committed) == 1
    assert world.tries == []
    world.start()
    world.run(60)
    assert len(world.sent) == 1


def test_a_start_that_is_not_finished_when_the_queue_stops_begins_nothing():
    world = World()
    world.servers["A"] = silent
    world.mail()
    world.run(1)
    world.crash()
    world.start()
    assert world.stop()
    world.run(HOUR)
    assert world.relays == {}


# Much mail.


def test_ten_thousand_deliveries_wait_in_one_lane_and_each_leaves_once(monkeypatch):
    world = World(account("A", max_connections=20), seconds=0.0)
    world.crash()
    world.disk.deliveries.update((n, delivery(n)) for n in range(10_000))
    world.disk.contents.update((n, b"") for n in range(10_000))
    world.servers["A"] = lambda now: now.end()
    largest = []
    fetched = Agenda.fetched

    def measured(agenda, deliveries, limit):
        fetched(agenda, deliveries, limit)
        largest.append(len(agenda))

    monkeypatch.setattr(Agenda, "fetched", measured)
    world.start()
    world.run(600)
    assert [now.delivery.number for now in world.tries] == list(range(10_000))
    assert max(largest) == 1000
    assert world.waiting == []


ENDS = [
    lambda now: now.end(Verdict.DELIVERED),
    deferring,
    refusing,
    closed,
    losing,
    lambda now: now.end(Verdict.DELIVERED, Verdict.FAILED, Verdict.DEFERRED),
]


@settings(max_examples=60, deadline=None, phases=[__import__('hypothesis').Phase.generate])
@given(data=st.data())
def test_whatever_happens_each_recipient_is_settled_once(data):
    """Random outcomes, a slow spool that fails now and then, crashes: in the end all is settled.

    A recipient is delivered or reported once; a crash or a lost connection may repeat one.
    """
    with pytest.MonkeyPatch.context() as patch, logged():
        patch.setattr(queue_service, "Agenda", functools.partial(Agenda, window=3))
        world = World(
            account("A", recipients="*@far.example", max_connections=2),
            account("B", recipients="*@far.example", minimum_wait=7.0),
            account("C"),
            retry=(5.0, 50.0),
            give_up_after=400.0,
            warn_after=0.0,
        )
        settled = Counter()

        def serve(now):
            data.draw(st.sampled_from(ENDS))(now)

        def count(now):
            def ended(result):
                for outcome in result.outcomes:
                    if outcome.verdict in (Verdict.DELIVERED, Verdict.FAILED):
                        settled[now.delivery.message.number, outcome.recipient.address] += 1
                return result

            now.done.addCallback(ended)

        make_relay = world.make_relay

        def counting_relay(of):
            relay = make_relay(of)
            begin = relay.attempt

            def attempt_counted(delivery, open_content):
                done = begin(delivery, open_content)
                count(relay.tries[-1])
                return done

            relay.attempt = attempt_counted
            return relay

        world.queue._make_relay = counting_relay
        world.servers.update(A=serve, B=serve, C=serve)
        crashes = 0
        for _ in range(data.draw(st.integers(1, 12))):
            step = data.draw(st.sampled_from(["mail", "mail", "mail", "wait", "fault", "crash"]))
            if step == "mail":
                for n in range(data.draw(st.integers(1, 6))):
                    world.mail(f"r{n}@far.example", f"s{n}@far.example", f"t{n}@near.example")
            elif step == "fault":
                world.disk.fault = SpoolError("the disk has a fault")
                world.run(data.draw(st.sampled_from([0.5, 12.0])))
                world.disk.fault = None
            elif step == "crash":
                crashes += 1
                world.crash()
                world.start()
                world.queue._make_relay = counting_relay
            world.run(data.draw(st.sampled_from([0.0, 0.02, 1.005, 8.0])))
        world.run(100 * HOUR)
        assert world.waiting == []
        assert world.disk.contents == {}
        assert max(settled.values(), default=1) <= 1 + crashes
