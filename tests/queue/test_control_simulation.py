"""Admins at work on a queue that is at work: whatever comes in between, each mail ends once.

What an audit sees of each attempt when it begins: that the spool has the delivery just so, and that
nobody else is sending it.  So nothing is sent that is held, deleted or moved away.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import pairwise
from random import Random
from typing import ClassVar

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from twisted.internet.defer import Deferred, succeed

from multisendcon_plugin.errors import MultisendconError, SpoolError
from multisendcon_plugin.events import DeliveryDeleted
from multisendcon_plugin.mail.selection import Selection
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.outcome.condition import State
from multisendcon_plugin.queue import changes, turns
from multisendcon_plugin.queue import lanes as queue_lanes
from multisendcon_plugin.spool.recent import RecentContent
from tests.contracts.stores import HastySqliteStore, MemoryStore
from tests.queue.test_quota import excess, mails
from tests.queue_world import (
    HOUR,
    World,
    account,
    closed,
    deferring,
    direct,
    greylisting,
    losing,
    refusing,
    unreachable,
)
from tests.queues import FakeRelay, SlowSpool, collected

ACCOUNTS = ("A", "B", "C")
MINIMUM_WAIT = 7.0


#: Of a seed: one that draws while attempts end may have no more to draw, and an attempt that does
#: not end for that looks like a mail that is lost.
randoms = st.builds(Random, st.integers(0, 2**32))


class PromptSpool:
    """The spool of a store, whose answers are at hand, as it is."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        method = getattr(self._store.spool, name)
        if not callable(method):
            return method

        def ask(*arguments):
            answer = method(*arguments)
            if not isinstance(answer, Deferred):
                return answer
            return succeed(self._store.wait(answer))

        return ask

    def content(self, message):
        return RecentContent(self._store.read(message))


class AuditedRelay(FakeRelay):
    """A relay whose every attempt is looked at when it begins."""

    def __init__(self, world, *how, **more):
        super().__init__(*how, **more)
        self.world = world

    def attempt(self, delivery, open_content):
        self.world.audit(self, delivery)
        return super().attempt(delivery, open_content)


class AuditedWorld(World):
    """A world on a store of ``tests/contracts``.

    :ivar faults: what was wrong.
    """

    def __init__(self, store, *accounts, **more):
        self.store = store
        self.faults = []
        self.deleted = []
        super().__init__(*accounts, **more)

    def open_spool(self):
        self.store.reactor.seconds = self.clock.seconds
        self.store.open()
        self.prompt = PromptSpool(self.store)
        return SlowSpool(self.prompt, self.clock)

    def start(self):
        super().start()
        self.deleted.append(collected(self.events, DeliveryDeleted))

    def stop(self):
        ended = []
        self.queue.stopService().addCallback(ended.append)
        self.run(60.0)
        self.store.close()
        return bool(ended)

    def make_relay(self, of):
        relay = AuditedRelay(self, self.clock, of, script=self.serve, seconds=self.seconds)
        self.relays[of.name] = relay
        return relay

    def stored(self, numbers):
        return self.store.wait(self.store.spool.read(numbers))

    def audit(self, relay, delivery):
        stored = self.stored([delivery.number])
        # At the start, the due times of all that waits are looked at.
        same = [attrs.evolve(each, due=delivery.due) for each in stored] == [delivery]
        others = [each for each in self.relays.values() if each is not relay]
        under_way = [each.delivery.number for other in (relay, *others) for each in other.under_way]
        if not same or stored[0].held or relay.account.name != delivery.account:
            self.faults.append(("not as the spool has it", delivery, stored))
        states = {each.account: each.state for each in self.queue.control.conditions()}
        if states[relay.account.name] is State.PAUSED:
            self.faults.append(("begun by a paused account", delivery))
        if delivery.number in under_way:
            self.faults.append(("sent twice at a time", delivery))


