"""Direct accounts get other settings while they have mail: nothing is lost, nothing is doubled."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.settings.destinations import Destinations, DestinationSettings
from tests.queue_world import (
    SENDER,
    World,
    account,
    closed,
    direct,
    greylisting,
    unreachable,
)


def test_mail_that_begins_while_the_settings_change_counts_for_one_account_alone():
    world = World(direct("A", max_connections=1), seconds=3.0)
    for n in range(5):
        world.mail(f"x@d{n}.example")
    world.run(1)
    # Another login: what is under way counts for the one before.
    there = ("192.0.2.1",)
    world.reload(direct("A", max_connections=1, local_address=there))
    world.run(30)
    assert [each.relay.account.local_address for each in world.tries] == [*[()] * 4, there]
    for n in range(9):
        world.mail(f"x@e{n}.example")
    world.run(1)
    assert world.relays["A"].connections == 4


def test_an_account_that_is_paused_stays_so_whatever_is_reloaded():
    world = World(direct("A"))
    world.queue.control.pause("A")
    world.mail("x@one.example")
    world.reload(direct("A", max_connections=3, helo_domain="out.example"))
    world.run(100)
    assert world.tries == []
    world.queue.control.resume("A")
    world.run(10)
    assert len(world.sent) == 1


NAMES = ("A", "B", "C")
DOMAINS = ("one.example", "two.example", "three.example", "four.example")


@st.composite
def accounts(draw):
    """Return accounts of both types; the last one takes all mail."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 3))]
    return [
        draw(st.sampled_from([account, direct, direct]))(
            name,
            max_connections=draw(st.sampled_from([1, 2, 10])),
            minimum_wait=draw(st.sampled_from([0.0, 0.0, 5.0])),
            enabled=draw(st.integers(0, 4)) > 0,
            helo_domain=draw(st.sampled_from(["", "out.example"])),
            local_address=draw(st.sampled_from([(), ("192.0.2.1",), ("192.0.2.2",)])),
            recipients=draw(st.sampled_from(["*", "*@one.example *@two.example"])),
        )
        for name in names
    ]


DESTINATIONS = st.lists(
    st.builds(
        DestinationSettings,
        domains=st.sampled_from([("one.example",), ("*.example",)]),
        max_connections=st.sampled_from([None, 1, 4]),
        minimum_wait=st.sampled_from([0.0, 7.0]),
    ),
    max_size=2,
)
RECIPIENTS = st.lists(st.sampled_from(DOMAINS), min_size=1, max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reload"), accounts(), DESTINATIONS),
        st.tuples(st.just("mail"), RECIPIENTS),
        st.tuples(st.just("mail"), RECIPIENTS),
        st.tuples(st.sampled_from(["restart", "crash"])),
        st.tuples(st.just("run"), st.floats(0.0, 40.0)),
    ),
    max_size=14,
)


class Moody(World):
    """Ends attempts in different ways."""

    def __init__(self, *accounts):
        self.served = 0
        super().__init__(*accounts, seconds=3.0, retry=(20.0,))

    def serve(self, now):
        if now not in now.relay.under_way:
            return
        self.served += 1
        match self.served % 9:
            case 0:
                now.end(Verdict.DEFERRED)
            case 1:
                closed(now)
            case 3:
                unreachable(now)
            case 5:
                greylisting(now)
            case _:
                self.deliver(now)

    def take(self, number, domains):
        """Hand in a mail to a recipient in each domain; return the recipients."""
        recipients = tuple(f"{number}-{n}@{domain}" for n, domain in enumerate(domains))
        routes = [self.registry.route(SENDER, each) for each in recipients]
        # What no account takes is refused at the door.
        left = tuple(each for each, route in zip(recipients, routes, strict=True) if route)
        if left:
            self.mail(*left)
            self.run(0.05)
        return left


@given(accounts(), STEPS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_reloaded_each_recipient_is_reached_once(first, steps):
    world = Moody(*first)
    expected, crashed = [], False
    for number, (what, *about) in enumerate(steps):
        match what:
            case "reload":
                world.destinations = Destinations(about[1])
                world.reload(*about[0])
            case "mail":
                expected += world.take(number, *about)
            case "run":
                world.run(*about)
            case "restart":
                assert world.stop()
                world.start()
            case "crash":
                crashed = True
                world.crash()
                world.start()
    world.destinations = Destinations()
    last = direct("Z")
    world.reload(last)
    world.run(100_000)
    got = [each for sent in world.sent for each in sent.recipients]
    if crashed:
        assert set(got) == set(expected)
    else:
        assert sorted(got) == sorted(expected)
    assert world.waiting == []
