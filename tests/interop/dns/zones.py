"""Zones of the DNS, as their files have them."""

from __future__ import annotations

import attrs

#: Seconds for which answers may be kept, also that there is nothing.
TTL = 60


@attrs.frozen
class Zone:
    """A zone.

    :param name: without the last dot; empty: the root.
    :param records: lines of its file, without the SOA and the NS.
    :param signed: by DNSSEC, and whoever verifies has its key.
    :param bogus: signed, but whoever verifies has another key.
    :param ttl: seconds.
    """

    name: str
    records: tuple[str, ...] = attrs.field(converter=tuple, default=())
    signed: bool = attrs.field(default=False, kw_only=True)
    bogus: bool = attrs.field(default=False, kw_only=True)
    ttl: int = attrs.field(default=TTL, kw_only=True)

    @property
    def has_key(self):
        return self.signed or self.bogus

    def text(self, serial=1):
        """Return the zone's file."""
        return "\n".join(
            [
                f"$ORIGIN {self.name}.",
                f"$TTL {self.ttl}",
                f"@ SOA ns.invalid. hostmaster.invalid. {serial} 3600 600 86400 {self.ttl}",
                "@ NS ns.invalid.",
                *self.records,
                "",
            ]
        )


def mail_servers(*hosts, first=10, step=10):
    """Return MX records in order of preference, each a name within the zone or with a last dot."""
    return [f"@ MX {first + number * step} {host}" for number, host in enumerate(hosts)]


def tlsa(host, association):
    """Return the TLSA record of a mail server, a name within the zone."""
    return f"_25._tcp.{host} TLSA {association}"
