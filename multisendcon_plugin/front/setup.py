"""What the front process is told when it starts: all that the edge has to know, and no more.

The accounts come without their logins.  Pure.
"""

from __future__ import annotations

import attrs

from ..configuration import Configuration
from ..routing.account import Account
from ..settings.values import ClientSettings, MasterRelay


@attrs.frozen
class Port:
    """A port that is open already.

    :param description: its endpoint string.
    :param family: of its addresses, as the system numbers them.
    """

    description: str
    family: int


@attrs.frozen
class Setup:
    """What the front process is told.

    :param ports: in the order of their file descriptors.
    """

    master_relay: MasterRelay
    clients: tuple[ClientSettings, ...]
    accounts: tuple[Account, ...]
    ports: tuple[Port, ...]


def setup_of(configuration: Configuration, ports: tuple[Port, ...]) -> Setup:
    """Return what is to be told."""
    accounts = tuple(
        attrs.evolve(account, username="", password="") for account in configuration.accounts
    )
    return Setup(configuration.master_relay, configuration.clients, accounts, ports)
