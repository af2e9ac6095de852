"""A relay as its users run it gets other configurations while it is busy."""

from __future__ import annotations

import collections
import itertools
import random
import signal
import smtplib

import pytest

from tests.interop.clients import Clients
from tests.interop.programs import free_port, until
from tests.interop.relay import Relay, account
from tests.interop.watched import WatchedProvider

#: Seconds between two mails of the login of that name.
WAIT = 0.05
LOGINS = {"one": "p-one", "two": "p-two", "three": "p-three"}
RELOADED = "the configuration was reloaded"


@pytest.fixture
def provider(tmp_path):
    with WatchedProvider(tmp_path, "127.0.3.1", users=LOGINS) as provider:
        yield provider


def way(provider, name, login, **settings):
    """Return an account that logs in, as TOML."""
    keys = {"username": f'"{login}"', "password": f'"{LOGINS[login]}"', "tls": '"none"'}
    return account(name, provider.address, provider.port, **{**keys, **settings})


def hang_up(relay):
    relay.process.send_signal(signal.SIGHUP)


def reload(relay):
    """Have the file read, and wait until it has been."""
    before = relay.log.read_text().count(RELOADED)
    hang_up(relay)
    until(lambda: relay.log.read_text().count(RELOADED) > before, "it is reloaded", timeout=30)


def taken(provider):
    """Count the mails that the provider has taken, by recipient."""
    return collections.Counter(each.about for each in provider.events if each.what == "taken")


def times_of(provider, login):
    """Return when MAIL and the end of each mail of a login were."""
    logins = {each.session: each.about for each in provider.events if each.what == "login"}
    begun, times = {}, []
    for each in provider.events:
        if logins.get(each.session) != login:
            continue
        if each.what == "mail":
            begun[each.session] = each.at
        elif each.what == "taken":
            times.append((begun.pop(each.session), each.at))
    return sorted(times)


def any_configuration(chance, provider):
    """Return accounts in any order and with any names; one of them takes all mail."""
    names = chance.sample(["Sales", "Support", "Shop", "Rest"], 3)
    wrong = chance.random() < 0.2
    accounts = [
        way(provider, names[0], "one", minimum_wait=WAIT, senders='["*@slow.example"]'),
        way(
            provider,
            names[1],
            "two",
            max_connections=chance.choice([1, 2, 5]),
            senders='["*@sales.example"]',
            **({"password": '"wrong"'} if wrong else {}),
        ),
    ]
    accounts = chance.sample(accounts, chance.choice([1, 2, 2, 2]))
    rest = way(provider, names[2], "three", max_connections=chance.choice([2, 4]))
    return "".join([*accounts, rest])


SENDERS = itertools.cycle(["a@sales.example", "b@rest.example", "c@rest.example", "d@slow.example"])


def test_fifty_reloads_under_load_lose_and_double_nothing_and_keep_the_wait(
    tmp_path, start, provider
):
    chance = random.Random(18)
    relay = Relay(tmp_path, any_configuration(chance, provider))
    start(relay)
    more = [free_port(relay.address) for _ in range(3)]
    with Clients(relay, sessions=8, sender_of=lambda _: next(SENDERS)) as clients:
        for n in range(50):
            clients.wait_for(40 * n)
            ports = chance.sample(more, chance.choice([0, 1, 2]))
            listen = [f"tcp:port={port}:interface={relay.address}" for port in ports]
            relay.configure(any_configuration(chance, provider), listen=listen)
            reload(relay)
            if ports:
                until(lambda port=ports[0]: greets(relay, port), "the new port greets")
    assert clients.refused == 0
    assert clients.doubtful == set()
    relay.configure(way(provider, "Last", "three"))
    reload(relay)
    until(lambda: relay.waiting() == 0, "all has left")
    assert taken(provider) == dict.fromkeys(clients.acknowledged, 1)
    times = times_of(provider, "one")
    assert len(times) > 20
    assert all(
        after - ended >= WAIT - 0.001 for (_, ended), (after, _) in itertools.pairwise(times)
    )


def greets(relay, port):
    try:
        smtplib.SMTP(relay.address, port, timeout=10).close()
    except OSError:
        return False
    return True


def test_a_faulty_file_changes_nothing_and_the_log_has_all_faults(tmp_path, start, provider):
    relay = start(Relay(tmp_path, way(provider, "All", "three")))
    relay.configure("[nonsense]\n[[account]]\nname = 'A'\nserver = 'a b'\n")
    hang_up(relay)
    until(lambda: relay.log.read_text().count("the configuration was not reloaded") == 2, "it says")
    with Clients(relay, ["r@customer.example"], sessions=1) as clients:
        clients.join()
    until(lambda: taken(provider) == {"r@customer.example": 1}, "the mail arrives")


def test_killed_in_the_middle_of_a_reload_it_loses_nothing(tmp_path, start, provider):
    chance = random.Random(4)
    relay = Relay(tmp_path, any_configuration(chance, provider))
    start(relay)
    acknowledged = set()
    for n in range(6):
        numbers = itertools.count()
        recipients = (f"{n}-{number}@customer.example" for number in numbers)
        with Clients(relay, recipients, sessions=8, sender_of=lambda _: next(SENDERS)) as clients:
            clients.wait_for(60)
            relay.configure(any_configuration(chance, provider))
            hang_up(relay)
            clients.wait_for(60 + 10 * n)
            relay.kill()
        acknowledged |= clients.acknowledged
        until(lambda: not greets(relay, relay.port), "the front process goes")
        relay.start()
    relay.configure(way(provider, "Last", "three"))
    reload(relay)
    until(lambda: relay.waiting() == 0, "all has left")
    got = taken(provider)
    assert acknowledged <= got.keys()
    # At a crash, what was under way may be sent again.
    assert sum(got[each] - 1 for each in acknowledged) <= 6 * 12
