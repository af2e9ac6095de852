"""The settings as values: one class for each table of the configuration file, except accounts.

Each key is declared here and nowhere else.  Durations are seconds, sizes octets.  What admins read
of the keys, with their defaults and examples, is ``etc/multisendcon.toml``.  Pure.
"""

from __future__ import annotations

import enum
from ipaddress import ip_network

import attrs

from ..mail.masks import Masks
from . import kinds, names, quantities
from .keys import key
from .names import Network
from .quantities import DAY, HOUR, KIB, MIB, MINUTE, Room
from .users import Users


class HeaderFrom(enum.Enum):
    """Whose addresses may be in ``From:``, where senders are bound."""

    ANY = "any"
    MATCH = "match"


@attrs.frozen(kw_only=True)
class MasterRelay:
    """``[master_relay]``: the listening server."""

    listen: tuple[str, ...] = key(
        kinds.listed(names.endpoint),
        default=("tcp:port=2500:interface=127.0.0.1",),
        doc="Where it listens, as server endpoint strings of Twisted.",
    )
    own_process: bool = key(
        quantities.flag,
        default=True,
        doc="Whether a process of their own serves the clients, if there is more than one"
        " processor.",
    )
    allow: tuple[Network, ...] = key(
        kinds.listed(names.network),
        default=(ip_network("127.0.0.1"), ip_network("::1")),
        doc="Addresses and networks of the clients that may connect; all of them can send mail"
        " without a login.",
    )
    proxies: tuple[Network, ...] = key(
        kinds.listed(names.network, empty=True),
        default=(),
        doc='Addresses and networks of the proxies that may connect to "haproxy:" endpoints, and'
        " name any client.",
    )
    hostname: str = key(
        names.domain,
        default="localhost",
        doc="The full name of this relay, preferably the one that this machine has in the DNS;"
        " unset: the name of this machine.",
    )
    tls_certificate: str | None = key(
        kinds.readable_file,
        default=None,
        doc="The certificate that clients see, a PEM file; unset: no STARTTLS.",
    )
    tls_key: str | None = key(
        kinds.readable_file,
        default=None,
        doc="The private key of the certificate, a PEM file without a passphrase; unset: the key"
        " is in the file of the certificate.",
    )
    users: Users | None = key(
        kinds.users,
        default=None,
        doc='Who may log in, a file with a line of "multisendcon user NAME" for each; unset:'
        " no one.",
    )
    users_from_anywhere: bool = key(
        quantities.flag,
        default=False,
        doc='Whether clients that log in may connect without being listed in "allow".',
    )
    header_from: HeaderFrom = key(
        kinds.choice(HeaderFrom),
        default=HeaderFrom.ANY,
        doc="Which addresses may be in From: when a client or user may use certain senders only:"
        " any, or only those that they may use too (match).",
    )
    max_mails_per_minute_per_user: int = key(
        quantities.count_or_zero,
        default=0,
        doc="The most mails that one user may send in any minute; 0: no limit.",
    )
    max_message_size: int = key(
        quantities.size,
        default=50 * MIB,
        doc="The size of the largest mail that is accepted.",
    )
    max_recipients: int = key(
        quantities.count,
        default=1000,
        doc="The most recipients of one mail.",
    )
    max_connections: int = key(
        quantities.count,
        default=500,
        doc="The most client connections at the same time.",
    )
    max_connections_per_address: int = key(
        quantities.count,
        default=100,
        doc="The most connections from one address, or from one /64 network of IPv6.",
    )
    max_errors: int = key(
        quantities.count,
        default=20,
        doc="After how many errors and failed logins without an accepted mail a session is closed.",
    )
    max_command_line: int = key(
        quantities.command_line,
        default=12 * KIB,
        doc="The size of the longest command line.",
    )
    idle_timeout: float = key(
        quantities.positive_duration,
        default=5 * MINUTE,
        doc="After how long a session is closed if the client sends nothing, or does not read"
        " replies.",
    )
    transaction_timeout: float = key(
        quantities.positive_duration,
        default=1 * HOUR,
        doc="How long a client may take for one mail, from MAIL to the end of the content.",
    )
    max_header_size: int = key(
        quantities.size,
        default=256 * KIB,
        doc="The size of the largest header of a mail.",
    )
    max_received: int = key(
        quantities.count,
        default=50,
        doc="The most Received: fields of a mail, including ours; a mail with more is in a loop.",
    )
    submission_help: bool = key(
        quantities.flag,
        default=False,
        doc="Whether mail is completed that comes directly from a mail program or device: From:,"
        " Date: and Message-ID: are added if they are missing, Bcc: is removed.",
    )
    smtputf8: bool = key(
        quantities.flag,
        default=True,
        doc="Whether clients may send addresses and headers beyond ASCII (SMTPUTF8).",
    )


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
    """``[[client]]``: what differs for some clients."""

    addresses: tuple[Network, ...] = key(
        kinds.listed(names.network),
        doc="Addresses and networks of the clients.",
    )
    senders: Masks | None = key(
        names.masks,
        default=None,
        doc="The only senders that they may use, as masks; unset: every sender.",
    )
    max_mails_per_minute: int = key(
        quantities.count_or_zero,
        default=0,
        doc="The most mails from one of these addresses in any minute; 0: no limit.",
    )
    bare_lf: BareLf = key(
        kinds.choice(BareLf),
        default=BareLf.REFUSE,
        doc="What to do with mail that has line feeds without carriage returns: refuse it, or fix"
        " it by turning them into line ends.",
    )
    minimum_tls: MinimumTls = key(
        kinds.choice(MinimumTls),
        default=MinimumTls.TLS_1_2,
        doc="The oldest TLS that is spoken with them.",
    )
    starttls: bool = key(
        quantities.flag,
        default=True,
        doc="Whether STARTTLS is offered to them.",
    )
    tolerant: bool = key(
        quantities.flag,
        default=False,
        doc="Whether their commands may be those of old devices, not quite as the standards have"
        " them.",
    )
    submission_help: bool = key(
        quantities.flag,
        default=False,
        doc="Whether their mail is completed; unset: as in [master_relay].",
    )
    success_reports: bool = key(
        quantities.flag,
        default=False,
        doc="Whether their mail may ask for a report of success (NOTIFY=SUCCESS) without a login.",
    )


