"""Policies of MTA-STS outlive the relay, and nothing of them is needed for that but its spool."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from multisendcon_plugin.policy.store import FILE
from tests.interop.dns.block import needs_ports
from tests.interop.dns.name_servers import NEEDED
from tests.interop.dns.policy_hosts import policy
from tests.interop.dns.world import World
from tests.interop.dns.zones import Zone

pytestmark = [NEEDED, needs_ports()]

#: Their servers have certificates that nobody trusts: while a policy holds, no mail is sent there.
DOMAINS = ("first.test", "second.test")


def fill(plan):
    for name in DOMAINS:
        plan.host(f"mx.{name}", plan.distrusted(f"mx.{name}"))
        plan.domain(name, "mx", more=plan.policy(name, policy("enforce", f"mx.{name}")), ttl=1)


@pytest.fixture
def world(tmp_path):
    with World(tmp_path, fill) as world:
        yield world


def is_enforced(world, domain, name):
    """Send a mail, and tell whether it has to wait for a certificate."""
    recipient = f"{name}@{domain}"
    world.send(recipient)
    world.retry(recipient)  # its destination may rest
    return "certificate" in world.deferred(recipient)


def are_kept(world):
    """Return the domains whose policies are in the spool."""
    file = f"file:{world.relay.spool / FILE}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(file, uri=True)) as database:
            return {domain for (domain,) in database.execute("SELECT domain FROM policy")}
    except sqlite3.OperationalError:
        return set()  # it is not there yet


def announce(world, domain, version):
    """Have the record of a domain say that there is a newer policy."""
    zone = world.plan.zones[domain]
    records = [each.replace("id=1", f"id={version}") for each in zone.records]
    world.names.knot.change(Zone(zone.name, records, ttl=1))


@pytest.mark.parametrize("killed", [False, True])
def test_a_policy_holds_after_a_restart_without_the_web_server(world, killed):
    assert is_enforced(world, "first.test", "before")
    world.until(lambda: are_kept(world) == {"first.test"}, "it is kept")
    world.web.close()
    world.restart(killed=killed)
    assert is_enforced(world, "first.test", "after")
    # Also when there is said to be a newer one.
    announce(world, "first.test", 2)

    def is_asked_for():
        world.retry("after@first.test")
        return "the policy that is known goes on to hold" in world.relay.log.read_text()

    world.until(is_asked_for, "it is asked for")
    assert is_enforced(world, "first.test", "at-last")
    assert world.web.asked == ["first.test"]


def test_a_kill_between_fetch_and_store_costs_another_fetch(world):
    assert is_enforced(world, "first.test", "before")
    world.until(lambda: are_kept(world) == {"first.test"}, "it is kept")
    with contextlib.closing(sqlite3.connect(world.relay.spool / FILE)) as database:
        # Whoever wants to write, waits.
        database.execute("BEGIN IMMEDIATE")
        assert is_enforced(world, "second.test", "before")
        world.relay.kill()
    world.start_relay()
    assert is_enforced(world, "second.test", "after")
    assert world.web.asked == ["first.test", "second.test", "second.test"]
    assert is_enforced(world, "first.test", "after")
    world.until(lambda: are_kept(world) == set(DOMAINS), "both are kept")
    world.web.close()
    world.restart()
    assert is_enforced(world, "second.test", "at-last")
    assert "begin anew" not in world.relay.log.read_text()  # nothing was wrong with the file
