"""Which mail server a mail goes to: the rules of RFC 5321 section 5.1, with real name servers."""

from __future__ import annotations

import collections

import pytest

from tests.interop.clients import Clients
from tests.interop.dns.block import needs_ports
from tests.interop.dns.mail_hosts import CLOSED
from tests.interop.dns.name_servers import NEEDED
from tests.interop.dns.world import World

pytestmark = [NEEDED, needs_ports()]

#: Mail servers of equal preference, mails to them, and the limit of chi-square for that: it is
#: beyond it in one of a million runs when each is as likely as the others (3 degrees of freedom).
EQUALS, MAILS, LIMIT = 4, 1000, 30.66


def fill(plan):
    for name in ("ordered", "half-dead", "all-dead"):
        for number in (1, 2, 3):
            plan.host(f"mx{number}.{name}.test")
        plan.domain(f"{name}.test", "mx2", "mx1", "mx3")
    for number in range(EQUALS):
        plan.host(f"mx{number}.equal.test")
    plan.domain("equal.test", more=[f"@ MX 10 mx{number}" for number in range(EQUALS)])
    # One name with several addresses, of which the first may be dead.
    plan.host("mx.addresses.test", addresses=3)
    plan.domain("addresses.test", "mx")
    # No MX, but an address.
    plan.host("only-address.test")
    plan.zone("only-address.test", f"@ A {plan.hosts['only-address.test'].addresses[0]}")
    # Aliases.
    plan.host("mx.real.test")
    plan.domain("real.test", "mx", more=["alias CNAME mx"])
    plan.zone("alias.test", "@ MX 10 mx.real.test.")
    target = plan.host("mx.xn--bcher-kva.test")
    plan.zone("xn--bcher-kva.test", "@ MX 10 mx", f"mx A {target}")
    # What is in the zone above all of them.
    plan.zone(
        "test",
        "null MX 0 .",
        "to-alias CNAME real.test.",
        "to-alias-of-host MX 10 alias.real.test.",
        "loop CNAME loop2",
        "loop2 CNAME loop",
        "no-address MX 10 nowhere",
        "nothing TXT there-is-a-name",
        # The relay itself, by its name: what is not before it is not for it.
        "backup MX 10 mx2.ordered.test.",
        "backup MX 20 relay.example.com.",
        "backup MX 30 mx.real.test.",
        "mine MX 10 relay.example.com.",
        "mine MX 20 mx.real.test.",
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("route"), fill, broken=["broken.test"]) as world:
        yield world


def test_the_preferred_server_gets_the_mail(world):
    taken = world.deliver("a@ordered.test")
    assert (taken.host, taken.helo) == ("mx2.ordered.test", "relay.example.com")
    assert taken.peer == world.block[1]


def test_the_next_one_gets_it_when_the_preferred_one_is_dead(world):
    world.hosts.be("mx2.half-dead.test", CLOSED)
    assert world.deliver("a@half-dead.test").host == "mx1.half-dead.test"


def test_the_next_one_gets_it_when_the_preferred_one_is_busy(world):
    world.hosts.answer("mx2.half-dead.test", "greeting", [421, "4.3.2", "come back later"])
    world.hosts.be("mx2.half-dead.test", None)
    assert world.deliver("b@half-dead.test").host != "mx2.half-dead.test"


def test_it_waits_when_all_are_dead_and_arrives_when_one_lives(world):
    for number in (1, 2, 3):
        world.hosts.be(f"mx{number}.all-dead.test", CLOSED)
    world.send("a@all-dead.test")
    assert world.deferred("a@all-dead.test")
    world.hosts.be("mx3.all-dead.test", None)
    world.retry("a@all-dead.test")
    assert world.arrived("a@all-dead.test", 90).host == "mx3.all-dead.test"


def test_equal_servers_get_equally_many_mails(world):
    recipients = [f"{number}@equal.test" for number in range(MAILS)]
    with Clients(world.relay, recipients) as clients:
        clients.join()
    assert clients.acknowledged == set(recipients)
    world.until(lambda: len(at_equals(world)) >= MAILS, "all mails arrive", 120)
    taken = at_equals(world)
    assert {each.recipient for each in taken} == set(recipients)
    counts = collections.Counter(each.host for each in taken)
    expected = MAILS / EQUALS
    deviations = [(counts[f"mx{n}.equal.test"] - expected) ** 2 / expected for n in range(EQUALS)]
    assert sum(deviations) < LIMIT, counts


def at_equals(world):
    return [each for each in list(world.hosts.taken) if each.recipient.endswith("@equal.test")]


def test_each_address_of_a_server_is_tried(world):
    taken = world.deliver("a@addresses.test")
    assert taken.host == "mx.addresses.test"


def test_a_domain_without_mx_is_its_own_mail_server(world):
    assert world.deliver("a@only-address.test").host == "only-address.test"


@pytest.mark.parametrize(
    ("recipient", "host"),
    [
        ("a@to-alias.test", "mx.real.test"),
        ("a@to-alias-of-host.test", "mx.real.test"),
        ("a@alias.test", "mx.real.test"),
    ],
)
def test_aliases_are_followed(world, recipient, host):
    assert world.deliver(recipient).host == host


def test_a_name_beyond_ascii_is_looked_up_by_its_a_label(world):
    # The local part is ASCII: so no server has to know SMTPUTF8.
    world.send("a@bücher.test", options=["SMTPUTF8"])
    host = "mx.xn--bcher-kva.test"
    world.until(lambda: any(each.host == host for each in world.hosts.taken), "it arrives")


def test_an_address_literal_is_where_the_mail_goes(world):
    address = world.plan.hosts["mx.real.test"].addresses[0]
    taken = world.deliver(f"a@[{address}]")
    assert (taken.host, taken.address) == ("mx.real.test", address)


@pytest.mark.parametrize(
    ("recipient", "status"),
    [
        ("a@null.test", "5.1.10"),
        ("a@nobody-has-this.test", "5.1.2"),
        ("a@mine.test", "5.4.6"),
    ],
)
def test_what_cannot_be_delivered_is_returned_at_once(world, recipient, status):
    sender = f"{status.replace('.', '-')}@sales.example"
    world.send(recipient, sender=sender)
    report = world.bounced(sender)
    assert f"Status: {status}" in report
    assert recipient in report
    assert not world.waiting(recipient)
    assert not world.hosts.of(recipient)


@pytest.mark.parametrize("recipient", ["a@broken.test", "a@loop.test"])
def test_what_the_dns_does_not_say_is_waited_for(world, recipient):
    world.send(recipient)
    assert world.deferred(recipient)


def test_only_servers_before_ours_get_the_mail(world):
    assert world.deliver("a@backup.test").host == "mx2.ordered.test"
    world.hosts.be("mx2.ordered.test", CLOSED)
    world.send("b@backup.test")
    assert world.deferred("b@backup.test")
    world.hosts.be("mx2.ordered.test", None)


def test_a_mail_to_many_domains_goes_to_each(world):
    recipients = ["x@real.test", "x@addresses.test", "x@equal.test", "y@equal.test"]
    world.send(*recipients)
    assert {world.arrived(each).host.partition(".")[2] for each in recipients} == {
        "real.test",
        "addresses.test",
        "equal.test",
    }
    # Recipients in one domain share a transaction.
    assert world.arrived("x@equal.test").session == world.arrived("y@equal.test").session
