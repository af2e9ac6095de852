"""A direct account gets other settings while it has mail: nothing is lost, nothing is doubled."""

from __future__ import annotations

import collections
import itertools
import json
import random

import pytest

from tests.interop.clients import Clients
from tests.interop.dns.block import SMTP, needs_ports
from tests.interop.dns.name_servers import NEEDED
from tests.interop.dns.world import World
from tests.interop.relay import account

pytestmark = [NEEDED, needs_ports()]

HOSTS, DOMAINS = 3, 12
#: Seconds between two mails, where there is a wait.
WAIT = 0.2
#: Takes mail of whoever connects to it.
OTHER, BUSY = "mx.other.test", "mx.busy.test"


def fill(plan):
    for n in range(HOSTS):
        plan.host(f"mx{n}.many.test")
    plan.domain("many.test", more=[f"@ MX 10 mx{n}" for n in range(HOSTS)])
    plan.host(OTHER)
    # A server that defers mail at times.
    plan.host(BUSY)
    names = [f"d{n} MX 10 mx{n % HOSTS}.many.test." for n in range(DOMAINS)]
    waiting = [f"waits{n} MX 10 {BUSY}." for n in range(6)]
    plan.domain("busy.test", "mx")
    plan.zone("test", *names, *waiting)


@pytest.fixture(scope="module")
def anything(tmp_path_factory):
    with World(tmp_path_factory.mktemp("reload"), fill) as world:
        yield world


@pytest.fixture
def world(anything):
    anything.reload()
    return anything


def to_other(world, **settings):
    """Return an account with a server of its own."""
    (address,) = world.plan.hosts[OTHER].addresses
    return account("Other", address, SMTP, tls='"none"', **settings)


def waits(world, recipient):
    """Have a mail wait for its server."""
    world.hosts.answer(BUSY, "rcpt", [451, "4.3.2", "come back later"])
    world.send(recipient)
    world.deferred(recipient)


def arrives(world, recipient):
    """Return a mail that has waited, when it is there."""
    world.hosts.answer(BUSY, "rcpt")

    def is_there():
        if world.waiting(recipient):
            world.retry(recipient)
        return world.hosts.of(recipient)

    world.until(is_there, f"{recipient} has mail")
    return world.arrived(recipient)


def is_at(world, recipient, *place):
    """Wait until a mail waits at an account and a destination: it moves after the reload."""

    def there():
        return [(each["account"], each["destination"]) for each in world.waiting(recipient)]

    world.until(lambda: there() == [place], f"the mail to {recipient} is at {place}")


def any_configuration(world, chance):
    """Return accounts and more tables: any, but so that all mail leaves."""
    settings = {
        "max_connections": chance.choice([1, 5, 40]),
        "minimum_wait": chance.choice([0, 0, 0.005]),
        "helo_domain": json.dumps(f"out{chance.randrange(3)}.example.com"),
        "local_address": json.dumps(world.block[chance.choice([1, 4, 5])]),
        "tls": chance.choice(['"auto"', '"none"']),
        "max_mails_per_connection": chance.choice([1, 100]),
    }
    direct = world.direct(chance.choice(["Direct", "Direct", "Renamed"]), **settings)
    accounts = chance.choice(
        [
            direct,
            direct,
            # Of another type, by the same name.
            to_other(world).replace("Other", "Direct"),
            direct + to_other(world, enabled="false"),
            to_other(world, recipients='["*@d1.test", "*@d2.test"]') + direct,
            world.direct("Direct", enabled="false") + to_other(world),
        ]
    )
    destination = '[[destination]]\ndomains = ["d1.test", "*.test"]\n'
    values = chance.choice(["", "max_connections = 1", "minimum_wait = 0.01", None])
    return accounts, "" if values is None else f"{destination}{values}\n"


def test_reloads_under_load_lose_and_double_nothing(world):
    chance = random.Random(20)
    recipients = (f"load{n}@d{n % DOMAINS}.test" for n in itertools.count())
    with Clients(world.relay, recipients, sessions=8) as clients:
        for n in range(25):
            clients.wait_for(30 * n)
            accounts, more = any_configuration(world, chance)
            world.reload(accounts, more=more)
    world.reload()
    world.until(lambda: world.relay.waiting() == 0, "all has left", 120)
    taken = collections.Counter(
        each.recipient for each in world.hosts.taken if each.recipient.startswith("load")
    )
    assert not clients.refused
    assert not clients.doubtful
    assert taken.keys() == clients.acknowledged
    assert set(taken.values()) == {1}
    # To be cut off by a reload is no fault of an account.
    assert "cannot be used" not in world.relay.log.read_text()
    hosts = {each.host for each in world.hosts.taken}
    assert hosts >= {OTHER, *(f"mx{n}.many.test" for n in range(HOSTS))}


