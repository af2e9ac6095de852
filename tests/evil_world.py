"""The real queue and the real relay, in memory, on one clock, with evil providers."""

from __future__ import annotations

import attrs

from multisendcon_plugin.logins import Logins
from multisendcon_plugin.relay import AccountSenderFactory, ConnectionBudget, Trials
from multisendcon_plugin.routing.hop import Tls
from tests.evil_network import EvilNetwork
from tests.queue_world import World, account
from tests.queues import NOW
from tests.relays import login


class EvilWorld(World):
    """A world whose accounts have evil providers, STARTTLS, and a login."""

    def __init__(self, *accounts, network, **more):
        self.budget, self.trials = ConnectionBudget(50, network), Trials()
        super().__init__(*accounts, clock=network, **more)

    def make_relay(self, of):
        return AccountSenderFactory(
            of, self.clock, self.budget, self.trials, logins=Logins(self.clock).of
        )


def network_now():
    network = EvilNetwork()
    network.advance(NOW)
    return network


def at(name, address, **more):
    settings = login(tls=Tls.STARTTLS, tls_verify=False, **more)
    return attrs.evolve(account(name, **settings), server=address)