@attrs.frozen(kw_only=True)
class SpoolSettings:
    """``[spool]``: where messages wait."""

    path: str = key(
        kinds.folder,
        default="/var/spool/multisendcon",
        doc="The folder where mail waits, on a reliable local disk, for this relay alone.",
    )
    min_free: Room = key(
        quantities.room,
        default=Room(share=0.05),
        doc="What has to stay free of the disk, as a share of it or as a size; below that, new"
        " mail is put off.",
    )


@attrs.frozen(kw_only=True)
class DeliverySettings:
    """``[delivery]``: pace and patience."""

    max_connections: int = key(
        quantities.count,
        default=50,
        doc="The most connections to the servers of all accounts together.",
    )
    retry: tuple[float, ...] = key(
        kinds.listed(quantities.positive_duration),
        default=(1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR),
        doc="The pauses between the attempts to deliver a mail; the last one repeats.",
    )
    give_up_after: float = key(
        quantities.positive_duration,
        default=3 * DAY,
        doc="After how long a mail is returned to its sender as undeliverable.",
    )
    warn_after: float = key(
        quantities.duration,
        default=4 * HOUR,
        doc="After how long the sender is informed, once, that a mail is delayed; 0: never.",
    )


class ReportTo(enum.Enum):
    """Who gets the reports on mail that could not be delivered."""

    SENDER = "sender"
    POSTMASTER = "postmaster"
    BOTH = "both"


@attrs.frozen(kw_only=True)
class NdrSettings:
    """``[ndr]``: the reports on mail that could not be delivered.

    The table also has the connection keys of an account: they make one, which is not a part of
    this value.
    """

    recipient: ReportTo = key(
        kinds.choice(ReportTo),
        default=ReportTo.SENDER,
        doc="Who gets the reports: the sender, the postmaster, or both.",
    )
    postmaster: str = key(
        kinds.unless_empty(names.mailbox),
        default="",
        doc="The address of the person who is responsible for the mail system; empty: there is"
        " none.",
    )
    sender: str = key(
        names.mailbox,
        default="mailer-daemon@localhost",
        doc="The address in From: of the reports; unset: mailer-daemon at the hostname.",
    )
    max_per_hour: int = key(
        quantities.count,
        default=50,
        doc="The most reports that one address gets in an hour.",
    )
