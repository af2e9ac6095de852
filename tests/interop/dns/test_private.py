"""No domain of a stranger leads mail into this house, unless that is allowed."""

from __future__ import annotations

import pytest

from tests.interop.dns.block import needs_ports
from tests.interop.dns.name_servers import NEEDED
from tests.interop.dns.world import REPORTS, World

pytestmark = [NEEDED, needs_ports()]

HOST = "mx.inside.test"


def fill(plan):
    inside = plan.host(HOST)
    plan.domain("inside.test", "mx")
    plan.zone(
        "test",
        f"own-address A {inside}",
        "six MX 10 mx.six",
        "mx.six AAAA ::1",
        # What stands for this machine, or for an address of IPv4.
        "nowhere MX 10 mx.nowhere",
        "mx.nowhere A 0.0.0.0",
        "mapped MX 10 mx.mapped",
        f"mx.mapped AAAA ::ffff:{inside}",
        "several MX 10 mx.several",
        f"several MX 20 {HOST}.",
        "mx.several A 10.0.0.1",
        "mx.several A 192.168.0.1",
        "mx.several A 169.254.0.1",
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    settings = {"local_address": None}  # any, of both families
    folder = tmp_path_factory.mktemp("private")
    with World(folder, fill, private=False, settings=settings) as world:
        yield world


def returned(world, recipient, name):
    """Send a mail, and return the report that it cannot be delivered."""
    sender = f"{name}@sales.example"
    world.send(recipient, sender=sender)
    report = " ".join(world.bounced(sender).split())
    assert "Status: 5.4.4" in report
    assert "no addresses that mail may be sent to" in report
    assert "allow_private" in report
    return report


@pytest.mark.parametrize(
    "domain", ["inside", "own-address", "six", "nowhere", "mapped", "several", "literal"]
)
def test_mail_to_a_private_address_is_returned_and_nobody_is_connected(world, domain):
    address = world.plan.hosts[HOST].addresses[0]
    literal = domain == "literal"
    returned(world, f"a@[{address}]" if literal else f"a@{domain}.test", domain)
    assert set(world.hosts.opened) == {REPORTS}


def test_a_reload_allows_it_and_forbids_it_again(world):
    world.reload(private=True)
    assert world.deliver("b@inside.test").host == HOST
    opened = world.hosts.opened.count(HOST)
    world.reload(private=False)
    # Also while there is still a session.
    returned(world, "c@inside.test", "again")
    assert world.hosts.opened.count(HOST) == opened
    assert not world.hosts.of("c@inside.test")
