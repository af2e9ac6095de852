"""Finds by a client's address its settings, its lists, and what it is counted by.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from ..settings.names import Network
from ..settings.values import ClientSettings

#: What a client is counted by.
Place = IPv4Address | IPv6Network

#: One customer has at least so many bits of IPv6 for its machines (RFC 6177).
_ONE_SITE = 64


def peer_address(host: str) -> IPv4Address | IPv6Address:
    """Return the address of a client; one of IPv4 also where it comes by way of IPv6.

    A port of IPv6 gets them as ``::ffff:192.0.2.1`` (RFC 4291 section 2.5.5.2), and nobody lists or
    counts them so.
    """
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def listed(host: str, networks: Iterable[Network]) -> bool:
    """Tell whether the address of a client is among these."""
    address = peer_address(host)
    return any(address in network for network in networks)


def counted_as(host: str) -> Place:
    """Return what the connections of a client are counted by.

    Whoever has one address of IPv6 has billions of them.
    """
    address = peer_address(host)
    if isinstance(address, IPv4Address):
        return address
    return IPv6Network((address, _ONE_SITE), strict=False)


def settings_for(host: str, clients: Iterable[ClientSettings]) -> ClientSettings | None:
    """Return the first table that lists the address of a client."""
    # Not all that list it: what holds for an address stands in one place of the file.
    return next((client for client in clients if listed(host, client.addresses)), None)