def delivering(now):
    now.end(Verdict.DELIVERED)


def divided(now):
    now.end(Verdict.DELIVERED, Verdict.FAILED, Verdict.DEFERRED)


#: The disk takes 0.01 s for an answer, a server a second.
pauses = st.sampled_from([0.0, 0.005, 0.005, 0.012, 0.02, 1.005, 8.0, 60.0])


class Admins(RuleBasedStateMachine):
    """Slow disks, small windows, moody servers, and admins who do not wait for answers."""

    store: type
    #: Of two accounts that have them in common.
    quotas: ClassVar = {}
    #: Further ends of attempts.
    others: ClassVar = ()

    def accounts(self):
        return (
            account("A", recipients="*@far.example", max_connections=3, **self.quotas),
            account("B", recipients="*@far.example", minimum_wait=MINIMUM_WAIT),
            account("C", **self.quotas),
        )

    @initialize(
        random=randoms,
        piece=st.sampled_from([1, 3, 500]),
        most=st.sampled_from([0, 1, 2000]),
    )
    def start(self, random, piece, most):
        self.before = queue_lanes.window, changes.AT_ONCE, turns.MOST_ALIVE
        queue_lanes.window, changes.AT_ONCE = (lambda accounts: 3), piece
        turns.MOST_ALIVE = most
        self.opened = self.store()
        self.world = AuditedWorld(
            self.opened,
            *self.accounts(),
            retry=(5.0, 50.0),
            give_up_after=400.0,
            warn_after=100.0,
        )
        self.answers = []

        def serve(now):
            usual = (delivering, deferring, refusing, closed, losing, divided, greylisting)
            random.choice((*usual, *self.others))(now)

        self.world.servers.update(A=serve, B=serve, C=serve)

    @rule(count=st.integers(1, 6), seconds=pauses)
    def mail(self, count, seconds):
        for n in range(count):
            done = self.world.mail(f"r{n}@far.example", f"s{n}@far.example", f"t{n}@near.example")
            done.addErrback(lambda failure: failure.trap(SpoolError))
        self.world.run(seconds)

    @rule(
        how=st.sampled_from(["hold", "release", "retry", "move", "delete", "notify"]),
        account=st.sampled_from(ACCOUNTS),
        data=st.data(),
        seconds=pauses,
    )
    def change(self, how, account, data, seconds):
        self.ask_for(how, account, data)
        self.world.run(seconds)

    @rule(
        one=st.sampled_from(["hold", "release", "retry", "move", "delete"]),
        other=st.sampled_from(["hold", "move", "delete", "notify"]),
        data=st.data(),
        seconds=st.sampled_from([0.0, 0.005, 0.015]),
    )
    def two_admins(self, one, other, data, seconds):
        self.ask_for(one, "B", data)
        self.world.run(seconds)
        self.ask_for(other, "C", data)
        self.world.run(seconds)

    def ask_for(self, how, account, data):
        waiting = [each.number for each in self.all_waiting()]
        gone = st.sampled_from([5, 7, *waiting])
        numbers = data.draw(st.lists(gone, max_size=12)) if data.draw(st.booleans()) else waiting
        control = self.world.queue.control
        asked = {
            "move": lambda: control.move(numbers, account, "by hand"),
            "delete": lambda: control.delete(numbers, False),
            "notify": lambda: control.delete(numbers, True),
        }.get(how, lambda: getattr(control, how)(numbers))
        self.note(asked())

    @rule(
        how=st.sampled_from(["pause", "resume", "probe"]),
        account=st.sampled_from(ACCOUNTS),
        seconds=pauses,
    )
    def change_account(self, how, account, seconds):
        self.note(getattr(self.world.queue.control, how)(account))
        self.world.queue.control.conditions()
        self.world.run(seconds)

    def note(self, asked):
        answer = []
        self.answers.append(answer)
        asked.addBoth(answer.append)

    def all_waiting(self):
        return self.opened.find(Selection())

    @rule(seconds=pauses)
    def time_passes(self, seconds):
        self.world.run(seconds)

    @rule(seconds=pauses)
    def restart(self, seconds):
        assert self.world.stop()
        self.world.start()
        self.world.run(seconds)

    def teardown(self):
        if not hasattr(self, "world"):
            return
        try:
            self.check()
        finally:
            queue_lanes.window, changes.AT_ONCE, turns.MOST_ALIVE = self.before
            self.opened.__exit__()

    def check(self):
        world = self.world
        for name in ACCOUNTS:
            self.note(world.queue.control.resume(name))
        world.run(HOUR)
        self.note(world.queue.control.release([each.number for each in self.all_waiting()]))
        world.run(100 * HOUR)
        assert world.faults == []
        assert self.all_waiting() == ()
        for answer in self.answers:
            assert len(answer) == 1
            error = getattr(answer[0], "value", None)
            assert error is None or isinstance(error, MultisendconError), error
        self.check_ends()
        self.check_waits()
        self.check_quota()

    def check_ends(self):
        """Each recipient is settled once, or deleted."""
        ended = Counter(
            (now.delivery.message.number, outcome.recipient.address)
            for now in self.world.tries
            for outcome in now.result.outcomes
            if outcome.verdict in (Verdict.DELIVERED, Verdict.FAILED)
        )
        assert max(ended.values(), default=1) == 1
        gone = [event.delivery for told in self.world.deleted for event in told]
        assert len({each.number for each in gone}) == len(gone)
        for delivery in gone:
            for recipient in delivery.recipients:
                assert (delivery.message.number, recipient.address) not in ended

    def check_waits(self):
        tries = [now for now in self.world.tries if now.relay.account.name == "B"]
        for before, after in pairwise(tries):
            ended = before.result.mail_ended
            assert ended is None or after.began >= ended + MINIMUM_WAIT

    def check_quota(self):
        """Each server counts at the begin of a mail, or at its end."""
        if self.quotas:
            (quota,) = self.quotas["quota"]
            counted = sorted(
                (now.began if now.delivery.number % 2 else now.result.mail_ended, 1)
                for now in self.world.tries
                if now.relay.account.name != "B" and now.result.mail_ended is not None
            )
            assert excess(counted, quota) <= 0


