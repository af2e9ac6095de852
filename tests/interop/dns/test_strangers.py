"""What servers say of mail, or of our address: greylisting, and an address on a blocklist."""

from __future__ import annotations

import contextlib

import pytest

from tests.interop.dns.block import needs_ports
from tests.interop.dns.name_servers import NEEDED
from tests.interop.dns.world import REPORTS, World
from tests.web.live import Control

pytestmark = [NEEDED, needs_ports()]

#: Domains with a server each, of which each is in a network of its own.
DOMAINS = 6


def fill(plan):
    for n in range(DOMAINS):
        plan.host(f"mx.d{n}.test", at=[f"127.{10 + n}.{plan.block.number}.1"])
        plan.domain(f"d{n}.test", "mx")


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, fill) as world:
        yield world


def answer(world, number, reply=None):
    world.hosts.answer(f"mx.d{number}.test", "rcpt", reply)


def state(world):
    """Return the state of the account, and why."""
    with contextlib.closing(Control(world.relay.spool)) as control:
        status, account = control.json("GET", "accounts/Direct")
    assert status == 200
    return account["state"], account["fault"] or ""


def arrives(world, recipient):
    """Have the mail to a recipient be tried until it has arrived."""

    def is_there():
        if world.waiting(recipient):
            world.retry(recipient)
        return world.hosts.of(recipient)

    world.until(is_there, f"{recipient} has mail")
    return world.arrived(recipient)


def test_what_is_greylisted_waits_and_nothing_else_does(world):
    answer(world, 0, [451, "4.7.1", "Greylisting in action, please come back in 300 seconds"])
    world.send("a@d0.test", "a@d1.test")
    assert "greylisting" in world.deferred("a@d0.test")
    assert world.arrived("a@d1.test").host == "mx.d1.test"
    assert state(world) == ("ok", "")
    answer(world, 0)
    assert arrives(world, "a@d0.test").host == "mx.d0.test"
    assert REPORTS not in world.hosts.opened


def test_an_address_on_a_blocklist_is_a_fault_of_the_account_when_most_servers_say_so(world):
    ours = world.block[1]
    for n in range(DOMAINS):
        text = f"Service unavailable; client host [{ours}] blocked using zen.spamhaus.org"
        answer(world, n, [550, "5.7.1", text])
    # What one or two say is an affair of theirs.
    for n in range(2):
        world.send(f"a@d{n}.test", sender=f"author{n}@sales.example")
        assert "zen.spamhaus.org" in world.bounced(f"author{n}@sales.example")
    assert state(world) == ("ok", "")
    for n in range(2, DOMAINS):
        world.send(f"a@d{n}.test", sender=f"author{n}@sales.example")
    world.until(lambda: state(world)[0] == "login", "the account may not send")
    assert f"{ours} is on the blocklist zen.spamhaus.org" in state(world)[1]
    world.until(lambda: tried(world), "each has been tried that may be")
    for n in range(DOMAINS):
        answer(world, n)
    for n in range(2, DOMAINS):
        assert arrives(world, f"a@d{n}.test").host == f"mx.d{n}.test"
        assert not world.hosts.of(f"author{n}@sales.example")
    assert state(world) == ("ok", "")


def tried(world):
    """Tell whether none of the mails is under way."""
    waiting = [each for n in range(2, DOMAINS) for each in world.waiting(f"a@d{n}.test")]
    return len(waiting) == DOMAINS - 2 and all(each["state"] != "active" for each in waiting)
