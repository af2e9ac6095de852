"""The settings that the front process gets at its start, by an allow list.

What is not named here is not sent, whatever keys come: no login of an account, no server, no file
of its keys.  The users of ``[master_relay]`` are told with the hashes of their passwords, since the
edge is where they log in.  Pure.
"""

from __future__ import annotations

import attrs

from ..configuration import Configuration
from ..mail.masks import Masks
from ..routing.account import Account, AccountType, NullSender
from ..routing.registry import AccountRegistry
from ..settings.values import ClientSettings, MasterRelay
from .converter import CONVERTER


@attrs.frozen
class Port:
    """A port that is open already.

    :param description: its endpoint string.
    :param family: of its addresses, as the system numbers them.
    """

    description: str
    family: int


@attrs.frozen(kw_only=True)
class RoutingEntry:
    """What the edge knows of an account: whose mail it takes, and whether by destinations."""

    name: str
    type: AccountType
    senders: Masks
    recipients: Masks
    null_sender: NullSender
    enabled: bool


_CHOSEN_BY = tuple(field.name for field in attrs.fields(RoutingEntry))


@attrs.frozen
class Setup:
    """What the front process is told.

    :param accounts: in order of priority, topmost first.
    :param ports: in the order of their file descriptors.
    """

    master_relay: MasterRelay
    clients: tuple[ClientSettings, ...]
    accounts: tuple[RoutingEntry, ...]
    ports: tuple[Port, ...]

    @property
    def registry(self) -> AccountRegistry:
        """The accounts, to route by; they lead nowhere."""
        return AccountRegistry(
            Account(**attrs.asdict(each, recurse=False)) for each in self.accounts
        )


def setup_of(configuration: Configuration, ports: tuple[Port, ...]) -> Setup:
    """Return what is to be told."""
    accounts = tuple(
        RoutingEntry(**{name: getattr(account, name) for name in _CHOSEN_BY})
        for account in configuration.accounts
    )
    return Setup(configuration.master_relay, configuration.clients, accounts, ports)


def setup_octets(setup: Setup) -> bytes:
    """Return it as JSON."""
    return CONVERTER.dumps(setup).encode()


def read_setup(octets: bytes) -> Setup:
    """Return it again.

    :raise Exception: one of several, when it cannot be read.
    """
    return CONVERTER.loads(octets, Setup)
