"""The tables of the configuration file: which keys there are, and the kind of each.

The key is also the name of the attribute that it sets.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ..account import Account, Tls
from . import kinds, names, quantities
from .kinds import Kind
from .surroundings import Surroundings
from .values import (
    BareLf,
    ClientSettings,
    DeliverySettings,
    MasterRelay,
    MinimumTls,
    NdrSettings,
    ReportTo,
    SpoolSettings,
)


@attrs.frozen
class Table:
    """A table: the class of the value that it makes, and the kinds of its keys.

    :param repeated: there may be several, in double brackets.
    """

    type: type
    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    repeated: bool = False


def tables(surroundings: Surroundings) -> dict[str, Table]:
    """Return the tables by name, in the order of the reference file."""
    password = kinds.secret(surroundings)
    return {
        "master_relay": Table(
            MasterRelay,
            {
                "listen": kinds.listed(names.endpoint),
                "own_process": quantities.flag,
                "allow": kinds.listed(names.network),
                "hostname": names.domain,
                "tls_certificate": kinds.readable_file(surroundings),
                "tls_key": kinds.readable_file(surroundings),
                "users": kinds.users(surroundings),
                "users_from_anywhere": quantities.flag,
                "max_message_size": quantities.size,
                "max_recipients": quantities.count,
                "max_connections": quantities.count,
                "max_connections_per_address": quantities.count,
                "max_errors": quantities.count,
                "max_command_line": quantities.command_line,
                "idle_timeout": quantities.positive_duration,
                "transaction_timeout": quantities.positive_duration,
                "max_header_size": quantities.size,
                "max_received": quantities.count,
                "submission_help": quantities.flag,
            },
        ),
        "client": Table(
            ClientSettings,
            {
                "addresses": kinds.listed(names.network),
                "bare_lf": kinds.choice(BareLf),
                "minimum_tls": kinds.choice(MinimumTls),
                "starttls": quantities.flag,
                "tolerant": quantities.flag,
                "submission_help": quantities.flag,
            },
            required=("addresses",),
            repeated=True,
        ),
        "spool": Table(SpoolSettings, {"path": kinds.path(surroundings)}),
        "delivery": Table(
            DeliverySettings,
            {
                "max_connections": quantities.count,
                "retry": kinds.listed(quantities.positive_duration),
                "give_up_after": quantities.positive_duration,
                "warn_after": quantities.duration,
            },
        ),
        "ndr": Table(
            NdrSettings,
            {
                "recipient": kinds.choice(ReportTo),
                "postmaster": kinds.unless_empty(names.mailbox),
                "sender": names.mailbox,
                "server": names.host,
                "port": quantities.port,
                "username": kinds.unless_empty(kinds.text),
                "password": password,
            },
        ),
        "account": Table(
            Account,
            {
                "name": kinds.text,
                "server": names.host,
                "port": quantities.port,
                "username": kinds.unless_empty(kinds.text),
                "password": password,
                "local_address": names.local_address,
                "helo_domain": names.helo_domain,
                "minimum_wait": quantities.duration,
                "senders": names.masks,
                "recipients": names.masks,
                "fixed_sender": names.mailbox,
                "fixed_sender_unless_private": quantities.flag,
                "tls": kinds.choice(Tls),
                "tls_verify": quantities.flag,
                "tls_ca": kinds.readable_file(surroundings),
                "max_connections": quantities.count,
                "max_mails_per_connection": quantities.count,
                "fallback": kinds.listed(kinds.text, empty=True),
                "enabled": quantities.flag,
            },
            required=("name", "server"),
            repeated=True,
        ),
    }
