"""The settings as values, one class for each table of the configuration file.

Durations are seconds, sizes bytes.  The defaults are those of ``etc/multisendcon.toml``.
"""

from __future__ import annotations

import enum
from ipaddress import IPv4Network, IPv6Network, ip_network

import attrs

from ..mail.masks import Masks
from .users import Users

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
KIB = 1024
MIB = 1024 * KIB

#: An address or a network, of IPv4 or IPv6.
Network = IPv4Network | IPv6Network


class HeaderFrom(enum.Enum):
    """Whose addresses may be in ``From:``, where senders are bound."""

    ANY = "any"
    MATCH = "match"


@attrs.frozen(kw_only=True)
class MasterRelay:
    """``[master_relay]``: the listening server.

    :param own_process: twistd serves the clients in a process of their own.
    :param proxies: who may say in a PROXY header whose connection it is.
    :param hostname: stands in the banner and in ``Received:``.
    :param tls_certificate: a file; ``None``: no STARTTLS.
    :param tls_key: a file; ``None``: the key is in the certificate's file.
    :param users: who may log in; ``None``: nobody.
    :param users_from_anywhere: who logs in need not be in `allow`.
    :param header_from: for clients and users that may use certain senders only.
    :param max_mails_per_minute_per_user: 0: no limit.
    :param max_errors: of one session.
    :param max_command_line: octets.
    :param transaction_timeout: from MAIL to the end of the content.
    :param max_received: fields ``Received:`` of a mail that is taken.
    """

    listen: tuple[str, ...] = ("tcp:port=2500:interface=127.0.0.1",)
    own_process: bool = True
    allow: tuple[Network, ...] = (
        ip_network("127.0.0.1"),
        ip_network("::1"),
    )
    proxies: tuple[Network, ...] = ()
    hostname: str = "localhost"
    tls_certificate: str | None = None
    tls_key: str | None = None
    users: Users | None = None
    users_from_anywhere: bool = False
    header_from: HeaderFrom = HeaderFrom.ANY
    max_mails_per_minute_per_user: int = 0
    max_message_size: int = 50 * MIB
    max_recipients: int = 1000
    max_connections: int = 500
    max_connections_per_address: int = 100
    max_errors: int = 20
    max_command_line: int = 12 * KIB
    idle_timeout: float = 5 * MINUTE
    transaction_timeout: float = 1 * HOUR
    max_header_size: int = 256 * KIB
    max_received: int = 50
    submission_help: bool = False
    smtputf8: bool = True


class BareLf(enum.Enum):
    """What becomes of content with line feeds that have no carriage return."""

    REFUSE = "refuse"
    FIX = "fix"


class MinimumTls(enum.Enum):
    """The oldest version of TLS that is spoken with a client."""

    TLS_1_0 = "1.0"
    TLS_1_1 = "1.1"
    TLS_1_2 = "1.2"


@attrs.frozen(kw_only=True)
class ClientSettings:
    """``[[client]]``: what differs for some clients.

    :param senders: the ones that they may use; ``None``: every sender.
    :param max_mails_per_minute: from one address; 0: no limit.
    :param starttls: it is offered, where there is a certificate.
    :param success_reports: what they want to be told of success is obeyed without a login.
    :param tolerant: commands need not be quite those of the RFCs.
    """

    addresses: tuple[Network, ...]
    senders: Masks | None = None
    max_mails_per_minute: int = 0
    bare_lf: BareLf = BareLf.REFUSE
    minimum_tls: MinimumTls = MinimumTls.TLS_1_2
    starttls: bool = True
    tolerant: bool = False
    submission_help: bool = False
    success_reports: bool = False


@attrs.frozen(kw_only=True)
class Room:
    """Room on a disk: a number of octets, or a share of the whole disk."""

    octets: int = 0
    share: float = 0.0

    def on(self, disk: int) -> int:
        """Return the octets on a disk of so many."""
        return self.octets + int(self.share * disk)


@attrs.frozen(kw_only=True)
class SpoolSettings:
    """``[spool]``: where messages wait.

    :param min_free: what new mail leaves of the disk to others.
    """

    path: str = "/var/spool/multisendcon"
    min_free: Room = Room(share=0.05)


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
    :param max_per_hour: reports to one address.
    """

    recipient: ReportTo = ReportTo.SENDER
    postmaster: str = ""
    sender: str = "mailer-daemon@localhost"
    max_per_hour: int = 50
