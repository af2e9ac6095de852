"""A relay that dies at a given step, in a world that goes on: its clients, its servers, its clock.

A step is a moment at which a process can be killed with a difference to what is left: before and
after each commit of the spool, before and after the client has its 250, and what a server has
seen of an attempt.  Steps are named by the states of ``docs/INTERNALS.rst``.

Addresses say what becomes of them: of ``defer-ok.3@far.example`` the server defers the first
attempt and takes all further ones.
"""

from __future__ import annotations

from collections import Counter
from email import message_from_string

import attrs
from twisted.internet.defer import Deferred, succeed

from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.routing.account import AccountType
from multisendcon_plugin.settings.quota import Counted, Quota
from multisendcon_plugin.spool.recent import RecentContent
from tests.queue_world import World, account, closed
from tests.queues import LOST, NOW, SlowSpool, clock_now

#: The accounts: B takes over what A cannot carry.
ACCOUNTS = (
    account(
        "A",
        recipients="*@far.example *@also.example *@home.example",
        fallback=("B",),
        quota=(Quota(1000, Counted.MAILS, 86400.0),),
    ),
    account("B"),
)
#: The same, with mail that is divided by destinations: from the start, when it moves, or both.
A, B = ACCOUNTS
DIRECT_A, DIRECT_B = (attrs.evolve(each, type=AccountType.DIRECT, server="") for each in ACCOUNTS)
DIRECT = ((A, DIRECT_B), (DIRECT_A, B), (DIRECT_A, DIRECT_B))
POSTMASTER = "ok.postmaster@home.example"
#: The account whose server cannot be reached, from when to when.
DOWN = ("A", NOW + 20.0, NOW + 100.0)

VERDICTS = {"ok": Verdict.DELIVERED, "defer": Verdict.DEFERRED, "refuse": Verdict.FAILED}
#: The connection is lost after the final dot.
IF_LOST = {
    "ok": Verdict.UNCERTAIN,
    "lost": Verdict.UNCERTAIN,
    "defer": Verdict.DEFERRED,
    "refuse": Verdict.DEFERRED,
}


@attrs.frozen
class Mail:
    """A mail of a client, which hands it in again until it has a 250."""

    subject: str
    sender: str
    recipients: tuple[str, ...]
    at: float


def report_of(content):
    """Return the action and the recipients of a report; ``None`` when it is none."""
    parsed = message_from_string(content)
    if parsed.get_content_type() != "multipart/report":
        return None
    groups = parsed.get_payload(1).get_payload()[1:]
    return groups[0]["Action"], tuple(each["Final-Recipient"].split("; ")[1] for each in groups)


def identity(content):
    parsed = message_from_string(content)
    return parsed["Message-ID"] or parsed["Subject"]


