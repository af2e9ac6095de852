"""What the settings demand of each other.

Each rule leaves out what has a fault of its own already.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from ..account import NullSender
from .endpoints import Endpoint, parse_endpoint
from .faults import Fault, nearest, shown
from .section import Section
from .values import ReportTo

_LOCALHOST = ("127.0.0.1", "::1")


def broken_rules(
    master_relay: Section, ndr: Section, accounts: Sequence[Section]
) -> Iterator[Fault]:
    """Check the sections of one file against each other."""
    for section in (*accounts, ndr):
        yield from _login(section)
    yield from _unique_names(accounts)
    yield from _fallbacks(accounts)
    yield from _null_senders(accounts)
    if accounts and not any(account.value("enabled") for account in accounts):
        yield Fault(reason="every [[account]] has enabled = false; enable at least one")
    yield from _postmaster(ndr)
    yield from _logins(master_relay)
    yield from _loops(master_relay, ndr, accounts)


def _login(section: Section) -> Iterator[Fault]:
    if not section.sound("username", "password"):
        return
    username, password = section.value("username"), section.value("password")
    if username and not password:
        yield section.fault("username", "has no password; write password, or leave both out")
    if password and not username:
        yield section.fault("password", "has no username; write username, or leave both out")


def _unique_names(accounts: Sequence[Section]) -> Iterator[Fault]:
    seen = set()
    for account in accounts:
        if account.sound("name"):
            name = account.value("name")
            if name.casefold() in seen:
                yield account.fault("name", "another account has this name; write one of its own")
            seen.add(name.casefold())


def _fallbacks(accounts: Sequence[Section]) -> Iterator[Fault]:
    names = {account.value("name") for account in accounts if account.sound("name")}
    for account in accounts:
        for fallback in account.value("fallback") or ():
            if account.sound("name") and fallback == account.value("name"):
                yield account.fault("fallback", "names the account itself; name another")
            elif fallback not in names:
                guess = nearest(fallback, names)
                right = f"did you mean {shown(guess)}?" if guess else "name another account"
                yield account.fault("fallback", f"there is no account {shown(fallback)}; {right}")


def _null_senders(accounts: Sequence[Section]) -> Iterator[Fault]:
    for account in accounts:
        if not account.sound("null_sender", "fixed_sender", "senders"):
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
    if recipient is ReportTo.SENDER or not ndr.sound("postmaster"):
        return
    if not ndr.value("postmaster"):
        yield ndr.fault(
            "recipient",
            f"{shown(recipient.value)} needs the postmaster's address; write postmaster",
        )


def _logins(master_relay: Section) -> Iterator[Fault]:
    certificate = not master_relay.sound("tls_certificate") or master_relay.value("tls_certificate")
    if master_relay.value("tls_key") and not certificate:
        yield master_relay.fault("tls_key", "has no certificate; write tls_certificate")
    if not master_relay.value("users_from_anywhere"):
        return
    if master_relay.sound("users") and not master_relay.value("users"):
        yield master_relay.fault("users_from_anywhere", "needs the file of the users; write users")
    if certificate or not master_relay.sound("listen"):
        return
    endpoints = map(parse_endpoint, master_relay.value("listen"))
    if not any(endpoint.secure for endpoint in endpoints):
        yield master_relay.fault(
            "users_from_anywhere",
            "needs TLS, because no login is taken in the clear; write tls_certificate",
        )


def _loops(master_relay: Section, ndr: Section, accounts: Sequence[Section]) -> Iterator[Fault]:
    """Find the servers that are this relay itself, as far as addresses alone tell it."""
    if not master_relay.sound("listen"):
        return
    endpoints = [parse_endpoint(text) for text in master_relay.value("listen")]
    own = {account.value("local_address") for account in accounts}
    for section in (*accounts, ndr):
        if not section.sound("server", "port") or not section.value("server"):
            continue
        server, port = section.value("server"), section.value("port")
        if any(_is_served_by(server, port, endpoint, own) for endpoint in endpoints):
            yield section.fault(
                "server",
                f"{shown(server)} with port {port} is this relay itself, so mail would go"
                " round in a loop; write the server that takes the mail from here",
            )


def _is_served_by(server: str, port: int, endpoint: Endpoint, own: set[str | None]) -> bool:
    if port != endpoint.port or not endpoint.interface:
        return False
    interface = ip_address(endpoint.interface)
    for text in _LOCALHOST if server.lower() == "localhost" else (server,):
        try:
            address = ip_address(text)
        except ValueError:
            return False
        ours = address.is_loopback or address.is_unspecified or str(address) in own
        if address == interface or (interface.is_unspecified and ours):
            return True
    return False
