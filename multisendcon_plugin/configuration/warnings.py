"""Warnings: what is no fault of a configuration, but should not stay as it is.

Looks at the files that the configuration names: see ``file``.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import ConfigurationError
from ..hostname import is_full
from .faults import shown
from .file import load_certificate
from .values import Configuration

#: Users that one warning names.
_MOST_NAMES = 5


def warnings(configuration: Configuration, now: float) -> list[str]:
    """Return a sentence for each.

    :param now: seconds since the epoch.
    """
    certificates = _certificates(configuration)
    users = configuration.master_relay.users
    secrets = [key or certificate for certificate, key in certificates]
    return [
        *_short_names(configuration),
        *_unbound(configuration),
        *_readable_secrets([*secrets, users.path] if users else secrets),
        *_dates(certificates, now),
    ]


def _certificates(configuration: Configuration) -> list[tuple[str, str | None]]:
    """Return the files of each certificate of ours, and of its key."""
    relay, reports = configuration.master_relay, configuration.ndr.account
    accounts = [account for account in configuration.accounts if account.enabled]
    accounts += [reports] if reports else []
    found = [
        (relay.tls_certificate, relay.tls_key),
        *((each.tls_client_certificate, each.tls_client_key) for each in accounts),
    ]
    # Accounts may share one, with each other and with the relay.
    return list(dict.fromkeys((certificate, key) for certificate, key in found if certificate))


def _short_names(configuration: Configuration) -> Iterator[str]:
    """Find the names that servers refuse as no domain of the Internet (RFC 5321, 2.3.5)."""
    hostname = configuration.master_relay.hostname
    names = {"[master_relay], hostname": hostname}
    for account in configuration.accounts:
        if account.enabled and account.helo_domain != hostname:
            names[f"[[account]] {shown(account.name)}, helo_domain"] = account.helo_domain
    for where, name in names.items():
        if not is_full(name):
            yield (
                f"{where}: {shown(name)} is not a fully qualified name, and some servers reject all"
                " mail from a client that uses such a name in EHLO (504); write the name that this"
                ' machine has in the DNS, for example "relay.example.com"'
            )


def _unbound(configuration: Configuration) -> Iterator[str]:
    """Find who may send as anybody."""
    for number, client in enumerate(configuration.clients, 1):
        if client.senders is None:
            yield (
                f"[[client]] number {number}, senders: not set, so these clients may use every"
                ' sender; write the masks of theirs, or ["*", "<>"] if they are to'
            )
    users = configuration.master_relay.users
    free = [name for name in users.hashes if name not in users.senders] if users else []
    if users and free:
        more = len(free) - _MOST_NAMES
        names = ", ".join(map(shown, free[:_MOST_NAMES]))
        names += f" and {more} more" if more > 0 else ""
        yield (
            f"{users.path}: {names} may use every sender; add the masks of theirs as a third"
            " field, NAME:HASH:MASK, MASK, or :*, <> if they are to"
        )


def _readable_secrets(secrets: Iterable[str]) -> Iterator[str]:
    for path in dict.fromkeys(secrets):
        if _everybody_reads(path):
            yield f"{path}: readable by everyone on this machine; run chmod o= on it"


def _everybody_reads(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _dates(certificates: Iterable[tuple[str, str | None]], now: float) -> Iterator[str]:
    for path, key in certificates:
        try:
            certificate = load_certificate(path, key)
        except ConfigurationError as error:
            yield from error.faults
        else:
            if warning := certificate.doubt(now):
                yield f"{path}: {warning}"
