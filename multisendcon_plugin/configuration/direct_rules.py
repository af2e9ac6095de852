"""What an account of type "direct" demands, what is of no use to it, and what is warned of.

Its servers are strangers, and there are many: what is about one server or about a login has no
meaning.  Rules of logins and of one server's TLS are for the others.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address

from ..routing.account import Account, AccountType
from ..routing.hop import Tls
from ..settings.destinations import DestinationSettings, forms
from ..settings.dns import NameServer
from ..settings.words import shown
from .configuration import Configuration
from .faults import Fault
from .section import Section

_SERVER = "finds the servers of each recipient in the DNS"
_LOGIN = "logs in nowhere"
_CERTIFICATE = "has each domain say what it demands of certificates (MTA-STS, DANE)"
#: Keys that it cannot have, with the reason.
_USELESS = {
    "preset": _SERVER,
    "server": _SERVER,
    "port": "sends to port 25, as RFC 5321 has it",
    "username": _LOGIN,
    "password": _LOGIN,
    "auth": _LOGIN,
    "oauth2": _LOGIN,
    "tls_verify": _CERTIFICATE,
    "tls_name": _CERTIFICATE,
    "tls_fingerprint": _CERTIFICATE,
    "tls_client_certificate": _LOGIN,
    "tls_client_key": _LOGIN,
}


def is_direct(account: Section) -> bool:
    """Tell whether a table is that of an account of type "direct"."""
    return bool(account.given.get("type") == AccountType.DIRECT.value)


def broken_direct_rules(account: Section) -> Iterator[Fault]:
    """Check one such account."""
    for key, reason in _USELESS.items():
        if key in account.given:
            yield account.fault(
                key,
                f'is of no use to an account of type "direct", which {reason}; leave it out, or'
                ' write type = "smtp"',
            )
    if account.value("tls") is Tls.IMPLICIT:
        yield account.fault(
            "tls",
            '"implicit" is not known to the mail servers of recipients; write "auto", or'
            ' "starttls" to send nothing in the clear',
        )


def direct_warnings(configuration: Configuration) -> Iterator[str]:
    """Yield a sentence for each thing of direct delivery that was probably meant otherwise."""
    if configuration.dns.trust_ad:
        yield from _believed(configuration.dns.servers)
    direct = [each for each in configuration.accounts if each.type is AccountType.DIRECT]
    if configuration.destinations and not direct:
        yield (
            "[[destination]]: has no effect, since no account delivers directly; leave it out, or"
            ' write type = "direct" in the account that is meant'
        )
    yield from _taken_domains(configuration.destinations)
    if direct:
        yield from _beyond_accounts(configuration.destinations, direct)


def _believed(servers: Sequence[NameServer]) -> Iterator[str]:
    """Find the DNS servers that somebody on the way to them can speak for."""
    where = "[dns], trust_ad"
    if not servers:
        yield (
            f"{where}: is true for whatever servers the system has, which a network may have named;"
            " write those that you mean in servers"
        )
    for server in servers:
        if not ip_address(server.address).is_private:
            yield (
                f'{where}: is true, but everyone on the way to "{server}" can pass for it, and have'
                " mail delivered to themselves; run a resolver that verifies DNSSEC, such as"
                " unbound, on this machine, and name that in servers"
            )


def _taken_domains(destinations: Iterable[DestinationSettings]) -> Iterator[str]:
    """Find the domains to which an earlier table applies."""
    earlier: set[str] = set()
    for number, destination in enumerate(destinations, 1):
        for domain in destination.domains:
            if not earlier.isdisjoint(forms(domain)):
                yield (
                    f"[[destination]] number {number}, domains: {shown(domain)} never counts, since"
                    " an earlier [[destination]] has it, and the first one applies; move this"
                    " table up"
                )
        earlier.update(destination.domains)


def _beyond_accounts(
    destinations: Iterable[DestinationSettings], accounts: Sequence[Account]
) -> Iterator[str]:
    """Find the numbers that have no effect, since no account has as many."""
    most = {
        "max_connections": max(each.max_connections for each in accounts),
        "max_mails_per_connection": max(each.max_mails_per_connection for each in accounts),
    }
    for number, destination in enumerate(destinations, 1):
        for key, allowed in most.items():
            written = getattr(destination, key) or 0
            if written > allowed:
                yield (
                    f"[[destination]] number {number}, {key}: {written} is more than the {allowed}"
                    f" that a direct account has; raise {key} of the account as well, or write less"
                )
