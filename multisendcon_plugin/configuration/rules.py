"""What the settings demand of each other.

Each rule leaves out what has a fault of its own already.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from ..routing.account import NullSender
from ..routing.hop import Tls
from ..settings.endpoints import PROXY, Endpoint, address_of, parse_endpoint
from ..settings.values import ReportTo
from ..settings.words import nearest, shown
from .direct_rules import broken_direct_rules, is_direct
from .faults import Fault
from .login_rules import broken_login_rules
from .quota_rules import broken_groups
from .section import Section

#: Keys that somebody writes for whom it matters who is at the other end.
_IN_TLS_ONLY = {"tls_name", "tls_fingerprint", "tls_client_certificate"}
_LOCALHOST = ("127.0.0.1", "::1")


def broken_rules(
    master_relay: Section, ndr: Section, accounts: Sequence[Section]
) -> Iterator[Fault]:
    """Check the sections of one file against each other."""
    for section in (*accounts, ndr):
        if is_direct(section):
            yield from broken_direct_rules(section)
        else:
            yield from broken_login_rules(section)
            yield from _tls(section)
    yield from _unique_names(accounts)
    yield from _fallbacks(accounts)
    yield from _null_senders(accounts)
    yield from broken_groups(accounts)
    if accounts and not any(account.value("enabled") for account in accounts):
        yield Fault(reason="every [[account]] has enabled = false; enable at least one")
    yield from _postmaster(ndr)
    yield from _logins(master_relay)
    yield from _proxies(master_relay)
    yield from _loops(master_relay, ndr, accounts)


def _tls(section: Section) -> Iterator[Fault]:
    if "tls_client_key" in section.given and "tls_client_certificate" not in section.given:
        yield section.fault("tls_client_key", "has no certificate; write tls_client_certificate")
    if section.value("tls") is Tls.NONE:
        for key in _IN_TLS_ONLY & section.given.keys():
            yield section.fault(
                key, 'has no effect with tls = "none"; leave it out, or write another tls'
            )
    if not section.value("tls_verify") and "tls_fingerprint" in section.given:
        yield section.fault(
            "tls_verify", "is false, but tls_fingerprint is to be verified; leave one of them out"
        )


def _unique_names(accounts: Sequence[Section]) -> Iterator[Fault]:
    seen = set()
    for account in accounts:
        if account.valid("name"):
            name = account.value("name")
            if name.casefold() in seen:
                yield account.fault("name", "another account has this name; names must be unique")
            seen.add(name.casefold())


def _fallbacks(accounts: Sequence[Section]) -> Iterator[Fault]:
    names = {account.value("name") for account in accounts if account.valid("name")}
    for account in accounts:
        for fallback in account.value("fallback") or ():
            if account.valid("name") and fallback == account.value("name"):
                yield account.fault("fallback", "names the account itself; name another account")
            elif fallback not in names:
                guess = nearest(fallback, names)
                right = f"did you mean {shown(guess)}?" if guess else "name another account"
                yield account.fault("fallback", f"there is no account {shown(fallback)}; {right}")


def _null_senders(accounts: Sequence[Section]) -> Iterator[Fault]:
    for account in accounts:
        if not account.valid("null_sender", "fixed_sender", "senders"):
            continue
        null_sender = account.value("null_sender")
        if null_sender is NullSender.REPLACE and not account.value("fixed_sender"):
            reason = '"replace" needs the address that takes its place; write fixed_sender'
            yield account.fault("null_sender", reason)
        if null_sender is NullSender.SKIP and account.value("senders").admits_null:
            reason = '"skip" refuses what the mask "<>" in senders admits; leave one of them out'
            yield account.fault("null_sender", reason)


def _postmaster(ndr: Section) -> Iterator[Fault]:
    recipient = ndr.value("recipient")
    if recipient is ReportTo.SENDER or not ndr.valid("postmaster"):
        return
    if not ndr.value("postmaster"):
        yield ndr.fault(
            "recipient",
            f"{shown(recipient.value)} needs the address of the postmaster; set postmaster",
        )


def _logins(master_relay: Section) -> Iterator[Fault]:
    certificate = not master_relay.valid("tls_certificate") or master_relay.value("tls_certificate")
    if master_relay.value("tls_key") and not certificate:
        yield master_relay.fault("tls_key", "needs a certificate; set tls_certificate")
    if not master_relay.value("users_from_anywhere"):
        return
    if master_relay.valid("users") and not master_relay.value("users"):
        yield master_relay.fault("users_from_anywhere", "needs a file of users; set users")
    if certificate or not master_relay.valid("listen"):
        return
    endpoints = map(parse_endpoint, master_relay.value("listen"))
    if not any(endpoint.secure for endpoint in endpoints):
        yield master_relay.fault(
            "users_from_anywhere",
            "needs TLS, because logins are not accepted in clear text; set tls_certificate",
        )


def _proxies(master_relay: Section) -> Iterator[Fault]:
    if not master_relay.valid("listen", "proxies") or master_relay.value("proxies"):
        return
    for text in master_relay.value("listen"):
        if text.startswith(PROXY) and not parse_endpoint(text).local:
            reason = f"{shown(text)} needs the addresses of the proxies; set proxies"
            yield master_relay.fault("listen", reason)


def _loops(master_relay: Section, ndr: Section, accounts: Sequence[Section]) -> Iterator[Fault]:
    """Find the servers that are this relay itself, as far as addresses alone tell it."""
    if not master_relay.valid("listen"):
        return
    endpoints = [parse_endpoint(text) for text in master_relay.value("listen")]
    sections = (*accounts, ndr)
    own = {address for section in sections for address in section.value("local_address")}
    for section in sections:
        if not section.valid("server", "port") or not section.value("server"):
            continue
        server, port = section.value("server"), section.value("port")
        if any(_is_served_by(server, port, endpoint, own) for endpoint in endpoints):
            yield section.fault(
                "server",
                f"{shown(server)} with port {port} is this relay itself, so mail would loop;"
                " name the server that comes next",
            )


def _is_served_by(server: str, port: int, endpoint: Endpoint, own: set[str]) -> bool:
    if port != endpoint.port or not endpoint.interface:
        return False
    interface = ip_address(endpoint.interface)
    for text in _LOCALHOST if server.lower() == "localhost" else (server,):
        address = address_of(text)
        if not address:
            return False
        ours = address.is_loopback or address.is_unspecified or str(address) in own
        if address == interface or (interface.is_unspecified and ours):
            return True
    return False