def test_other_addresses_and_names_hold_from_the_next_mail_on(world):
    world.deliver("first@d0.test")
    other = json.dumps(world.block[4])
    for n, settings in enumerate(({"local_address": other}, {"helo_domain": '"b.example.com"'})):
        world.reload(world.direct(**settings))
        taken = world.deliver(f"other{n}@d0.test")
        assert (taken.peer, taken.helo) == (
            (world.block[4], "relay.example.com") if n == 0 else (world.block[1], "b.example.com")
        )


def pauses(world, recipients):
    """Send these mails, and return the seconds between them as they arrived."""
    for each in recipients:
        world.send(each)
    times = sorted(world.arrived(each).at for each in recipients)
    return [after - before for before, after in itertools.pairwise(times)]


def test_a_minimum_wait_of_the_account_holds_for_all_destinations_and_over_reloads(world):
    world.reload(world.direct(minimum_wait=WAIT))
    assert min(pauses(world, [f"wait{n}@d{n}.test" for n in range(4)])) >= WAIT
    # By another name it is the same one.
    world.deliver("wait4@d0.test")
    world.reload(world.direct("Renamed", minimum_wait=WAIT))
    world.deliver("wait5@d1.test")
    before, after = (world.arrived(f"wait{n}@d{n - 4}.test").at for n in (4, 5))
    assert after - before >= WAIT


def test_what_is_written_of_a_destination_holds_for_that_from_the_next_mail_on(world):
    table = '[[destination]]\ndomains = ["d1.test"]\n'
    world.reload(more=f"{table}minimum_wait = {WAIT}\n")
    assert min(pauses(world, [f"own{n}@d1.test" for n in range(4)])) >= WAIT
    world.reload(more=f"{table}max_mails_per_connection = 1\n")
    assert len({world.deliver(f"one{n}@d1.test").session for n in range(3)}) == 3
    world.reload()
    assert len({world.deliver(f"many{n}@d1.test").session for n in range(3)}) == 1


def test_waiting_mail_goes_on_under_another_name(world):
    waits(world, "renamed@waits0.test")
    world.reload(world.direct("Renamed"))
    is_at(world, "renamed@waits0.test", "Renamed", "waits0.test")
    assert arrives(world, "renamed@waits0.test").host == BUSY


@pytest.mark.parametrize("how", ["disabled", "removed"])
def test_mail_of_an_account_that_is_gone_takes_another_or_waits(world, how):
    gone = world.direct(enabled="false") if how == "disabled" else ""
    waits(world, f"{how}@waits1.test")
    # Nobody else takes it.
    world.reload(gone + to_other(world, recipients='"*@nobody.test"'))
    (waiting,) = world.waiting(f"{how}@waits1.test")
    assert waiting["account"] == "Direct"
    world.reload(gone + to_other(world))
    assert world.arrived(f"{how}@waits1.test").host == OTHER


def test_mail_of_an_account_that_comes_back_waits_for_it(world):
    waits(world, "back@waits2.test")
    nobody = to_other(world, recipients='"*@nobody.test"')
    world.reload(nobody)
    world.restart()
    world.reload(world.direct() + nobody)
    assert arrives(world, "back@waits2.test").host == BUSY


def test_mail_goes_on_when_its_account_is_of_another_type_and_back(world):
    waits(world, "type@waits3.test")
    world.send("one@waits4.test", "two@waits5.test")
    for each in ("one@waits4.test", "two@waits5.test"):
        world.deferred(each)
    nowhere = account("Direct", world.block[3], SMTP, tls='"none"')  # nobody listens there
    world.reload(nowhere)
    is_at(world, "type@waits3.test", "Direct", "")
    world.reload()
    is_at(world, "type@waits3.test", "Direct", "waits3.test")
    world.reload(to_other(world).replace("Other", "Direct"))
    for each in ("type@waits3.test", "one@waits4.test", "two@waits5.test"):
        assert arrives(world, each).host == OTHER
