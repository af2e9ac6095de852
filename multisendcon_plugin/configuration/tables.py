"""The tables of the configuration file: which keys there are, and the kind of each.

The key is also the name of the attribute that it sets.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ..routing.account import Account, Auth, NullSender
from ..routing.hop import Tls
from ..settings.values import (
    BareLf,
    ClientSettings,
    DeliverySettings,
    HeaderFrom,
    MasterRelay,
    MinimumTls,
    NdrSettings,
    ReportTo,
    SpoolSettings,
)
from . import kinds, names, quantities
from .kinds import Kind
from .replies import replies
from .surroundings import Surroundings


@attrs.frozen
class Table:
    """A table: the class of the value that it makes, and the kinds of its keys.

    Keys that the class does not have describe an account, which is a part of the value.

    :param repeated: there may be several, in double brackets.
    """

    type: type
    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    repeated: bool = False

    def owns(self, key: str) -> bool:
        """Tell whether a key is one of the value itself."""
        return key in attrs.fields_dict(self.type)

    def default(self, key: str) -> Any:
        """Return what holds where a key is not written."""
        return attrs.fields_dict(self.type if self.owns(key) else Account)[key].default


def tables(surroundings: Surroundings) -> dict[str, Table]:
    """Return the tables by name, in the order of the reference file."""
    connection: dict[str, Kind] = {
        "server": names.host,
        "port": quantities.port,
        "username": kinds.unless_empty(kinds.text),
        "password": kinds.secret(surroundings),
        "auth": kinds.choice(Auth),
        "local_address": names.local_address,
        "helo_domain": names.helo_domain,
        "tls": kinds.choice(Tls),
        "tls_verify": quantities.flag,
        "tls_ca": kinds.readable_file(surroundings),
        "tls_name": names.host,
        "tls_fingerprint": kinds.fingerprint,
        "tls_ciphers": kinds.ciphers(surroundings),
        "tls_client_certificate": kinds.readable_file(surroundings),
        "tls_client_key": kinds.readable_file(surroundings),
    }
    return {
        "master_relay": Table(
            MasterRelay,
            {
                "listen": kinds.listed(names.endpoint),
                "own_process": quantities.flag,
                "allow": kinds.listed(names.network),
                "proxies": kinds.listed(names.network, empty=True),
                "hostname": names.domain,
                "tls_certificate": kinds.readable_file(surroundings),
                "tls_key": kinds.readable_file(surroundings),
                "users": kinds.users(surroundings),
                "users_from_anywhere": quantities.flag,
                "header_from": kinds.choice(HeaderFrom),
                "max_mails_per_minute_per_user": quantities.count_or_zero,
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
                "smtputf8": quantities.flag,
            },
        ),
        "client": Table(
            ClientSettings,
            {
                "addresses": kinds.listed(names.network),
                "senders": names.masks,
                "max_mails_per_minute": quantities.count_or_zero,
                "bare_lf": kinds.choice(BareLf),
                "minimum_tls": kinds.choice(MinimumTls),
                "starttls": quantities.flag,
                "tolerant": quantities.flag,
                "submission_help": quantities.flag,
                "success_reports": quantities.flag,
            },
            required=("addresses",),
            repeated=True,
        ),
        "spool": Table(
            SpoolSettings, {"path": kinds.folder(surroundings), "min_free": quantities.room}
        ),
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
                "max_per_hour": quantities.count,
                **connection,
            },
        ),
        "account": Table(
            Account,
            {
                "name": kinds.text,
                **connection,
                "minimum_wait": quantities.duration,
                "senders": names.masks,
                "recipients": names.masks,
                "fixed_sender": names.mailbox,
                "fixed_sender_unless_private": quantities.flag,
                "fixed_sender_removes": kinds.listed(names.removable_field, empty=True),
                "null_sender": kinds.choice(NullSender),
                "max_connections": quantities.count,
                "max_mails_per_connection": quantities.count,
                "max_recipients": quantities.count,
                "fallback": kinds.listed(kinds.text, empty=True),
                "enabled": quantities.flag,
                "replies": replies,
            },
            required=("name", "server"),
            repeated=True,
        ),
    }
