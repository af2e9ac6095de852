"""What strangers can see in the DNS of who we are: the names of our addresses, and of our EHLO.

Large receivers reject mail from an address without a name, or whose name has not that address
(RFC 8601 section 2.7.3 calls one that has it "iprev"), and some look at the name in EHLO.
"""

from __future__ import annotations

from ipaddress import ip_address

import attrs

from ...dns import DnsError, Names

#: Names of one address that are looked at: there should be one.
_MOST_NAMES = 5


@attrs.frozen(kw_only=True)
class Identity:
    """The names of an address of ours.

    :param names: as the reverse DNS has them (PTR).
    :param confirmed: those of them that have the address again.
    :param elsewhere: the addresses that the others have.
    """

    address: str
    names: tuple[str, ...] = ()
    confirmed: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """Why a receiver would not believe the address; ``""``: it would."""
        if self.confirmed:
            return ""
        if not self.names:
            return f"{self.address} has no name in the reverse DNS (PTR)"
        names = ", ".join(self.names)
        if not self.elsewhere:
            return f"{self.address} has the name {names}, which has no such address"
        return (
            f"{self.address} has the name {names}, which has not that address, but"
            f" {', '.join(self.elsewhere)}"
        )


async def identity_of(names: Names, address: str) -> Identity:
    """Look up the names of an address, and whether they have it again.

    :raise DnsError: there is no answer.
    """
    answer = await names.query(ip_address(address).reverse_pointer, "PTR")
    found = tuple(str(each).rstrip(".") for each in answer.records[:_MOST_NAMES])
    confirmed, elsewhere = [], list[str]()
    for name in found:
        addresses = await addresses_of(names, name, address)
        if _has(addresses, address):
            confirmed.append(name)
        else:
            elsewhere += addresses
    return Identity(
        address=address, names=found, confirmed=tuple(confirmed), elsewhere=tuple(elsewhere)
    )


async def helo_problem(names: Names, helo: str, identity: Identity) -> str:
    """Return why a receiver would not believe the name in EHLO; ``""``: it would.

    :raise DnsError: there is no answer.
    """
    if helo.startswith("["):
        return f"{helo} is an address, and no name"
    if "." not in helo:
        return f"{helo} is no full name"
    if helo.lower() in identity.confirmed:
        return ""
    address = identity.address
    addresses = await addresses_of(names, helo, address)
    if _has(addresses, address):
        return ""
    if addresses:
        return f"{helo} has not the address {address}, but {', '.join(addresses)}"
    return f"{helo} has no address like {address} in the DNS"


async def addresses_of(names: Names, name: str, like: str) -> list[str]:
    """Look up the addresses of a name, those of the family of another one.

    :raise DnsError: there is no answer.
    """
    rdtype = "A" if ip_address(like).version == 4 else "AAAA"
    try:
        answer = await names.query(name, rdtype)
    except DnsError as error:
        if error.temporary:
            raise
        return []  # whoever has written it into the DNS: it is no name
    return [str(each) for each in answer.records]


def _has(addresses: list[str], address: str) -> bool:
    return ip_address(address) in map(ip_address, addresses)
