"""A relay as its users run it gets other configurations while it is busy."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.interop.clients import Clients
from tests.interop.programs import until
from tests.interop.relay import Relay
from tests.interop.reloads import (
    LOGINS,
    SENDERS,
    any_configuration,
    greets,
    hang_up,
    reload,
    reloads,
    taken,
    way,
)
from tests.interop.watched import WatchedProvider


@pytest.fixture
def provider(tmp_path):
    with WatchedProvider(tmp_path, "127.0.3.1", users=LOGINS) as provider:
        yield provider


def test_fifty_reloads_under_load_lose_and_double_nothing_and_keep_the_wait(
    tmp_path, start, provider
):
    chance = random.Random(18)
    relay = start(Relay(tmp_path, any_configuration(chance, provider)))
    result = reloads(relay, provider, chance, 50)
    assert list(result.violations()) == []
    assert len(result.pauses) > 20


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
