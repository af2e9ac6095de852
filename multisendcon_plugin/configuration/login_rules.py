"""What the keys of a login demand of each other: of a password, and of ``[account.oauth2]``.

Each rule leaves out what has a fault of its own already.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from ..routing.account import Auth
from ..routing.hop import Tls
from ..settings.endpoints import address_of
from ..settings.oauth2 import Grant, Provider
from ..settings.words import shown
from .faults import Fault
from .section import Section

#: In the order in which they are recommended.
_GRANTS = {
    Provider.MICROSOFT: (Grant.CLIENT_CREDENTIALS, Grant.AUTHORIZATION_CODE, Grant.DEVICE),
    Provider.GOOGLE: (Grant.SERVICE_ACCOUNT, Grant.AUTHORIZATION_CODE),
    Provider.CUSTOM: tuple(Grant),
}
#: What an application has, and a service account has not.
_OF_APPLICATIONS = ("client_id", "client_secret", "client_certificate")
_OF_MICROSOFT = ("tenant", "cloud")
#: Tenants that stand for those of whoever signs in.
_NO_TENANTS = ("common", "organizations", "consumers")
_URLS = {Grant.AUTHORIZATION_CODE: "authorize_url", Grant.DEVICE: "device_url"}


def broken_login_rules(section: Section) -> Iterator[Fault]:
    """Check the login of one account, or of the server for reports."""
    token = section.nested.get("oauth2")
    if token:
        yield from _beside_token(section, token)
        yield from _grant(token)
        yield from _application(token)
        yield from _provider(token)
    elif section.valid("oauth2"):
        yield from _password(section)


def _password(section: Section) -> Iterator[Fault]:
    if section.valid("auth") and section.value("auth").takes_token:
        reason = (
            f"{shown(section.value('auth').value)} needs a token; write the table"
            f" [{section.kind}.oauth2], or another auth"
        )
        yield section.fault("auth", reason)
    if not section.valid("username", "password"):
        return
    username, password = section.value("username"), section.value("password")
    if username and not password:
        yield section.fault("username", "is set without password; set both or neither")
    if password and not username:
        yield section.fault("password", "is set without username; set both or neither")


def _beside_token(section: Section, token: Section) -> Iterator[Fault]:
    if section.valid("password") and section.value("password"):
        yield section.fault("password", "is of no use beside oauth2; leave one of them out")
    nobody = not (section.value("username") or token.value("mailbox"))
    if nobody and section.valid("username") and token.valid("mailbox"):
        yield section.fault("username", "is missing; write the mailbox that logs in")
    auth = section.value("auth")
    if section.valid("auth") and not (auth is Auth.AUTO or auth.takes_token):
        yield section.fault(
            "auth",
            f"{shown(auth.value)} is for passwords; beside oauth2 write"
            ' "auto", "xoauth2" or "oauthbearer"',
        )
    # A password may be all that an old server knows; no server with tokens is so old.
    if section.value("tls") is Tls.NONE and not _is_this_machine(section.value("server")):
        yield section.fault(
            "tls",
            '"none" would send the token in the clear, for everyone on the way to read; write'
            ' "starttls", or "implicit" for port 465',
        )


def _is_this_machine(server: object) -> bool:
    if not isinstance(server, str):
        return True  # it has a fault of its own, or is not there
    if server.lower() == "localhost":
        return True
    address = address_of(server)
    return address is not None and ip_address(address).is_loopback


def _grant(token: Section) -> Iterator[Fault]:
    if not token.valid("provider", "grant"):
        return
    provider, grant = token.value("provider"), token.value("grant")
    if grant not in _GRANTS[provider]:
        *most, last = (shown(each.value) for each in _GRANTS[provider])
        yield token.fault(
            "grant",
            f"{shown(grant.value)} gets no token for mail from {shown(provider.value)}; write"
            f" {', '.join(most)} or {last}",
        )


def _application(token: Section) -> Iterator[Fault]:
    """Check by what the relay proves itself."""
    if "client_key" in token.given and "client_certificate" not in token.given:
        yield token.fault("client_key", "has no certificate; write client_certificate")
    if not token.valid("grant"):
        return
    grant = token.value("grant")
    if grant is Grant.SERVICE_ACCOUNT:
        if "service_account_key" not in token.given:
            yield token.fault(
                "service_account_key", f"is missing; {shown(grant.value)} needs the key's JSON file"
            )
        yield from _useless(token, _OF_APPLICATIONS, f"with grant = {shown(grant.value)}")
        return
    yield from _useless(token, ["service_account_key"], f"with grant = {shown(grant.value)}")
    if token.valid("client_id") and not token.value("client_id"):
        reason = f"is missing; {shown(grant.value)} needs the ID of an application"
        yield token.fault("client_id", reason)
    if not token.valid("client_secret", "client_certificate"):
        return
    secret, certificate = token.value("client_secret"), token.value("client_certificate")
    if secret and certificate:
        reason = "is of no use beside client_secret; leave one of them out"
        yield token.fault("client_certificate", reason)
    if grant is Grant.CLIENT_CREDENTIALS and not (secret or certificate):
        yield token.fault(
            "client_secret",
            f"is missing; {shown(grant.value)} needs the secret of the application, or a"
            " client_certificate",
        )


def _provider(token: Section) -> Iterator[Fault]:
    """Check what the relay has to know of who gives the tokens out."""
    if not token.valid("provider", "grant"):
        return
    provider, grant = token.value("provider"), token.value("grant")
    if provider is Provider.MICROSOFT:
        if grant is Grant.CLIENT_CREDENTIALS:
            yield from _own_tenant(token)
        return
    yield from _useless(token, _OF_MICROSOFT, f"with provider = {shown(provider.value)}")
    if provider is Provider.CUSTOM:
        for key in filter(None, ("token_url", _URLS.get(grant), "scope")):
            if key not in token.given:
                yield token.fault(
                    key,
                    f"is missing; provider = {shown(provider.value)} with grant ="
                    f" {shown(grant.value)} needs it",
                )


def _own_tenant(token: Section) -> Iterator[Fault]:
    if not token.valid("tenant"):
        return
    tenant = token.value("tenant")
    if tenant is None:
        yield token.fault(
            "tenant", "is missing; write the domain or ID of the tenant, since nobody signs in"
        )
    elif tenant.lower() in _NO_TENANTS:
        yield token.fault(
            "tenant",
            f"{shown(tenant)} is the tenant of whoever signs in, and nobody does; write the domain"
            " or ID of your own",
        )


def _useless(token: Section, keys: tuple[str, ...] | list[str], where: str) -> Iterator[Fault]:
    for key in keys:
        if key in token.given:
            yield token.fault(key, f"is of no use {where}; leave it out")
