"""Warnings: what is no fault of a configuration, but should not stay as it is.

Looks at the files that the configuration names: see ``file``.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

from ..errors import ConfigurationError
from ..routing.account import REPORTS_ACCOUNT, Account, AccountType
from ..settings.files import load_certificate
from ..settings.hostname import is_full
from ..settings.oauth2 import LOGIN_ENDS_SOON, OAuth2
from ..settings.permissions import lax
from ..settings.secret import StoredSecret
from ..settings.words import shown
from .configuration import Configuration
from .risks import risks


def warnings(configuration: Configuration, now: float) -> list[str]:
    """Return a sentence for each.

    :param now: seconds since the epoch.
    """
    certificates = _certificates(configuration)
    return [
        *_short_names(configuration),
        *risks(configuration),
        *_lax_files(configuration),
        *_no_archive(configuration),
        *_dates(certificates, now),
        *_ends_of_tokens(configuration, now),
    ]


def _accounts(configuration: Configuration) -> list[Account]:
    """Return the accounts that are used."""
    reports = configuration.reports_account
    accounts = [account for account in configuration.accounts if account.enabled]
    return [*accounts, reports] if reports else accounts


def _tokens(configuration: Configuration) -> list[OAuth2]:
    """Return where the tokens of accounts come from."""
    return [account.oauth2 for account in _accounts(configuration) if account.oauth2]


def _certificates(configuration: Configuration) -> list[tuple[str, str | None]]:
    """Return the files of each certificate of ours, and of its key."""
    relay = configuration.master_relay
    found = [
        (relay.tls_certificate, relay.tls_key),
        *((each.tls_client_certificate, each.tls_client_key) for each in _accounts(configuration)),
        *((each.client_certificate, each.client_key) for each in _tokens(configuration)),
    ]
    # Accounts may share one, with each other and with the relay.
    return list(dict.fromkeys((certificate, key) for certificate, key in found if certificate))


def _short_names(configuration: Configuration) -> Iterator[str]:
    """Find the names that servers refuse as no domain of the Internet (RFC 5321, 2.3.5).

    Warned of, since many servers accept them all the same.
    """
    hostname = configuration.master_relay.hostname
    names = {"[master_relay], hostname": hostname}
    enabled = [account for account in configuration.accounts if account.enabled]
    for account in enabled:
        if account.helo_domain != hostname:
            names[f"[[account]] {shown(account.name)}, helo_domain"] = account.helo_domain
    direct = {each.helo_domain for each in enabled if each.type is AccountType.DIRECT}
    for where, name in names.items():
        # An address literal is a full name, but strangers trust none.
        if is_full(name) and not (name in direct and name.startswith("[")):
            continue
        servers = "most mail servers of recipients" if name in direct else "some servers"
        yield (
            f"{where}: {shown(name)} is not a fully qualified name, and {servers} reject all"
            " mail from a client that uses such a name in EHLO (504); write the name that this"
            ' machine has in the DNS, for example "relay.example.com"'
        )


def _lax_files(configuration: Configuration) -> Iterator[str]:
    """Look at who else may change or read the files."""
    web = configuration.web
    users = [configuration.master_relay.users, web.users if web else None]
    spool = configuration.spool.path
    passwords = [
        *(account.password for account in _accounts(configuration)),
        *(each.client_secret for each in _tokens(configuration)),
    ]
    secrets = [
        configuration.path if configuration.has_secrets else None,
        *(key or certificate for certificate, key in _certificates(configuration)),
        *(each.path if each else None for each in users),
        *(each.path for each in passwords if isinstance(each, StoredSecret)),
        *(each.service_account_key for each in _tokens(configuration)),
    ]
    others = [
        configuration.path,
        *(certificate for certificate, _ in _certificates(configuration)),
        *(account.tls_ca for account in _accounts(configuration)),
        *(spool, f"{spool}/content"),
    ]
    told = [
        *(each for path in dict.fromkeys(secrets) if path for each in lax(path, secret=True)),
        *(each for path in dict.fromkeys(others) if path for each in lax(path, secret=False)),
    ]
    # A folder may be around many of them.
    yield from dict.fromkeys(told)


def _no_archive(configuration: Configuration) -> Iterator[str]:
    for account in _accounts(configuration):
        if account.archive and configuration.archive.path is None:
            yield (
                f"[[account]] {shown(account.name)}, archive: no copy is kept, since [archive] has"
                " no path; write the folder for the copies there"
            )


def _dates(certificates: Iterable[tuple[str, str | None]], now: float) -> Iterator[str]:
    for path, key in certificates:
        try:
            # An expired one is no fault: mail without TLS should not stop because of it.
            certificate = load_certificate(path, key)
        except ConfigurationError as error:
            yield from error.faults
        else:
            if warning := certificate.warning(now):
                yield f"{path}: {warning}"


def _ends_of_tokens(configuration: Configuration, now: float) -> Iterator[str]:
    today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
    for account in _accounts(configuration):
        days = account.oauth2.days_left(today) if account.oauth2 else None
        if account.oauth2 is None or days is None or days > LOGIN_ENDS_SOON:
            continue
        end = f"on {account.oauth2.expires}"
        when = f"ran out {end}" if days < 0 else f"runs out in {days} days, {end}"
        yield (
            f"{_place(account)}, oauth2, expires: the secret or certificate {when}; have the"
            " provider make or take another one, and write its day here"
        )


def _place(account: Account) -> str:
    reports = account.name == REPORTS_ACCOUNT
    return account.name if reports else f"[[account]] {shown(account.name)}"