class MemoryAdmins(Admins):
    store = MemoryStore


class SqliteAdmins(Admins):
    store = HastySqliteStore


class QuotaAdmins(MemoryAdmins):
    quotas: ClassVar = {"quota": (mails(4, 20.0),), "quota_group": "both"}


class DirectAdmins(MemoryAdmins):
    """Some accounts deliver to the mail servers of the recipients."""

    others: ClassVar = (delivering, unreachable, unreachable)

    def accounts(self):
        return (
            direct(
                "A", recipients="*@far.example *@*.far.example", max_connections=9, **self.quotas
            ),
            account("B", recipients="*@far.example", minimum_wait=MINIMUM_WAIT),
            direct("C", fallback=("A",), **self.quotas),
        )

    @rule(count=st.integers(1, 6), seconds=pauses)
    def mail_to_many(self, count, seconds):
        for n in range(count):
            recipients = f"r@d{n}.far.example", f"s@d{n % 2}.far.example", f"t@d{n}.example"
            self.world.mail(*recipients).addErrback(lambda failure: failure.trap(SpoolError))
        self.world.run(seconds)

    @rule(way=st.sampled_from(["direct", "smtp"]), seconds=pauses)
    def reload(self, way, seconds):
        first, *others = self.accounts()
        if way == "smtp":
            first = account("A", recipients="*@far.example *@*.far.example", **self.quotas)
        self.world.reload(first, *others)
        self.world.run(seconds)


class DirectSqliteAdmins(DirectAdmins):
    store = HastySqliteStore


