"""Warnings: what is no fault of a configuration, but should not stay as it is.

Looks at the files that the configuration names: see ``file``.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigurationError
from ..hostname import is_full
from .faults import shown
from .file import load_certificate
from .values import Configuration, MasterRelay


def warnings(configuration: Configuration, now: float) -> list[str]:
    """Return a sentence for each.

    :param now: seconds since the epoch.
    """
    settings = configuration.master_relay
    return [
        *_short_names(configuration),
        *_readable_secrets(settings),
        *_certificate(settings, now),
    ]


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


def _readable_secrets(settings: MasterRelay) -> Iterator[str]:
    secrets = [settings.tls_key or settings.tls_certificate]
    if settings.users:
        secrets.append(settings.users.path)
    for path in secrets:
        if path and _everybody_reads(path):
            yield f"{path}: readable by everyone on this machine; run chmod o= on it"


def _everybody_reads(path: str) -> bool:
    try:
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _certificate(settings: MasterRelay, now: float) -> Iterator[str]:
    if not settings.tls_certificate:
        return
    try:
        certificate = load_certificate(settings.tls_certificate, settings.tls_key)
    except ConfigurationError as error:
        yield from error.faults
    else:
        if warning := certificate.doubt(now):
            yield f"{settings.tls_certificate}: {warning}"