@attrs.define
class Ledger:
    """What has happened so far, and what of it was wrong.

    :ivar acknowledged: mails whose client has its 250.
    :ivar stored: mails that this process has made durable.
    :ivar offers: how often a server has seen each recipient.
    :ivar accepted: what servers took, as who gets it sees it: by the mail and its recipient.
    :ivar unsettled: what servers took of this process that is not recorded yet.
    :ivar settled: what is recorded as done or failed, by message number and recipient.
    :ivar verdicts: the last one of each, by message number and recipient.
    :ivar told_of_delay: by message number and recipient.
    :ivar reports: addressee, action and recipients of each report that was taken.
    """

    acknowledged: set = attrs.field(factory=set)
    stored: set = attrs.field(factory=set)
    offers: Counter = attrs.field(factory=Counter)
    accepted: Counter = attrs.field(factory=Counter)
    unsettled: set = attrs.field(factory=set)
    settled: set = attrs.field(factory=set)
    verdicts: dict = attrs.field(factory=dict)
    told_of_delay: set = attrs.field(factory=set)
    reports: set = attrs.field(factory=set)
    faults: list = attrs.field(factory=list)

    def check(self, right, *fault):
        # Not an assertion: a Deferred would swallow it.
        if not right:
            self.faults.append(fault)

    def store(self, subject):
        self.check(subject not in self.stored, "stored twice by one process", subject)
        self.check(subject not in self.acknowledged, "stored after its 250", subject)
        self.stored.add(subject)

    def offer(self, key):
        self.check(key not in self.settled, "sent again after its end was recorded", key)
        self.offers[key[1]] += 1

    def accept(self, key, content):
        self.check(key not in self.unsettled, "sent twice by one process", key)
        self.unsettled.add(key)
        self.accepted[identity(content), key[1]] += 1
        report = report_of(content)
        if report:
            self.reports.add((key[1], *report))

    def settle(self, settlement):
        delivery, remaining = settlement.delivery, settlement.remaining
        number = delivery.message.number
        before = {each.address for each in delivery.recipients}
        parts = (remaining, *settlement.parts) if remaining else ()
        after = {each.address for part in parts for each in part.recipients}
        self.check(len(after) == sum(len(part.recipients) for part in parts), "in two parts", after)
        failed = set()
        for each in before - after:
            key = number, each
            self.check(key not in self.settled, "settled twice", key)
            self.settled.add(key)
            self.unsettled.discard(key)
            if self.verdicts.get(key) is not Verdict.DELIVERED:
                failed.add(each)
        self._check_reports(
            delivery, failed, [report_of(r.content.decode()) for r in settlement.reports]
        )

    def _check_reports(self, delivery, failed, reports):
        """A failure is reported once, by the commit that ends it, and a delay once in all."""
        sender = delivery.message.envelope.reverse_path
        to_be_told = failed if sender or POSTMASTER not in failed else set()
        told = [each for action, about in reports if action == "failed" for each in about]
        self.check(sorted(told) == sorted(to_be_told), "reported", told, "failed", failed)
        for action, about in reports:
            if action == "delayed":
                keys = {(delivery.message.number, each) for each in about}
                self.check(not keys & self.told_of_delay, "a delay is told twice", keys)
                self.told_of_delay |= keys

    def crash(self):
        """What is not recorded may be sent again; what got no 250 is handed in again."""
        self.unsettled.clear()
        self.stored.clear()

    def duplicates(self):
        """Return who has got a mail more than once."""
        return {recipient for (_, recipient), count in self.accepted.items() if count > 1}

    def arrived(self, mail, recipient):
        return bool(self.accepted[mail.subject, recipient])

    def reported(self, mail, recipient):
        """Tell whether the sender knows of a failure, or the postmaster that he does not."""
        return any(
            action == "failed"
            and (
                (to == mail.sender and recipient in about)
                or (to == POSTMASTER and mail.sender in about)
            )
            for to, action, about in self.reports
        )


class CrashWorld(World):
    """A world whose relay dies at one step; `start` begins its next life.

    :param store: a store of ``tests/contracts``.
    :ivar mails_said: how many mails the servers have seen begin, by account.
    :ivar steps: state and recipients concerned, of each step of this life so far.
    """

    def __init__(self, mails, store, accounts=ACCOUNTS):
        self.mails = mails
        self.store = store
        self.ledger = Ledger()
        self.mails_said = Counter()
        self.next_death = None
        super().__init__(
            *accounts,
            seconds=0.0,
            ndr={"postmaster": POSTMASTER},
            retry=(60.0, 3600.0),
            warn_after=3600.0,
            give_up_after=4 * 3600.0,
        )

    # Lives and deaths.

    def start(self):
        self.steps = []
        self.dead = False
        super().start()
        now = self.clock.seconds()
        for mail in self.mails:
            if mail.subject not in self.ledger.acknowledged:
                self.later(max(0.0, mail.at - now), self.hand_in, mail)

    def step(self, state, recipients):
        """Pass a step; return False when the process dies there."""
        if not self.dead:
            self.steps.append((state, recipients))
            if len(self.steps) == self.next_death:
                self._die()
        return not self.dead

    def _die(self):
        self.dead = True
        self.store.crash()
        self.ledger.crash()

    def live(self, dies_at=None):
        """Run until the process dies at that step, or has nothing left to do."""
        self.next_death = dies_at
        for call in iter(self._next_call, None):
            self.clock.advance(max(0.0, call.getTime() - self.clock.seconds()))
            if self.dead:
                # What it has asked this clock for does not come any more.
                self.clock = clock_now(self.clock.seconds())
                return

    def _next_call(self):
        return min(self.clock.getDelayedCalls(), key=lambda each: each.getTime(), default=None)

    def open_spool(self):
        self.store.reactor.seconds = self.clock.seconds
        self.store.open()
        return SlowSpool(SteppingSpool(self), self.clock)

    def later(self, seconds, action, *args):
        self.clock.callLater(seconds, lambda: self.dead or action(*args))

    # The clients.

    def hand_in(self, mail):
        done = self.mail(
            *mail.recipients, sender=mail.sender, subject=mail.subject, header_from=mail.sender
        )
        done.addCallback(self._replied, mail)

    def _replied(self, _, mail):
        if self.step("committed, no 250", mail.recipients):
            self.ledger.acknowledged.add(mail.subject)
            self.step("waiting", mail.recipients)

    # The servers.

    def serve(self, now):
        if self.step("under way", addresses(now.delivery)):
            name, begin, end = DOWN
            if now.relay.account.name == name and begin <= self.clock.seconds() < end:
                closed(now)
            else:
                self.later(0.3, self._envelope, now)

    def _envelope(self, now):
        number = now.delivery.message.number
        self.mails_said[now.relay.account.name] += 1
        behaviours = {}
        for address in addresses(now.delivery):
            plan = address.partition("@")[0].partition(".")[0].split("-")
            behaviours[address] = plan[min(self.ledger.offers[address], len(plan) - 1)]
            self.ledger.offer((number, address))
        if self.step("under way", tuple(behaviours)):
            self.later(0.3, self._final_dot, now, behaviours)

    def _final_dot(self, now, behaviours):
        number = now.delivery.message.number
        content = self.read(now)
        for address, behaviour in behaviours.items():
            if behaviour in ("ok", "lost"):
                self.ledger.accept((number, address), content)
        if self.step("under way", tuple(behaviours)):
            self.later(0.3, self._reply, now, behaviours)

    def _reply(self, now, behaviours):
        lost = "lost" in behaviours.values()
        keys = [(now.delivery.message.number, each) for each in behaviours]
        verdicts = [(IF_LOST if lost else VERDICTS)[each] for each in behaviours.values()]
        self.ledger.verdicts.update(zip(keys, verdicts, strict=True))
        if lost:
            # Nobody but the server knows what it has.
            self.ledger.unsettled.difference_update(keys)
        now.end(*verdicts, fault=LOST if lost else None)

    def read(self, now):
        return b"".join(iter(now.open_content().read, b"")).decode()


