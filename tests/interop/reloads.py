"""Other configurations for a relay that is busy, and what its provider has seen of that."""

from __future__ import annotations

import collections
import itertools
import signal
import smtplib

import attrs

from tests.interop.clients import Clients
from tests.interop.programs import free_port, until
from tests.interop.relay import account

#: Seconds between two mails of the login of that name.
WAIT = 0.05
LOGINS = {"one": "p-one", "two": "p-two", "three": "p-three"}
RELOADED = "the configuration was reloaded"


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
    begun, times = {}, []
    for each in provider.events:
        if each.what == "mail":
            begun[each.session] = each.at
        elif each.what == "taken" and each.username == login:
            times.append((begun[each.session], each.at))
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


def greets(relay, port):
    try:
        smtplib.SMTP(relay.address, port, timeout=10).close()
    except OSError:
        return False
    return True


@attrs.frozen
class Reloads:
    """What came of reloads under load.

    :param taken: by recipient, how often the provider has taken the mail.
    :param pauses: seconds between the mails of the login with a wait.
    """

    clients: Clients
    taken: collections.Counter
    pauses: list

    def violations(self):
        """Yield what the relay has not kept of its promises."""
        if self.clients.refused or self.clients.doubtful:
            yield f"{self.clients.refused} connections refused, {self.clients.doubtful} broken off"
        if lost := self.clients.acknowledged - self.taken.keys():
            yield f"{len(lost)} mails lost: {sorted(lost)[:10]}"
        if twice := [each for each, times in self.taken.items() if times > 1]:
            yield f"{len(twice)} mails sent twice: {sorted(twice)[:10]}"
        if min(self.pauses) < WAIT - 0.001:
            yield f"a pause of {min(self.pauses):.3f} s, not {WAIT}"


def reloads(relay, provider, chance, times):
    """Reload so often under load; end when all mail has arrived."""
    more = [free_port(relay.address) for _ in range(3)]
    with Clients(relay, sessions=8, sender_of=lambda _: next(SENDERS)) as clients:
        for n in range(times):
            clients.wait_for(40 * n)
            ports = chance.sample(more, chance.choice([0, 1, 2]))
            listen = [f"tcp:port={port}:interface={relay.address}" for port in ports]
            accounts = any_configuration(chance, provider)
            relay.configure(accounts, listen=listen)
            reload(relay)
            if "minimum_wait" in accounts:
                # With another configuration at each moment, it would hardly send anything.
                sent = len(times_of(provider, "one"))
                until(lambda sent=sent: len(times_of(provider, "one")) > sent, "its mail leaves")
            if ports:
                until(lambda port=ports[0]: greets(relay, port), "the new port greets")
    relay.configure(way(provider, "Last", "three"))
    reload(relay)
    until(lambda: relay.waiting() == 0, "all has left", timeout=300)
    seen = times_of(provider, "one")
    pauses = [after - ended for (_, ended), (after, _) in itertools.pairwise(seen)]
    return Reloads(clients, taken(provider), pauses)
