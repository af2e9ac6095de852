"""Domains whose servers say nothing, beside others: counted in memory; `tests.endurance.direct` is
what measures them.
"""

from __future__ import annotations

from collections import Counter

import attrs
import pytest

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.dns import Mx
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.relay.connect import CONNECT_TIMEOUT
from multisendcon_plugin.testing import FakeNames, MemoryDisk, MemorySpool
from tests.relay.direct.world import MailWorld
from tests.relays import PENDING, SILENT, Server

TEXT = """
[master_relay]
hostname = "relay.example"
[dns]
allow_private = true
[[account]]
name = "Directly"
type = "direct"
max_connections = {connections}
"""
#: Mails to each domain.
ROUNDS = 2


@attrs.frozen(kw_only=True)
class Silence:
    """Domains of which some are silent, and the connections of the account."""

    server: object
    silent: int
    domains: int
    connections: int


ONE = Silence(server=PENDING, silent=1, domains=20, connections=2)
MANY = Silence(server=PENDING, silent=5, domains=50, connections=3)
NO_GREETING = attrs.evolve(MANY, server=lambda: Server(GREETING=SILENT))


class ManyDomains:
    """A relay with one account, and a mail server for each domain."""

    def __init__(self, silence):
        self.network = MailWorld()
        self.disk = MemoryDisk()
        self.names = FakeNames(clock=self.network)
        for n in range(silence.domains):
            address = f"198.51.100.{n}"
            self.names.zones[f"d{n}.example"] = {"MX": [Mx(10, f"mx.d{n}.example")]}
            self.names.zones[f"mx.d{n}.example"] = {"A": [address]}
            self.network.at[address] = silence.server if n < silence.silent else Server
        self.service = RelayService(
            parse(TEXT.format(connections=silence.connections)),
            self.network,
            spool=MemorySpool(self.network, self.disk),
            names=self.names,
            wall=self.network.seconds,
        )
        self.service.startService()

    def submit(self, recipient):
        envelope = Envelope(reverse_path="a@a.example", recipients=(recipient,))
        self.service.submit(envelope, b"Subject: x\n\nhello\n").addErrback(pytest.fail)
        self.network.flush()

    def taken(self):
        """Count the mails by the address of the server that took them."""
        return Counter(host for host, server in self.network.sessions for _ in server.taken)

    def run(self, seconds):
        for _ in range(int(seconds * 10)):
            self.network.advance(0.1)


@pytest.mark.parametrize(
    "silence", [ONE, MANY, NO_GREETING], ids=["a black hole", "black holes", "no greeting"]
)
def test_the_others_have_their_mail_before_the_silent_ones_are_given_up(silence):
    world = ManyDomains(silence)
    for number in range(ROUNDS):
        for n in range(silence.domains):
            world.submit(f"r{number}@d{n}.example")
    world.run(CONNECT_TIMEOUT - 1)
    good = range(silence.silent, silence.domains)
    assert world.taken() == dict.fromkeys((f"198.51.100.{n}" for n in good), ROUNDS)
    # That of the silent ones waits: one day they may answer.
    left = Counter(each.destination for each in world.disk.deliveries.values())
    assert left == {f"d{n}.example": ROUNDS for n in range(silence.silent)}
