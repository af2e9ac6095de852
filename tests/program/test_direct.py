"""The relay as a whole, with an account that delivers by the DNS, in memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.daemon import descriptors
from multisendcon_plugin.dns import Mx
from multisendcon_plugin.dns.resolver import MOST_UNDER_WAY
from multisendcon_plugin.events import AttemptEnded, TlsPolicyApplied
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.testing import FakeNames
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.relays import Network, Server

TEXT = """
[master_relay]
hostname = "relay.example"
[dns]
allow_private = {private}
[[account]]
name = "Directly"
type = "direct"
"""
ZONES = {
    "b.example": {"MX": [Mx(10, "mx.b.example")]},
    "mx.b.example": {"A": ["192.0.2.1"]},
    "c.example": {"MX": [Mx(10, "relay.example")]},
}


class DirectWorld:
    """A relay with one account, the DNS, and one server for each connection."""

    def __init__(self, *servers, private="true"):
        self.network = Network(*servers)
        self.names = FakeNames(zones=dict(ZONES), clock=self.network)
        self.spool = MemorySpool(self.network)
        self.service = RelayService(
            parse(TEXT.format(private=private)),
            self.network,
            spool=self.spool,
            names=self.names,
            wall=self.network.seconds,
        )
        self.attempts, self.sessions = [], []
        self.service.events.subscribe(AttemptEnded, self.attempts.append)
        self.service.events.subscribe(TlsPolicyApplied, self.sessions.append)
        self.service.startService()

    def submit(self, recipient):
        envelope = Envelope(reverse_path="a@a.example", recipients=(recipient,))
        self.service.submit(envelope, b"Subject: x\n\nhello\n").addErrback(pytest.fail)
        self.network.flush()

    def replies(self):
        return [str(each.reply) for event in self.attempts for each in event.attempt.outcomes]


def test_mail_goes_to_the_server_that_the_dns_names():
    server = Server()
    world = DirectWorld(server)
    world.submit("r@b.example")
    assert len(server.taken) == 1
    assert [each[:2] for each in world.network.tcpClients] == [("192.0.2.1", 25)]
    (session,) = world.sessions
    assert (session.account, session.policy, session.server) == (
        "Directly",
        "opportunistic",
        "mx.b.example",
    )


def test_the_relay_does_not_send_to_itself():
    world = DirectWorld()
    world.submit("r@c.example")
    assert "5.4.6" in world.replies()[0]
    assert world.network.tcpClients == []


def test_private_addresses_are_left_alone_until_a_reload_allows_them():
    server = Server()
    world = DirectWorld(server, private="false")
    world.names.zones["mx.b.example"] = {"A": ["10.0.0.1"]}
    world.submit("r@b.example")
    assert "5.4.4" in world.replies()[0]
    world.service._direct.reconfigure(parse(TEXT.format(private="true")))
    world.submit("r@b.example")
    assert len(server.taken) == 1


def test_a_relay_stops_while_the_dns_does_not_answer():
    world = DirectWorld()
    world.names.held = True
    world.submit("r@b.example")
    stopped = []
    world.service.stopService().addBoth(stopped.append)
    for _ in range(60):
        world.network.advance(1)
    assert stopped


def test_sockets_for_the_dns_are_counted_with_a_direct_account_alone():
    smtp = TEXT.replace('type = "direct"', 'server = "a.example"').format(private="true")
    alone = descriptors.needed(parse(smtp))
    assert descriptors.needed(parse(TEXT.format(private="true"))) == alone + MOST_UNDER_WAY


@pytest.mark.parametrize(("kind", "loaded"), [('server = "a.example"', False), ("", True)])
def test_what_direct_accounts_need_is_loaded_for_them_alone(kind, loaded):
    text = TEXT.format(private="true")
    if kind:
        text = text.replace('type = "direct"', kind)
    code = f"""
import sys
from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.testing.memory_spool import MemorySpool
from multisendcon_plugin.daemon.descriptors import needed
from twisted.internet.testing import MemoryReactorClock
reactor = MemoryReactorClock()
configuration = parse('''{text}''')
service = RelayService(configuration, reactor, spool=MemorySpool(reactor))
needed(configuration)
service.startService()
print("dns" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(loaded)
