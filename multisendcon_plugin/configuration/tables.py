"""The tables of the configuration file, with their keys as the classes of settings declare them.

A new table is an entry of `TABLES`, and an attribute of `Configuration` with the same name.  Pure.
"""

from __future__ import annotations

from functools import cached_property

import attrs

from ..routing.account import Account
from ..settings import destinations, dns, operation, values, web
from ..settings.keys import Key, keys_of


@attrs.frozen
class Table:
    """A table of the file.

    :param type: the class of the value that it makes.
    :param repeated: there may be several, in double brackets.
    :param optional: without it there is no value, and what it is about is off.
    :param borrowed: keys that it has beside those of the value, and that are never required.
    """

    type: type[attrs.AttrsInstance]
    repeated: bool = attrs.field(default=False, kw_only=True)
    optional: bool = attrs.field(default=False, kw_only=True)
    borrowed: dict[str, Key] = attrs.field(factory=dict, kw_only=True)

    @cached_property
    def keys(self) -> dict[str, Key]:
        """All its keys by name, in the order of the reference file."""
        return keys_of(self.type) | self.borrowed

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The keys that have to be written."""
        return tuple(name for name, key in keys_of(self.type).items() if key.required)


#: By name, in the order of the reference file.
TABLES = {
    "master_relay": Table(values.MasterRelay),
    "client": Table(values.ClientSettings, repeated=True),
    "spool": Table(values.SpoolSettings),
    "delivery": Table(values.DeliverySettings),
    "ndr": Table(
        values.NdrSettings,
        # They describe the account by which reports leave.
        borrowed={name: key for name, key in keys_of(Account).items() if key.connection},
    ),
    "log": Table(operation.LogSettings),
    "history": Table(operation.HistorySettings),
    "archive": Table(operation.ArchiveSettings),
    "web": Table(web.WebSettings, optional=True),
    "metrics": Table(operation.MetricsSettings, optional=True),
    "alarm": Table(operation.AlarmSettings),
    "dns": Table(dns.DnsSettings),
    "destination": Table(destinations.DestinationSettings, repeated=True),
    "account": Table(Account, repeated=True),
}
