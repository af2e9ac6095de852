"""Operations over a spool in memory, and a queue that does at once what it is told."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from multisendcon_plugin.events import Publisher
from multisendcon_plugin.interfaces import IQueueControl
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.message import Parcel, Recipient
from multisendcon_plugin.operations import Operations
from multisendcon_plugin.operations.standing import Standing
from multisendcon_plugin.operations.values import AccountCounts
from multisendcon_plugin.outcome.condition import Condition, State
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.queue_world import account
from tests.queues import clock_now, commit

CLIENT = Client("192.0.2.1", "boss", "pc.example", "TLSv1.3")
HEADER = b"From: a@b.example\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n"


def numbers_of(deliveries):
    return tuple(each.number for each in deliveries)


@implementer(IQueueControl)
class FakeQueue:
    """What `QueueControl` is to the operations.

    :ivar told: what it was told, in order.
    :ivar states: of accounts that are not well.
    :ivar resting: the rests of destinations, by account and destination.
    :ivar more: of the conditions of accounts, by name.
    """

    def __init__(self, spool, registry):
        self.spool = spool
        self.registry = registry
        self.told = []
        self.states = {}
        self.more = {}
        self.active = set()
        self.resting = {}

    def hold(self, numbers):
        return self.tell("hold", numbers)

    def release(self, numbers):
        return self.tell("release", numbers)

    def retry(self, numbers):
        return self.tell("retry", numbers)

    def move(self, numbers, account, reason):
        self.told.append(("move", list(numbers), account, reason))
        return self.spool.read(numbers).addCallback(
            self.settle, lambda each: each.moved_to((account, ""), reason, each.due)
        )

    def delete(self, numbers, notify):
        self.told.append(("delete", list(numbers), notify))
        return self.spool.read(numbers).addCallback(self.settle, lambda _: None)

    def settle(self, deliveries, remaining):
        self.spool.settle(
            [Settlement(delivery=each, remaining=remaining(each)) for each in deliveries]
        )
        return numbers_of(deliveries)

    def tell(self, what, numbers):
        self.told.append((what, list(numbers)))
        return getattr(self.spool, what)(numbers).addCallback(numbers_of)

    def under_way(self):
        return frozenset(self.active)

    def rest(self, account, destination):
        return self.resting.get((account, destination))

    def conditions(self, accounts=None):
        return [
            Condition(
                account=each.name,
                state=self.states.get(each.name, State.OK if each.enabled else State.OFF),
                active=len(self.active),
                **self.more.get(each.name, {}),
            )
            for each in (self.registry if accounts is None else accounts)
        ]

    def pause(self, account):
        self.states[account] = State.PAUSED
        return succeed(None)

    def resume(self, account):
        del self.states[account]
        return succeed(None)

    def probe(self, account):
        self.told.append(("probe", account))
        return succeed(None)


ACCOUNTS = (
    account("Sales", senders="*@sales.example"),
    account("Lab", senders="*@lab.example", recipients="*@far.example"),
    account("Old", enabled=False),
)


#: What a desk is without, unless it is given.
NOTHING_MORE = {
    "counts": lambda _: AccountCounts(),
    "by_minute": lambda _: (),
    "logins": lambda _: None,
    "log_in_anew": lambda _: None,
    "alarms": tuple,
    "history": lambda: None,
    "explain": None,
    "servers": None,
    "tests": None,
    "reload": None,
    "file": None,
    "in_thread": None,
    "sign_ins": None,
}


class Desk:
    """An admin, and the relay before them."""

    def __init__(self, accounts=ACCOUNTS, **more):
        self.clock = clock_now()
        self.set_by = 0.0
        self.spool = MemorySpool(self.clock)
        self.spool.open()
        self.registry = AccountRegistry(accounts)
        self.queue = FakeQueue(self.spool, self.registry)
        self.events = Publisher()
        self.operations = Operations(
            version="1.2.3",
            events=self.events,
            queue=self.queue,
            view=self.spool,
            content=self.spool.content,
            registry=lambda: self.registry,
            standing=Standing(self.events, front=False),
            clock=self.clock,
            wall=lambda: self.clock.seconds() + self.set_by,
            **(NOTHING_MORE | more),
        )

    def mail(self, *parcels, sender="boss@sales.example", client=CLIENT):
        """Put a mail into the queue, by account and recipients; return its deliveries."""
        parcels = parcels or (("Sales", "one@far.example"),)
        self.clock.advance(1)
        draft = self.spool.draft()
        draft.write(HEADER + b"\r\nhello\r\n")
        envelope = Envelope(
            reverse_path=sender,
            recipients=tuple(each for _, *addresses in parcels for each in addresses),
            client=client,
            message_id="<1@b.example>",
            subject="=?utf-8?q?gr=C3=BC=C3=9Fe?=",
        )
        some = tuple(
            Parcel(
                account=name,
                recipients=tuple(Recipient(address=each, reason="test") for each in addresses),
            )
            for name, *addresses in parcels
        )
        return result(commit(self.spool, draft, envelope, len(HEADER), some))

    def put(self, delivery, **fields):
        """Change a delivery in the spool."""
        changed = attrs.evolve(delivery, **fields)
        self.spool.disk.deliveries[delivery.number] = changed
        return changed

    def ask(self, operation):
        return result(Deferred.fromCoroutine(operation))

    def list(self, *asked):
        """Return all pieces of a listing."""

        async def collect():
            return [piece async for piece in self.operations.listing(*asked)]

        return self.ask(collect())

    def rows(self, *asked):
        return [row for piece in self.list(*asked) for row in piece]

    @property
    def waiting(self):
        return list(self.spool.disk.deliveries.values())


def result(deferred):
    """Return what has come, or raise what has gone wrong."""
    got = []
    deferred.addBoth(got.append)
    assert got, "it does not come at once"
    if hasattr(got[0], "raiseException"):
        got[0].raiseException()
    return got[0]
