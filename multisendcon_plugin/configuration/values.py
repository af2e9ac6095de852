"""The settings as values, one class for each table of the configuration file.

Durations are seconds, sizes bytes.  The defaults are those of ``etc/multisendcon.toml``.
"""

from __future__ import annotations

import enum
from ipaddress import IPv4Network, IPv6Network, ip_network

import attrs

from ..account import Account

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MIB = 1024 * 1024


@attrs.frozen(kw_only=True)
class MasterRelay:
    """``[master_relay]``: the listening server.

    :param hostname: stands in the banner and in ``Received:``.
    """

    listen: tuple[str, ...] = ("tcp:port=2500:interface=127.0.0.1",)
    allow: tuple[IPv4Network | IPv6Network, ...] = (
        ip_network("127.0.0.1"),
        ip_network("::1"),
    )
    hostname: str = "localhost"
    max_message_size: int = 50 * MIB
    max_recipients: int = 1000
    max_connections: int = 500


@attrs.frozen(kw_only=True)
class SpoolSettings:
    """``[spool]``: where messages wait."""

    path: str = "/var/spool/multisendcon"


@attrs.frozen(kw_only=True)
class DeliverySettings:
    """``[delivery]``: pace and patience.

    :param retry: pauses between the attempts of a delivery; the last one repeats.
    :param warn_after: 0: the sender is never told of a delay.
    """

    max_connections: int = 50
    retry: tuple[float, ...] = (
        1 * MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        1 * HOUR,
        2 * HOUR,
        4 * HOUR,
    )
    give_up_after: float = 3 * DAY
    warn_after: float = 4 * HOUR


class ReportTo(enum.Enum):
    """Who gets the reports on mail that could not be delivered."""

    SENDER = "sender"
    POSTMASTER = "postmaster"
    BOTH = "both"


@attrs.frozen(kw_only=True)
class NdrSettings:
    """``[ndr]``: the reports on mail that could not be delivered.

    :param postmaster: ``""``: there is none.
    :param server: where reports are handed in; ``None``: they leave through the accounts.
    """

    recipient: ReportTo = ReportTo.SENDER
    postmaster: str = ""
    sender: str = "mailer-daemon@localhost"
    server: str | None = None
    port: int = 25
    username: str = ""
    password: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class Configuration:
    """A whole configuration.

    :param accounts: in order of priority, topmost first.
    """

    master_relay: MasterRelay = MasterRelay()
    spool: SpoolSettings = SpoolSettings()
    delivery: DeliverySettings = DeliverySettings()
    ndr: NdrSettings = NdrSettings()
    accounts: tuple[Account, ...] = ()
