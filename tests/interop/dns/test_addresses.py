"""Mail servers with several addresses, and accounts with a local address of each family or of one.

Names that are in the DNS may have other addresses than the servers of the same name: those are two,
one for each family.
"""

from __future__ import annotations

import json

import pytest

from tests.interop.dns.block import SIX, needs_ports, needs_six, six
from tests.interop.dns.mail_hosts import CLOSED
from tests.interop.dns.name_servers import NEEDED
from tests.interop.dns.world import World

pytestmark = [NEEDED, needs_ports(), needs_six()]

FOUR_HOST, SIX_HOST = "mx.four.test", "mx.six.test"
#: Of the network for documentation: no machine has it.
NOWHERE = "2001:db8::1"
#: Domains whose server has two addresses, or one of each family.
DOMAINS, BOTH = 5, ("both", "both-2", "both-3")


def fill(plan):
    four = plan.host(FOUR_HOST)
    plan.host(SIX_HOST, at=[SIX])
    # Nobody listens at this one, and its number comes first.
    dead = plan.block[3]
    plan.zone(
        "test",
        "four-only MX 10 mx.four-only",
        f"mx.four-only A {four}",
        "six-only MX 10 mx.six-only",
        f"mx.six-only AAAA {SIX}",
        *(f"{name} MX 10 mx.{name}" for name in BOTH),
        *(f"mx.{name} A {four}" for name in BOTH),
        *(f"mx.{name} AAAA {SIX}" for name in BOTH),
        *(
            line
            for n in range(DOMAINS)
            for line in (
                f"half{n} MX 10 mx.half{n}",
                f"mx.half{n} A {dead}",
                f"mx.half{n} A {four}",
            )
        ),
    )


@pytest.fixture(scope="module")
def anywhere(tmp_path_factory):
    with six(), World(tmp_path_factory.mktemp("addresses"), fill) as world:
        yield world


@pytest.fixture
def world(anywhere):
    yield anywhere
    anywhere.hosts.be(SIX_HOST, None)


def come_from(world, *local):
    """Have the account send from these addresses."""
    world.reload(world.direct(local_address=json.dumps(local)))


def attempts(world, recipient):
    """Return how often a mail was tried."""
    return sum(each["event"] == "attempt" for each in world.story(recipient)["events"])


def test_the_second_address_of_a_server_gets_the_mail_at_once_when_the_first_is_dead(world):
    come_from(world, world.block[1])
    for n in range(DOMAINS):
        assert world.deliver(f"a@half{n}.test").host == FOUR_HOST
        world.until(lambda n=n: attempts(world, f"a@half{n}.test"), "it is told")
        assert attempts(world, f"a@half{n}.test") == 1


def test_each_family_is_reached_from_the_address_of_its_own(world):
    come_from(world, world.block[1], SIX)
    for domain, host, peer in (
        ("six-only.test", SIX_HOST, SIX),
        ("four-only.test", FOUR_HOST, world.block[1]),
        ("both.test", SIX_HOST, SIX),
    ):
        taken = world.deliver(f"pair@{domain}")
        assert (taken.host, taken.peer) == (host, peer)


def test_the_other_family_gets_the_mail_when_the_first_leads_nowhere(world):
    come_from(world, world.block[1], SIX)
    world.hosts.be(SIX_HOST, CLOSED)
    taken = world.deliver("a@both-2.test")
    assert (taken.host, taken.peer) == (FOUR_HOST, world.block[1])


def test_so_it_does_when_the_local_address_of_the_first_is_not_there(world):
    come_from(world, world.block[1], NOWHERE)
    taken = world.deliver("a@both-3.test")
    assert (taken.host, taken.peer) == (FOUR_HOST, world.block[1])
    opened = world.hosts.opened.count(SIX_HOST)
    world.send("a@six-only.test")
    assert "it is not an address of this machine" in world.deferred("a@six-only.test")
    assert world.hosts.opened.count(SIX_HOST) == opened
    # Whoever has an address of the other family has nothing to do with it.
    assert world.deliver("b@four-only.test").host == FOUR_HOST


@pytest.mark.parametrize("version", [4, 6])
def test_a_family_without_a_local_address_is_left_out(world, version):
    own, host, other, only = (
        (SIX, SIX_HOST, FOUR_HOST, "four-only.test")
        if version == 4
        else (world.block[1], FOUR_HOST, SIX_HOST, "six-only.test")
    )
    come_from(world, own)
    opened = world.hosts.opened.count(other)
    assert world.deliver(f"no-{version}@both.test").host == host
    sender = f"no-{version}@sales.example"
    world.send(f"no-{version}@{only}", sender=sender)
    report = world.bounced(sender)
    needed = 10 - version
    assert f"an IPv{needed} address, which local_address needs" in " ".join(report.split())
    assert "Status: 5.4.4" in report
    assert world.hosts.opened.count(other) == opened
