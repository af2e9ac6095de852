"""Warns of what a configuration allows: senders of anyone, clients from anywhere, weak TLS.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from ..mail.masks import NULL, Masks
from ..routing.account import Account, NullSender
from ..routing.hop import Tls
from ..settings.names import Network
from ..settings.users import Users
from ..settings.words import shown
from .configuration import Configuration
from .direct_rules import direct_warnings
from .quota_rules import quota_warnings
from .web_risks import web_warnings

#: Users that one warning names.
_MOST_NAMES = 5
_MAPPED = IPv6Network("::ffff:0:0/96")


def risks(configuration: Configuration) -> Iterator[str]:
    """Yield a sentence for each."""
    relay = configuration.master_relay
    if _everyone(relay.allow):
        yield (
            "[master_relay], allow: everyone who can reach this relay may send mail without a"
            " login, as through an open relay; list your own clients only, and let others log in"
            " (users_from_anywhere)"
        )
    yield from _idle_networks("[master_relay], allow", relay.allow)
    yield from _idle_networks("[master_relay], proxies", relay.proxies)
    earlier: list[Network] = []
    for number, client in enumerate(configuration.clients, 1):
        where = f"[[client]] number {number}, addresses"
        yield from _idle_networks(where, client.addresses)
        yield from _taken_networks(where, client.addresses, earlier)
        earlier += client.addresses
        if client.senders is None:
            yield (
                f"[[client]] number {number}, senders: is not set, so these clients may use every"
                ' sender; list theirs, or write ["*", "<>"] if it is meant so'
            )
    if relay.users:
        yield from _unbound(relay.users)
    for account in configuration.accounts:
        if account.enabled:
            where = f"[[account]] {shown(account.name)}"
            yield from _unprotected(where, account)
            # So that nobody binds one account to its senders, and leaves another open by oversight.
            if not account.senders.texts:
                yield (
                    f"{where}, senders: is not set, so everyone who may send mail to this relay"
                    ' can send through this account; list the senders, or write "*" if it is meant'
                    " for all of them"
                )
    yield from _out_of_turn([each for each in configuration.accounts if each.enabled])
    yield from quota_warnings(configuration.accounts)
    if configuration.reports_account:
        yield from _unprotected("[ndr]", configuration.reports_account)
    yield from direct_warnings(configuration)
    if configuration.web:
        yield from web_warnings(configuration.web)


def _unbound(users: Users) -> Iterator[str]:
    """Find the users who may send as anybody."""
    free = [name for name in users.hashes if name not in users.senders]
    if free:
        more = len(free) - _MOST_NAMES
        names = ", ".join(map(shown, free[:_MOST_NAMES]))
        names += f" and {more} more" if more > 0 else ""
        yield (
            f"{users.path}: {names} may use every sender; list theirs in a third field,"
            " NAME:HASH:MASK, MASK, or write *, <> there if it is meant so"
        )


def _out_of_turn(accounts: Sequence[Account]) -> Iterator[str]:
    """Find the accounts whose masks say nothing, since an earlier account takes all mail.

    Those that it names as its fallback are there for that.
    """
    for number, first in enumerate(accounts):
        if not (_admits_all(first.senders) and _admits_all(first.recipients)):
            continue
        if first.null_sender is NullSender.SKIP:
            continue
        behind = [
            shown(each.name)
            for each in accounts[number + 1 :]
            if not (_admits_all(each.senders) and _admits_all(each.recipients))
            and NULL not in each.senders.texts  # which "*" does not match then
            and each.name not in (first.fallback or ())
        ]
        if behind:
            yield (
                f"[[account]] {shown(first.name)}: takes the mail of every sender to every"
                f" recipient before {' and '.join(behind)} can; the first account that matches"
                " counts, so move this one to the end"
            )
        return


def _admits_all(masks: Masks) -> bool:
    return all(text == "*" for text in masks.texts)


def _everyone(networks: Iterable[Network]) -> bool:
    """Tell whether networks have all addresses of a family, together."""
    old = [network for network in networks if isinstance(network, IPv4Network)]
    new = [network for network in networks if isinstance(network, IPv6Network)]
    together: list[Network] = [*collapse_addresses(old), *collapse_addresses(new)]
    return any(not network.prefixlen for network in together)


def _idle_networks(where: str, networks: Iterable[Network]) -> Iterator[str]:
    """Find the networks that no client comes from."""
    for network in networks:
        if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
            inside = network.network_address.ipv4_mapped
            right = IPv4Network((inside or 0, network.prefixlen - _MAPPED.prefixlen))
            yield (
                f'{where}: "{network}" never matches, since IPv4 clients are known by their IPv4'
                f' address; write "{right}"'
            )
        elif network.is_multicast or (network.is_unspecified and network.num_addresses == 1):
            yield f'{where}: "{network}" never matches, since no client has such an address'


def _taken_networks(
    where: str, networks: Iterable[Network], earlier: list[Network]
) -> Iterator[str]:
    """Find the networks to which an earlier table applies."""
    for network in networks:
        if any(_contains(wide, network) for wide in earlier):
            yield (
                f'{where}: "{network}" never matches, since it is a part of what an earlier'
                " [[client]] lists, and the first one applies; move this table up"
            )


def _contains(wide: Network, network: Network) -> bool:
    if isinstance(wide, IPv4Network):
        return isinstance(network, IPv4Network) and network.subnet_of(wide)
    return isinstance(network, IPv6Network) and network.subnet_of(wide)


def _unprotected(where: str, account: Account) -> Iterator[str]:
    """Find what others on the way to a server can read, or where they can pass for it."""
    if account.tls is Tls.NONE:
        if account.logs_in:
            what = "token" if account.oauth2 else "password"
            yield (
                f'{where}, tls: "none" sends the {what} in the clear, for everyone on the way to'
                ' read; write "starttls", or "implicit" for port 465'
            )
        return
    if account.tls_ciphers:
        yield (
            f"{where}, tls_ciphers: may allow ciphers that are no longer sound; leave it out as"
            " soon as the server knows TLS 1.3, or TLS 1.2 with ECDHE and AES-GCM"
        )
    if not account.tls_verify and not account.hop.tls_dispensable:
        yield (
            f"{where}, tls_verify: is false, so anyone on the way can pass for the server and get"
            " mail and password; name the server's authority in tls_ca, its own name in tls_name,"
            " or its certificate in tls_fingerprint"
        )
