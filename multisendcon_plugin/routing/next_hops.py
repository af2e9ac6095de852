"""Which hosts take the mail for a destination, and in which order they are tried.

RFC 5321 section 5.1, with RFC 7505 (null MX).  What the DNS says is an argument, and so is chance:
nothing is asked here.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import chain, groupby, zip_longest
from operator import attrgetter

import attrs

from ..errors import AddressError, MultisendconError
from ..mail.address import a_labels
from ..mail.reply import Reply

#: Hosts, and addresses of each, that one attempt may try.  RFC 5321 section 5.1: there may be a
#: limit, and it should be two at least.
MOST_HOSTS = 5
MOST_ADDRESSES = 4
#: Hosts that are looked up, while none of those before can be tried.
MOST_LOOKED_UP = 20
#: All of IPv6 that is for hosts of the Internet (RFC 4291 section 2.4, as IANA gives it out), and
#: where hosts of IPv4 are seen by those that have IPv6 only (RFC 6052 section 2.1).
_GLOBAL, _TRANSLATED = IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96")
#: The root: as the only host of a domain, that domain takes no mail.
_NULL = "."


class NoRouteError(MultisendconError):
    """There is no host to which the mail for a destination could be sent.

    :param reply: says so, as a server would have.
    :param temporary: there may be one later.
    :param any_domain: it would be so with any destination.
    """

    def __init__(self, reply: Reply, *, temporary: bool = False, any_domain: bool = False) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.temporary = temporary
        self.any_domain = any_domain


@attrs.frozen(kw_only=True)
class MailHost:
    """A host that takes mail for a destination.

    :param name: as the DNS has it: a lower-case A-label; or an address.
    :param preference: the lowest is tried first.
    :param addresses: where it is, in the order in which they are tried.
    :param canonical: the name that has the addresses, if `name` is an alias (CNAME).
    :param expanded: the name that has the MX of the destination, which may be an alias as well.
    :param secure: the DNS has vouched for all that led to it (DNSSEC).
    :param trouble: why nobody could say where it is; ``""``: somebody could.
    """

    name: str
    preference: int = 0
    addresses: tuple[str, ...] = ()
    canonical: str = ""
    expanded: str = ""
    secure: bool = False
    trouble: str = ""


def target(destination: str) -> MailHost | str:
    """Return what a destination names: the host at an address, or a domain to be looked up.

    :param destination: what stands behind the ``@`` of a recipient.
    :return: a domain as A-labels in lower case.
    :raise NoRouteError: it is neither.
    """
    if destination.startswith("["):
        address = _literal(destination)
        if address is None:
            # RFC 3463 section 3.2: bad destination mailbox address syntax.
            raise NoRouteError(Reply(0, "5.1.3", f"{destination} is no address of a host"))
        return MailHost(name=str(address), addresses=(str(address),))
    if not destination:
        # RFC 5321 section 4.1.1.3: "postmaster" alone is whoever that is at the server one asks.
        raise NoRouteError(Reply(0, "5.1.2", "the recipient has no domain"))
    try:
        return a_labels(destination).rstrip(".")
    except AddressError as error:
        raise NoRouteError(Reply(0, "5.1.2", str(error))) from None


def no_such_domain(domain: str) -> NoRouteError:
    """Return what is said of a domain that does not exist.

    RFC 5321 section 5.1: "this situation MUST be reported as an error".
    """
    return NoRouteError(Reply(0, "5.1.2", f"the domain {domain} does not exist"))


def no_answer(text: str, *, any_domain: bool = False) -> NoRouteError:
    """Return what is said where the DNS could not answer: the mail is tried again later."""
    return NoRouteError(Reply(0, "4.4.3", text), temporary=True, any_domain=any_domain)


def candidates(
    domain: str, mx: Iterable[tuple[int, str]], shuffle: Callable[[list[MailHost]], object]
) -> tuple[MailHost, ...]:
    """Return the hosts of a domain in the order in which they are tried.

    :param mx: preferences and names; none: the domain itself is its host ("implicit MX").
    :param shuffle: puts a list into an order of chance, as `random.shuffle` does.
    :raise NoRouteError: the domain takes no mail.
    """
    mx = list(mx)
    if not mx:
        return (MailHost(name=domain),)
    # RFC 7505 section 3: there must be no other MX beside a null MX; where there is, it says
    # nothing.
    hosts = [MailHost(name=name.lower(), preference=each) for each, name in mx if name != _NULL]
    if not hosts:
        # RFC 7505 section 4.1, with the code of RFC 7504 for those who were told by the DNS.
        raise NoRouteError(Reply(556, "5.1.10", f"the domain {domain} takes no mail (null MX)"))
    ordered: list[MailHost] = []
    hosts.sort(key=attrgetter("preference", "name"))
    for _, group in groupby(hosts, key=attrgetter("preference")):
        alike = list({each.name: each for each in group}.values())
        # "the sender-SMTP MUST randomize them to spread the load"
        shuffle(alike)
        ordered += alike
    return tuple(ordered)


def before_ours(
    domain: str, hosts: Sequence[MailHost], names: Collection[str], addresses: Collection[str] = ()
) -> tuple[MailHost, ...]:
    """Leave out what must not be tried since we are one of the hosts.

    "If a matching record is found, all records at that preference level and higher-numbered ones
    MUST be discarded".

    :param names: by which this relay is known, in lower case.
    :param addresses: those of the hosts at which it is this relay that answers.
    :raise NoRouteError: nothing is left: "the message MUST be returned as undeliverable".
    """
    ours = [
        each.preference
        for each in hosts
        if each.name in names or not set(addresses).isdisjoint(each.addresses)
    ]
    if not ours:
        return tuple(hosts)
    left = tuple(each for each in hosts if each.preference < min(ours))
    if not left:
        text = f"mail for {domain} loops back to this relay: the DNS names it as the mail server"
        raise NoRouteError(Reply(0, "5.4.6", text))
    return left


def usable(
    domain: str,
    hosts: Sequence[MailHost],
    *,
    admits: Callable[[str], bool],
    allow_private: bool,
) -> tuple[MailHost, ...]:
    """Return the hosts that can be tried, with the addresses that can be.

    "If MX records are present, but none of them are usable, or the implicit MX is unusable, this
    situation MUST be reported as an error."

    :param admits: tells whether there is a local address of the family of an address.
    :param allow_private: loopback and private addresses may be tried too.
    :raise NoRouteError: none is left, for good or for now.
    """
    left = []
    for host in hosts:
        fitting = [
            each
            for each in host.addresses
            if admits(each) and may_be_tried(each, allow_private=allow_private)
        ]
        if fitting and not host.trouble:
            addresses = _in_turn(fitting)[:MOST_ADDRESSES]
            same = addresses == host.addresses
            left.append(host if same else attrs.evolve(host, addresses=addresses))
    if left:
        return tuple(left)
    if trouble := next((each.trouble for each in hosts if each.trouble), ""):
        raise no_answer(trouble)
    # RFC 3463 section 3.5, "unable to route": what the DNS has leads nowhere.
    raise NoRouteError(Reply(0, "5.4.4", _unusable(domain, hosts, admits)))


def _unusable(domain: str, hosts: Sequence[MailHost], admits: Callable[[str], bool]) -> str:
    """Say why there is no host that can be tried."""
    names = ", ".join(each.name for each in hosts[:MOST_HOSTS])
    found = list(chain.from_iterable(each.addresses for each in hosts))
    if not found:
        # What cannot be connected is not asked for: it may be there.
        only = _only_family(admits)
        such = f"IPv{only} address, which local_address needs" if only else "address"
        if names == domain:
            return f"the domain {domain} has no mail server in the DNS, and no {such}"
        return f"no mail server of {domain} has an {such}: {names}"
    if not any(map(admits, found)):
        version = ip_address(found[0]).version
        return (
            f"the mail servers of {domain} have IPv{version} addresses only, and there is no such"
            " local_address"
        )
    return (
        f"the mail servers of {domain} have no addresses that mail may be sent to, only"
        f" {', '.join(found[:MOST_ADDRESSES])} (allow_private of [dns])"
    )


def _only_family(admits: Callable[[str], bool]) -> int | None:
    """Return the version of IP of the only family that is admitted; ``None``: both are."""
    four, six = map(admits, ("0.0.0.0", "::"))  # noqa: S104 -- stand for all of their families
    return None if four and six else 4 if four else 6


def _literal(destination: str) -> IPv4Address | IPv6Address | None:
    """Return the address of an address literal (RFC 5321 section 4.1.3)."""
    if not destination.endswith("]"):
        return None
    text = destination[1:-1]
    try:
        if text[:5].lower() == "ipv6:":
            address = IPv6Address(text[5:])
            return None if address.scope_id else address
        return IPv4Address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def may_be_tried(text: str, *, allow_private: bool) -> bool:
    """Tell whether an address may be connected to for strangers' domains.

    Whoever has a domain decides to which addresses it leads: also to services on this machine, or
    in this house, that trust whoever can connect to them.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = _inner(address) or address
    if address.is_unspecified or address.is_multicast:
        return False
    if allow_private:
        return True
    return address.is_global and (address.version == 4 or address in _GLOBAL)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """Return the address of IPv4 that is reached by way of one of IPv6.

    A network may translate it (NAT64), or have a tunnel to it (6to4): then it leads where that one
    leads (RFC 6052 section 5.2, RFC 3964 section 5.1).
    """
    if address in _TRANSLATED:
        return IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour


def _in_turn(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return addresses with those of both families by turns, IPv6 first (RFC 8305 section 4).

    Within a family it is the order of the DNS (RFC 5321 section 5.1).  So a family that leads
    nowhere from here costs one try before the other one has its turn.
    """
    if len(addresses) == 1:
        return tuple(addresses)
    six = [each for each in addresses if ":" in each]
    four = [each for each in addresses if ":" not in each]
    return tuple(filter(None, chain.from_iterable(zip_longest(six, four))))
