"""Where a request comes from: its client's address, or what a proxy of ours says of it.  Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..settings.names import Network

#: An address as proxies write it, some with the port.
_FORWARDED = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([0-9.]+)(?::[0-9]+)?")


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address without its zone, one of IPv4 as that; ``None``: it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def is_one_of(text: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of some networks."""
    address = address_of(text)
    return address is not None and any(address in each for each in networks)


def client_behind(peer: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """Return the address of a client.

    :param peer: the address that has connected; ``""``: it has none.
    :param forwarded: the values of ``X-Forwarded-For:``.  Each proxy adds whom it has heard, so
        what stands before the word of a stranger is nobody's.
    :param proxies: which are believed.
    """
    client = str(address_of(peer) or peer)
    for said in reversed(",".join(forwarded).split(",")):
        if not is_one_of(client, proxies):
            break
        found = _FORWARDED.fullmatch(said.strip())
        address = address_of((found[1] or found[2]) if found else said.strip())
        if address is None:
            break
        client = str(address)
    return client
