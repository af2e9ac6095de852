"""A long outage with much mail waiting: few probes, a careful return, each mail once."""

from __future__ import annotations

import collections
import itertools

from multisendcon_plugin.outcome.backoff import LONGEST_REST
from tests.queue_world import HOUR, World, account, closed

#: More than fit into a window of the agenda, several times over.
MAILS = 5000
CONNECTIONS = 20


def test_an_outage_of_six_hours_with_thousands_of_mails_waiting():
    world = World(account("A", max_connections=CONNECTIONS), slow=False, warn_after=0.0)
    world.servers["A"] = closed
    for number in range(MAILS):
        world.mail(f"{number}@far.example")
    world.run(6 * HOUR)
    began = world.since(world.tries)
    first = began.count(0.0)
    assert first == CONNECTIONS  # nobody knew of the outage yet
    probes = [0.0, *began[first:]]
    rests = [min(30.0 * 2**n, LONGEST_REST) for n in range(len(probes) - 1)]
    # A second passes until a probe has failed, see `World`.
    for (earlier, later), rest in zip(itertools.pairwise(probes), rests, strict=True):
        assert rest + 1 <= later - earlier <= rest * 1.1 + 1
    assert 9 <= len(probes) <= 12
    assert world.sent == []

    world.servers.clear()
    outage = len(world.tries)
    world.run(3 * HOUR)
    at_a_time = collections.Counter(world.since(world.tries[outage:]))
    assert list(at_a_time.values())[:7] == [1, 2, 4, 8, 16, CONNECTIONS, CONNECTIONS]
    assert world.relays["A"].most == CONNECTIONS
    arrived = collections.Counter(each.recipients for each in world.sent)
    assert arrived == {(f"{number}@far.example",): 1 for number in range(MAILS)}
    assert world.waiting == []