def addresses(delivery):
    return tuple(each.address for each in delivery.recipients)


class SteppingSpool:
    """The spool of a store, with a step before and after each commit; answers at once."""

    def __init__(self, world):
        self.world = world
        self.store = world.store
        self.clean = self.store.spool.clean

    def _commit(self, before, commit, note, after, recipients):
        # What has died gets no answer.
        if not self.world.step(before, recipients):
            return Deferred()
        answer = self.store.wait(commit())
        note()
        return succeed(answer) if self.world.step(after, recipients) else Deferred()

    def settle(self, settlements):
        # A process may die between any two of them: that they share a transaction is not promised.
        answers = []
        for settlement in settlements:
            self._commit(
                "outcome known",
                lambda settlement=settlement: self.store.spool.settle([settlement]),
                lambda settlement=settlement: self.world.ledger.settle(settlement),
                "settled" if settlement.remaining else "ended",
                addresses(settlement.delivery),
            ).addCallback(answers.extend)
        return Deferred() if self.world.dead else succeed(answers)

    def draft(self, number=None):
        return SteppingDraft(self.store.spool.draft(number))

    def commit(self, commits):
        (commit,) = commits
        subject = identity(commit.draft.content.decode())
        return self._commit(
            "arriving",
            lambda: self.store.spool.commit([commit._replace(draft=commit.draft.draft)]),
            lambda: self.world.ledger.store(subject),
            "committed, no 250",
            commit.envelope.recipients,
        )

    def waiting(self, *question):
        return self._ask(lambda: self.store.spool.waiting(*question))

    def bring_forward(self, account, latest):
        return self._ask(lambda: self.store.spool.bring_forward(account, latest))

    def lanes(self):
        return self._ask(self.store.spool.lanes)

    def account_states(self):
        return self._ask(self.store.spool.account_states)

    def pauses(self):
        return self._ask(self.store.spool.pauses)

    def usage(self):
        return self._ask(self.store.spool.usage)

    def count(self, usages, clock, awaited):
        if self.world.dead:
            return Deferred()
        answer = self.store.wait(self.store.spool.count(usages, clock, awaited))
        if awaited and not self.world.step("reserved", ()):
            return Deferred()
        return succeed(answer)

    def _ask(self, question):
        return Deferred() if self.world.dead else succeed(self.store.wait(question()))

    def content(self, message):
        return RecentContent(self.store.read(message))


class SteppingDraft:
    def __init__(self, draft):
        self.draft = draft
        self.number = draft.number
        self.content = b""

    def write(self, data):
        self.content += data
        return self.draft.write(data)
