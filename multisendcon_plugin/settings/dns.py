"""The settings of what asks the DNS: ``[dns]``, for accounts that deliver by it.

As in `values`: each key is declared here and nowhere else.  Pure.
"""

from __future__ import annotations

import re

import attrs

from . import quantities
from .endpoints import address_of
from .keys import key
from .kinds import listed, text
from .words import InvalidValueError, shown

#: Questions that are under way at the same time, with a socket each.
MOST_UNDER_WAY = 256
_PORT = 53
#: An address alone, or one with a port; one of IPv6 is in brackets then, which it may be anyway.
_SERVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?", re.ASCII)


@attrs.frozen
class NameServer:
    """A server of the DNS, by its address: a name would have to be looked up."""

    address: str
    port: int = _PORT

    @property
    def is_loopback(self) -> bool:
        """Whether nothing between it and us can change what it says."""
        address = address_of(self.address)
        return address is not None and address.is_loopback

    def __str__(self) -> str:
        """Show it as the configuration has it."""
        if self.port == _PORT:
            return self.address
        return (
            f"[{self.address}]:{self.port}"
            if ":" in self.address
            else f"{self.address}:{self.port}"
        )


def name_server(value: object) -> NameServer:
    """Convert the address of a server of the DNS, with or without a port."""
    name = text(value)
    found = _SERVER.fullmatch(name)
    address = address_of((found[1] or found[2]) if found else name)
    port = int(found[3]) if found and found[3] else _PORT
    if address is None or (found and found[1] and address.version != 6) or not 0 < port < 65536:
        raise InvalidValueError(
            f'{shown(name)} is not the address of a DNS server; write for example "127.0.0.1",'
            ' "192.0.2.53:5353" or "[2001:db8::53]:53"'
        )
    return NameServer(str(address), port)


@attrs.frozen(kw_only=True)
class DnsSettings:
    """``[dns]``: who is asked, and what is believed."""

    allow_private: bool = key(
        quantities.flag,
        default=False,
        doc="Whether mail may be delivered directly to loopback and private addresses, if the DNS"
        " says so.",
    )
    servers: tuple[NameServer, ...] = key(
        listed(name_server, empty=True),
        default=(),
        doc="The DNS servers that are asked: an address, or an address and a port; none: those of"
        " the system.",
    )
    trust_ad: bool = key(
        quantities.flag,
        default=False,
        doc="Whether servers on other machines are believed that they have verified an answer"
        " (DNSSEC); those on this machine are.",
    )
