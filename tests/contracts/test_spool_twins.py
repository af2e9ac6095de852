"""The spool on disk and its twin in memory do the same, whatever is asked of them."""

from __future__ import annotations

from itertools import product

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)
from twisted.internet.defer import maybeDeferred, succeed

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.message import (
    FIRST_POSITION,
    MOST_RECIPIENTS,
    PLACES,
    NewMessage,
    Parcel,
    Recipient,
)
from multisendcon_plugin.mail.selection import Selection
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.outcome.usage import Usage, UsageClock
from tests.contracts.stores import HastySqliteStore, MemoryStore

ACCOUNTS = ("A", "B", "C")
DESTINATIONS = ("", "x.example")
LANES = tuple(product(ACCOUNTS, DESTINATIONS))
PARCELS = tuple(
    Parcel(account=account, recipients=(Recipient(address="a@x", reason="m"),))
    for account in ACCOUNTS
)

recipients = st.lists(
    st.builds(
        Recipient,
        address=st.sampled_from(["a@x", "b@x", "ü@x"]),
        reason=st.sampled_from("mn"),
        notify=st.sampled_from([None, Notify.NEVER, Notify.SUCCESS | Notify.DELAY]),
        original=st.sampled_from(["", "utf-8;ü@x"]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
parcels = st.lists(
    st.builds(
        Parcel,
        account=st.sampled_from(ACCOUNTS),
        recipients=recipients,
        destination=st.sampled_from(DESTINATIONS),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
envelopes = st.builds(
    Envelope,
    reverse_path=st.sampled_from(["", "s@x"]),
    recipients=st.lists(st.sampled_from(["a@x", "b@x", "ü@x"]), min_size=1).map(tuple),
    eight_bit=st.booleans(),
    utf8=st.booleans(),
    returns=st.sampled_from([None, *Return]),
    envelope_id=st.sampled_from(["", "Q+2B"]),
    author=st.sampled_from(["", "a@x"]),
    client=st.sampled_from([None, Client("::1", "ü", "", "")]),
)
contents = st.builds(
    lambda size, octet: bytes([octet]) * size,
    st.sampled_from([0, 1, 5000, 131_072, 131_073, 600_000]),
    st.integers(0, 255),
)
reports = st.lists(
    st.builds(
        NewMessage, envelope=envelopes, content=contents, header_size=st.just(0), parcels=parcels
    ),
    max_size=2,
).map(tuple)


states = st.none() | st.dictionaries(st.sampled_from("ab"), st.floats(0, 1e9) | st.text())


selections = st.builds(
    Selection,
    account=st.sampled_from([None, *ACCOUNTS]),
    destination=st.sampled_from([None, *DESTINATIONS]),
    sender=st.sampled_from([None, "", "S@x"]),
    recipient=st.sampled_from([None, "A@X", "Ü@x"]),
    held=st.sampled_from([None, True, False]),
)


times = st.sampled_from([0.0, 5.5, 1_700_000_000.25])
usages = st.builds(
    Usage,
    st.sampled_from(['["Büro", "smtp.example", 25, ""]', '["tenant"]']),
    st.integers(0, 2),
    st.none() | times,
    st.integers(0, 2),
    st.integers(0, 3),
)


class Twins(RuleBasedStateMachine):
    drafts = Bundle("drafts")

    def __init__(self):
        super().__init__()
        self.stores = (HastySqliteStore(), MemoryStore())
        for store in self.stores:
            store.open()
        self.generation = 0
        self.known = {}
        self.divided = 0

    def teardown(self):
        for store in self.stores:
            store.__exit__(None, None, None)

    def both(self, action):
        """Do the same in both stores; return what both answered, or the kind of error."""
        answers = []
        for store in self.stores:
            try:
                answers.append(store.wait(maybeDeferred(action, store)))
            except SpoolError as error:
                answers.append(type(error))
        assert answers[0] == answers[1]
        return answers[0]

    def learn(self, deliveries):
        self.known.update((delivery.number, delivery) for delivery in deliveries)

    @rule(seconds=st.sampled_from([0.0001, 1.0, 60.0]))
    def time_passes(self, seconds):
        for store in self.stores:
            store.reactor.now += seconds

    @initialize(contents=st.lists(contents, min_size=3, max_size=3))
    def fill(self, contents):
        for content in contents:
            self.store_at_once(content, Envelope(reverse_path="", recipients=("a@x",)), PARCELS)

    @rule(content=contents, envelope=envelopes, parcels=parcels)
    def store_at_once(self, content, envelope, parcels):
        self.learn(
            self.both(lambda store: store.commit_draft(store.begin(content), envelope, 0, parcels))
        )

    @rule(target=drafts)
    def begin(self):
        pair = [store.spool.draft() for store in self.stores]
        assert pair[0].number == pair[1].number
        return self.generation, pair

    @rule(draft=drafts, content=contents)
    def write(self, draft, content):
        generation, pair = draft
        if generation == self.generation:
            for store, each in zip(self.stores, pair, strict=True):
                paused = each.write(content)
                if paused is not None:
                    store.wait(paused)

    @rule(draft=consumes(drafts), envelope=envelopes, parcels=parcels)
    def commit(self, draft, envelope, parcels):
        generation, pair = draft
        if generation == self.generation:
            by_store = dict(zip(self.stores, pair, strict=True))
            self.learn(
                self.both(lambda store: store.commit_draft(by_store[store], envelope, 0, parcels))
            )

    @rule(draft=consumes(drafts))
    def discard(self, draft):
        generation, pair = draft
        if generation == self.generation:
            for each in pair:
                each.discard()

    @precondition(lambda self: self.known)
    @rule(data=st.data(), count=st.integers(1, 3))
    def settle(self, data, count):
        settlements = [self.settlement(data) for _ in range(count)]
        for made in self.both(lambda store: store.spool.settle(settlements)):
            self.learn(made)

    def settlement(self, data):
        """Return what comes of a delivery, also of one that is settled already."""
        delivery = data.draw(st.sampled_from(sorted(self.known.values(), key=lambda d: d.number)))
        remaining, parts = None, ()
        if data.draw(st.booleans()):
            kept = data.draw(st.lists(st.sampled_from(delivery.recipients), min_size=1))
            remaining = attrs.evolve(
                delivery,
                recipients=tuple(kept),
                account=data.draw(st.sampled_from(ACCOUNTS)),
                destination=data.draw(st.sampled_from(DESTINATIONS)),
                due=delivery.due + data.draw(st.sampled_from([-5.0, 0.0, 5.0])),
                attempts=delivery.attempts + 1,
                tried_at=delivery.due + 7.0,
                waited=delivery.waited + 7.5,
                tried=(delivery.account,),
                uncertain=data.draw(st.booleans()),
                warned=data.draw(st.booleans()),
                last_reply=data.draw(st.text(max_size=5)),
            )
            self.known[delivery.number] = remaining
            parts = self.parts(data, remaining)
        return Settlement(
            delivery=delivery,
            remaining=remaining,
            parts=parts,
            reports=data.draw(reports),
            account_state=data.draw(states),
        )

    def parts(self, data, remaining):
        """Return further deliveries into which one is divided."""
        parts = []
        for lane in data.draw(st.lists(st.sampled_from(LANES), max_size=2)):
            self.divided += 1
            number = remaining.message.number * PLACES + MOST_RECIPIENTS + self.divided
            account, destination = lane
            part = attrs.evolve(
                remaining, number=number, account=account, destination=destination, untold=()
            )
            self.known[number] = part
            parts.append(part)
        return tuple(parts)

    @rule(lane=st.sampled_from(LANES), seconds=st.sampled_from([-60.0, 0.0, 1.0]))
    def bring_forward(self, lane, seconds):
        latest = self.stores[0].reactor.now + seconds
        self.both(lambda store: store.spool.bring_forward(lane, latest))

    @rule(lane=st.sampled_from(LANES), limit=st.integers(0, 4), data=st.data())
    def look_at_a_lane(self, lane, limit, data):
        turns = sorted(each.position for each in self.known.values())
        since = data.draw(st.sampled_from([FIRST_POSITION, *turns]))
        self.both(lambda store: store.spool.waiting(lane, limit, since))

    @precondition(lambda self: self.known)
    @rule(data=st.data(), change=st.sampled_from(["read", "hold", "release", "retry"]))
    def change_by_hand(self, data, change):
        numbers = data.draw(st.lists(st.sampled_from(sorted(self.known)), max_size=4, unique=True))
        self.both(lambda store: getattr(store.spool, change)(numbers))

    @rule(account=st.sampled_from(ACCOUNTS), paused=st.booleans())
    def pause(self, account, paused):
        since = self.stores[0].reactor.now
        self.both(
            lambda store: (
                store.spool.pause(account, since) if paused else store.spool.resume(account)
            )
        )

    @rule(
        counted=st.lists(usages, max_size=4, unique_by=lambda each: (each.name, each.number)),
        clock=st.none() | st.builds(UsageClock, st.sampled_from(["", "boot"]), times, times),
        awaited=st.booleans(),
    )
    def count(self, counted, clock, awaited):
        self.both(lambda store: store.spool.count(counted, clock, awaited))

    @rule(selection=selections)
    def look_at_the_queue(self, selection):
        self.both(lambda store: succeed(store.find(selection)))
        self.both(lambda store: store.spool.last())

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def read(self, data):
        number = data.draw(st.sampled_from(sorted(self.known)))
        self.both(lambda store: store.read(self.known[number].message))

    @rule(how=st.sampled_from(["close", "crash"]))
    def start_again(self, how):
        self.generation += 1
        for store in self.stores:
            getattr(store, how)()
            store.reactor.now += 1
            store.open()
            assert store.spool.clean == (how == "close")
        sqlite, memory = self.stores
        stored = sqlite.value("SELECT ifnull(sum(length(data)), 0) FROM content")
        stored += sum(sqlite.files().values())
        assert stored == sum(map(len, memory.disk.contents.values()))

    @invariant()
    def the_same_is_there(self):
        for lane in LANES:
            self.both(lambda store, lane=lane: store.spool.waiting(lane, 1000))
        self.both(lambda store: store.spool.lanes())
        self.both(lambda store: store.spool.account_states())
        self.both(lambda store: store.spool.pauses())
        self.both(lambda store: store.spool.totals())
        self.both(lambda store: store.spool.usage())


Twins.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_twins = Twins.TestCase