class DirectQuotaAdmins(DirectAdmins):
    quotas: ClassVar = QuotaAdmins.quotas


MemoryAdmins.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
SqliteAdmins.TestCase.settings = settings(max_examples=8, stateful_step_count=25, deadline=None)
QuotaAdmins.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
TestInMemory = MemoryAdmins.TestCase
TestWithQuotas = QuotaAdmins.TestCase
TestOnDisk = SqliteAdmins.TestCase
DirectAdmins.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
DirectQuotaAdmins.TestCase.settings = DirectAdmins.TestCase.settings
DirectSqliteAdmins.TestCase.settings = SqliteAdmins.TestCase.settings
TestDirect = DirectAdmins.TestCase
TestDirectWithQuotas = DirectQuotaAdmins.TestCase
TestDirectOnDisk = DirectSqliteAdmins.TestCase


# An admin at work.


class DyingSpool:
    """A spool that is killed at one of its writes by hand, before it is made or after it.

    :ivar writes: how many there have been.
    """

    def __init__(self, store, dies_at, after):
        self.prompt = PromptSpool(store)
        self.dies_at = dies_at
        self.after = after
        self.writes = 0

    def __getattr__(self, name):
        method = getattr(self.prompt, name)
        return partial(self._write, method) if name in ("hold", "settle") else method

    def _write(self, method, *arguments):
        self.writes += 1
        if self.writes != self.dies_at:
            return Deferred() if self.dead else method(*arguments)
        if self.after:
            method(*arguments)
        return Deferred()

    @property
    def dead(self):
        return bool(self.dies_at) and self.writes >= self.dies_at


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("dies_at", [1, 2, 3])
@pytest.mark.parametrize("how", ["hold", "move", "delete", "notify"])
@pytest.mark.parametrize("store", [MemoryStore, HastySqliteStore])
def test_a_crash_while_an_admin_is_at_work_leaves_each_mail_as_it_was_or_as_it_was_to_be(
    monkeypatch, store, how, dies_at, after
):
    monkeypatch.setattr(changes, "AT_ONCE", 2)
    opened = store()
    world = AuditedWorld(opened, account("A"), account("B"), retry=(300.0,))
    world.servers["A"] = deferring
    for n in range(6):
        world.mail(f"r{n}@far.example", by="A")
    world.run(60)
    numbers = [each.number for each in opened.find(Selection())]
    world.tries.clear()
    world.servers["A"] = world.deliver
    world.spool.spool = DyingSpool(opened, dies_at, after)
    control, answers = world.queue.control, []
    asked = {
        "hold": lambda: control.hold(numbers),
        "move": lambda: control.move(numbers, "B", "by hand"),
        "delete": lambda: control.delete(numbers, False),
        "notify": lambda: control.delete(numbers, True),
    }[how]()
    asked.addBoth(answers.append)
    world.run(1)
    assert answers == []
    for call in list(world.clock.getDelayedCalls()):
        call.cancel()
    opened.crash()
    world.tries.clear()
    world.sent.clear()
    world.start()
    world.run(0.0)
    changed = 2 * (dies_at - 1 + after)
    left = opened.find(Selection())
    ours = [each for each in left if each.number in numbers]
    assert len(ours) == (6 - changed if how in ("delete", "notify") else 6)
    assert len(left) - len(ours) == (changed if how == "notify" else 0)
    world.run(1000)
    assert world.faults == []
    tried = [now.delivery.number for now in world.tries]
    assert len(set(tried)) == len(tried)
    by = Counter(each.account for each in world.sent if each.sender)
    assert by == {
        "hold": Counter(A=6 - changed),
        "move": Counter(A=6 - changed, B=changed),
    }.get(how, Counter(A=6 - changed))
    assert sum(1 for each in world.sent if not each.sender) == (changed if how == "notify" else 0)
    assert len(opened.find(Selection(held=True))) == (changed if how == "hold" else 0)
    opened.__exit__()
