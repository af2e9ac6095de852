"""Much mail, and everything that may happen to it: each recipient is settled, and once."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import ClassVar

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.queue import lanes as queue_lanes
from multisendcon_plugin.queue import turns
from multisendcon_plugin.queue.agenda import Agenda
from multisendcon_plugin.settings.quota import OverQuota
from tests.queue.test_quota import excess, mails
from tests.queue_world import (
    HOUR,
    TOO_MANY,
    World,
    account,
    closed,
    deferring,
    direct,
    draining,
    greylisting,
    losing,
    refusing,
    unreachable,
)
from tests.queues import delivery


def test_ten_thousand_deliveries_wait_in_one_lane_and_each_leaves_once(monkeypatch):
    world = World(account("A", max_connections=20), slow=False, seconds=0.0)
    world.crash()
    for number in range(1000):
        message = delivery(number).message
        for n in range(number * 10, number * 10 + 10):
            world.disk.deliveries[n] = attrs.evolve(delivery(n), message=message)
        world.disk.contents[number] = b""
    world.servers["A"] = lambda now: now.end()
    largest = []
    fetched = Agenda.fetched

    def measured(agenda, deliveries, limit):
        fetched(agenda, deliveries, limit)
        largest.append(len(agenda.waiting))

    monkeypatch.setattr(Agenda, "fetched", measured)
    world.start()
    world.run(600)
    assert [now.delivery.number for now in world.tries] == list(range(10_000))
    assert max(largest) == 1000
    assert world.waiting == []


QUOTA = mails(3, 10.0)


def delivering(now):
    now.end(Verdict.DELIVERED)


def divided(now):
    now.end(Verdict.DELIVERED, Verdict.FAILED, Verdict.DEFERRED)


#: Of a seed: one that draws while attempts end may have no more to draw, and an attempt that does
#: not end for that looks like a mail that is lost.
randoms = st.builds(Random, st.integers(0, 2**32))


class Relay(RuleBasedStateMachine):
    """A relay with slow disks, small windows and moody servers.

    A crash may repeat what was in flight.  Nothing else may, and nothing is forgotten.
    """

    others: ClassVar = ()

    def accounts(self):
        return (
            account("A", recipients="*@far.example"),
            account("B", recipients="*@far.example", minimum_wait=7.0),
            account("C", quota=(QUOTA,), over_quota=OverQuota.FALLBACK),
        )

    @initialize(random=randoms, most=st.sampled_from([0, 1, 2000]))
    def start(self, random, most):
        self.crashes = 0
        self.before = queue_lanes.window, turns.MOST_ALIVE
        queue_lanes.window, turns.MOST_ALIVE = (lambda accounts: 3), most
        self.world = World(
            *self.accounts(),
            retry=(5.0, 50.0),
            give_up_after=400.0,
            warn_after=100.0,
        )

        def serve(now):
            usual = (delivering, delivering, deferring, refusing, closed, losing, divided)
            ends = (*usual, greylisting, draining, self.one_too_many, *self.others)
            random.choice(ends)(now)

        self.world.servers.update(A=serve, B=serve, C=serve)

    def one_too_many(self, now):
        """Refuse a connection: beside others, while its account is fit, its mail stays as it is."""
        lane = self.world.queue._lanes[now.delivery.lane]
        beside_others = len(now.relay.under_way) > 1 and lane.gates.of_account.health.fault is None
        stored = self.world.disk.deliveries.get(now.delivery.number)
        now.end(fault=TOO_MANY)
        if beside_others:
            assert self.world.disk.deliveries.get(now.delivery.number) == stored

    @rule(
        end=st.sampled_from([draining, greylisting, closed]),
        seconds=st.sampled_from([20.0, 300.0, 2000.0]),
    )
    def a_server_has_an_outage(self, end, seconds):
        usual = self.world.servers["A"]
        self.world.servers["A"] = end
        self.mail(5, 0.0)
        self.world.run(seconds)
        self.world.servers["A"] = usual

    @rule(count=st.integers(1, 6), seconds=st.sampled_from([0.0, 0.01, 1.005]))
    def mail(self, count, seconds):
        for n in range(count):
            self.world.mail(f"r{n}@far.example", f"s{n}@far.example", f"t{n}@near.example")
            self.world.run(seconds)

    @rule(seconds=st.sampled_from([0.005, 0.02, 1.005, 8.0, 60.0]))
    def time_passes(self, seconds):
        self.world.run(seconds)

    @rule(seconds=st.sampled_from([0.5, 12.0]))
    def the_disk_has_a_fault(self, seconds):
        self.world.disk.fault = SpoolError("the disk has a fault")
        self.world.run(seconds)
        self.world.disk.fault = None

    @rule()
    def restart(self):
        assert self.world.stop()
        self.world.start()

    @rule()
    def crash(self):
        self.world.crash()
        self.world.start()
        self.crashes += 1

    def teardown(self):
        if not hasattr(self, "world"):
            return
        queue_lanes.window, turns.MOST_ALIVE = self.before
        self.world.run(100 * HOUR)
        assert self.world.disk.deliveries == self.world.disk.contents == {}
        settled = Counter(
            (now.delivery.message.number, outcome.recipient)
            for now in self.world.tries
            for outcome in now.result.outcomes
            if outcome.verdict in (Verdict.DELIVERED, Verdict.FAILED)
        )
        assert max(settled.values(), default=1) <= 1 + self.crashes
        counted = sorted(
            (now.began if now.delivery.number % 2 else now.result.mail_ended, 1)
            for now in self.world.tries
            if now.relay.account.name == "C" and now.result.mail_ended is not None
        )
        assert excess(counted, QUOTA) <= 0


class DirectRelay(Relay):
    """One with accounts that deliver to the mail servers of the recipients."""

    others: ClassVar = (delivering, unreachable, unreachable)

    def accounts(self):
        return (
            direct("A", recipients="*@far.example *@*.far.example", max_connections=10),
            account("B", recipients="*@far.example *@*.far.example", minimum_wait=7.0),
            direct("C", quota=(QUOTA,), over_quota=OverQuota.FALLBACK, fallback=("B", "A")),
        )

    @rule(count=st.integers(1, 6), seconds=st.sampled_from([0.0, 0.01, 1.005]))
    def mail_to_many(self, count, seconds):
        for n in range(count):
            self.world.mail(f"r@d{n}.far.example", f"s@d{n % 2}.far.example", f"t@d{n}.example")
            self.world.run(seconds)


Relay.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestRelay = Relay.TestCase
DirectRelay.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestDirectRelay = DirectRelay.TestCase
