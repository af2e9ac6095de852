"""A whole configuration, as a value.  Pure."""

from __future__ import annotations

import attrs

from ..routing.account import Account
from ..settings import dns, operation, values, web
from ..settings.destinations import DestinationSettings


@attrs.frozen(kw_only=True)
class Configuration:
    """A whole configuration.

    :param clients: the first that lists an address applies to it.
    :param destinations: the first that has a domain applies to it.
    :param accounts: in order of priority, topmost first.
    :param reports_account: the way to the server where reports are handed in; ``None``: they leave
        through the accounts.
    :param web: ``None``: there is no page.
    :param metrics: ``None``: there are none.
    :param path: the file that it was read from; ``None``: it was no file.
    :param text: of that file; ``None`` likewise.
    :param has_secrets: passwords are written in it.
    """

    master_relay: values.MasterRelay = attrs.field(factory=values.MasterRelay)
    clients: tuple[values.ClientSettings, ...] = ()
    spool: values.SpoolSettings = attrs.field(factory=values.SpoolSettings)
    delivery: values.DeliverySettings = attrs.field(factory=values.DeliverySettings)
    ndr: values.NdrSettings = attrs.field(factory=values.NdrSettings)
    log: operation.LogSettings = attrs.field(factory=operation.LogSettings)
    history: operation.HistorySettings = attrs.field(factory=operation.HistorySettings)
    archive: operation.ArchiveSettings = attrs.field(factory=operation.ArchiveSettings)
    web: web.WebSettings | None = None
    metrics: operation.MetricsSettings | None = None
    alarm: operation.AlarmSettings = attrs.field(factory=operation.AlarmSettings)
    dns: dns.DnsSettings = attrs.field(factory=dns.DnsSettings)
    destinations: tuple[DestinationSettings, ...] = ()
    accounts: tuple[Account, ...] = ()
    reports_account: Account | None = None
    path: str | None = None
    text: str | None = attrs.field(default=None, repr=False)
    has_secrets: bool = False
