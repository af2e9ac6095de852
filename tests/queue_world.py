"""One relay's queue in a world of its own: accounts, their servers, a clock and a disk."""

from __future__ import annotations

import attrs

from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.masks import Masks
from multisendcon_plugin.mail.message import Recipient, parcels
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.queue import QueuePolicy, QueueService
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.values import DeliverySettings, NdrSettings
from multisendcon_plugin.testing import MemoryDisk, MemorySpool
from tests.queues import (
    CLOSED,
    GREYLISTED,
    LOGIN_REFUSED,
    LOST,
    NOW,
    FakeRelay,
    SlowSpool,
    clock_now,
    fault,
    in_the_log,
    run,
)

HOUR, DAY = 3600.0, 86400.0
SENDER, READER = "author@home.example", "reader@far.example"
POSTMASTER = "postmaster@home.example"


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

    :param clock: with the time `NOW`.
    :ivar clock_set_by: seconds by which somebody has set the clock on the wall.
    :ivar boot: names the time since the machine was started, which was then at `machine_started` by
        this process's clock.
    :ivar servers: by account, how its server ends an attempt; by default all is delivered.
    """

    boot = "boot"

    def __init__(
        self, *accounts, clock=None, slow=True, seconds=1.0, ndr=None, reports=None, **delivery
    ):
        self.clock = clock or clock_now()
        self.disk = MemoryDisk()
        self.accounts = accounts or (account("A"),)
        self.ndr = NdrSettings(sender="mailer-daemon@home.example", **(ndr or {}))
        self.reports_account = reports
        self.delivery = DeliverySettings(**delivery)
        self.slow = slow
        self.seconds = seconds
        self.clock_set_by = 0.0
        self.machine_started = self.clock.seconds() - 1000.0
        self.servers = {}
        self.tries = []
        self.sent = []
        self.start()

    def start(self):
        """Begin a new process."""
        self.spool = self.open_spool()
        self.registry = AccountRegistry(self.accounts, self.reports_account)
        self.relays = {}
        self.events = in_the_log(self.clock)
        self.queue = QueueService(
            policy=self.policy(),
            spool=self.spool,
            claims=self.spool,
            events=self.events,
            make_relay=self.make_relay,
            clock=self.clock,
            wall=lambda: self.clock.seconds() + self.clock_set_by,
            boot=lambda: (self.boot, self.clock.seconds() - self.machine_started),
        )
        self.queue.startService()

    def policy(self):
        return QueuePolicy(
            delivery=self.delivery,
            ndr=self.ndr,
            hostname="relay.home.example",
            registry=self.registry,
        )

    def reload(self, *accounts):
        """Let other accounts be there from now on."""
        self.accounts = accounts
        self.registry = AccountRegistry(accounts, self.reports_account)
        self.queue.reconfigure(self.policy())

    def open_spool(self):
        self.memory = MemorySpool(self.clock, self.disk)
        self.memory.open()
        return SlowSpool(self.memory, self.clock) if self.slow else self.memory

    def make_relay(self, of):
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

    def mail(
        self, *recipients, sender=SENDER, subject="x", header_from=SENDER, by=None, notify=None
    ):
        """Hand a mail in, as the edge does; return the Deferred of its commit."""
        recipients = recipients or (READER,)
        header = f"From: <{header_from}>\r\nSubject: {subject}\r\n".encode()
        draft = self.queue.draft()
        draft.write(header + b"\r\nhello\r\n")
        routes = [by or self.route(sender, header_from, each) for each in recipients]
        return self.queue.commit(
            draft,
            Envelope(
                reverse_path=sender,
                recipients=recipients,
                author="" if sender else header_from,
            ),
            len(header),
            parcels(
                (self.lane(name, each), Recipient(address=each, reason="test", notify=notify))
                for name, each in zip(routes, recipients, strict=True)
            ),
        )

    def lane(self, name, recipient):
        """Return where mail of an account to a recipient waits."""
        known = self.registry.account(name)
        return name, known.destination(recipient) if known else ""

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


def deferring(now):
    now.end(Verdict.DEFERRED)


def greylisting(now):
    now.end(deferred_by=GREYLISTED)


def greylists(greyed, seconds=60.0):
    """Return a server that defers each of these recipients until so long after its first try."""
    first = {}

    def serve(now):
        (recipient,) = (each.address for each in now.delivery.recipients)
        at = now.relay.clock.seconds()
        if recipient in greyed and at < first.setdefault(recipient, at) + seconds:
            greylisting(now)
            return None
        return "as usual"

    return serve


TOO_MANY = fault(Phase.GREETING, 421, "4.7.0", "Too many concurrent connections")


def allows(world, connections, seconds=0.5):
    """Return a server that refuses each connection beyond so many, and takes its time for mail."""
    working = set()

    def serve(now):
        working.intersection_update(now.relay.under_way)
        if len(working) < connections:
            working.add(now)
            world.clock.callLater(seconds, taken, now)
        else:
            now.end(fault=TOO_MANY)

    def taken(now):
        if now in now.relay.under_way:
            world.deliver(now)

    return serve


def draining(now):
    now.end(fault=fault(Phase.GREETING, 421, "4.3.2", "service not available"))


def inconclusive(now):
    now.end(Verdict.FAILED, inconclusive=True)


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
