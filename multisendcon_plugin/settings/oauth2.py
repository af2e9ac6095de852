"""``[account.oauth2]``: logins by token (RFC 6749), and where the tokens come from.

As in `values`: each key is declared here and nowhere else.  Pure.
"""

from __future__ import annotations

import datetime
import enum
import re

import attrs

from . import kinds, names
from .keys import key
from .secret import Secret
from .service_account import key_file
from .words import InvalidValueError, shown

#: Days before the end of a login from which that is worth saying: it has to be had from others.
LOGIN_ENDS_SOON = 30

#: A part of the path of an address, as which it is written.
_TENANT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class Provider(enum.Enum):
    """Who gives the tokens out."""

    MICROSOFT = "microsoft"
    GOOGLE = "google"
    CUSTOM = "custom"


class Cloud(enum.Enum):
    """Which of Microsoft's clouds it is."""

    GLOBAL = "global"
    US_GOVERNMENT = "us-government"
    CHINA = "china"


class Grant(enum.Enum):
    """How tokens are got."""

    CLIENT_CREDENTIALS = "client_credentials"
    """By a secret or certificate of an application (RFC 6749 section 4.4)."""
    DEVICE = "device"
    """Somebody signs in once, on any device (RFC 8628)."""
    AUTHORIZATION_CODE = "authorization_code"
    """Somebody signs in once, in a browser (RFC 6749 section 4.1, RFC 7636)."""
    SERVICE_ACCOUNT = "service_account"
    """By a key of a service account (RFC 7523)."""

    @property
    def by_person(self) -> bool:
        """Somebody has to sign in once: `multisendcon account login`."""
        return self in (Grant.DEVICE, Grant.AUTHORIZATION_CODE)


def tenant_name(value: object) -> str:
    """Convert a tenant of Microsoft."""
    name = kinds.text(value)
    if not _TENANT.fullmatch(name):
        raise InvalidValueError(
            f"{shown(name)} is not a tenant; write its domain or its ID, for example"
            ' "example.onmicrosoft.com"'
        )
    return name


def date(value: object) -> datetime.date:
    """Convert a date."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    raise InvalidValueError(
        f"{shown(value)} is not a date; write for example 2027-05-01, without quotes"
    )


@attrs.frozen(kw_only=True)
class OAuth2:
    """``[account.oauth2]``: how an account gets its tokens."""

    provider: Provider = key(
        kinds.choice(Provider),
        doc="Who gives the tokens out.",
    )
    grant: Grant = key(
        kinds.choice(Grant),
        doc="How tokens are got.",
    )
    client_id: str = key(
        kinds.unless_empty(kinds.text),
        default="",
        doc="The ID of the application as which the relay is registered.",
    )
    client_secret: Secret = key(
        kinds.secret,
        default="",
        secret=True,
        doc="The secret of that application, or the place where it is kept.",
    )
    client_certificate: str | None = key(
        kinds.readable_file,
        default=None,
        doc="The certificate of that application, a PEM file, instead of a secret; unset: none.",
    )
    client_key: str | None = key(
        kinds.readable_file,
        default=None,
        doc="The private key of that certificate, a PEM file without a passphrase; unset: it is in"
        " the file of the certificate.",
    )
    service_account_key: str | None = key(
        key_file,
        default=None,
        doc="The key of a service account of Google, a JSON file; unset: none.",
    )
    tenant: str | None = key(
        tenant_name,
        default=None,
        doc="The tenant of Microsoft in which the application is, a domain or an ID; unset:"
        " organizations, where somebody signs in.",
    )
    cloud: Cloud = key(
        kinds.choice(Cloud),
        default=Cloud.GLOBAL,
        doc="Which of Microsoft's clouds the tenant is in.",
    )
    mailbox: str | None = key(
        kinds.text,
        default=None,
        doc="The mailbox as which the relay logs in; unset: username.",
    )
    expires: datetime.date | None = key(
        date,
        default=None,
        doc="The day on which the secret or certificate runs out, of which alarms tell in time;"
        " unset: no alarms.",
    )
    token_url: str | None = key(
        names.token_address,
        default=None,
        doc="Where tokens are asked for; unset: as the provider has it.",
    )
    authorize_url: str | None = key(
        names.token_address,
        default=None,
        doc="Where somebody signs in with a browser; unset: as the provider has it.",
    )
    device_url: str | None = key(
        names.token_address,
        default=None,
        doc="Where a code for a device is asked for; unset: as the provider has it.",
    )
    scope: str | None = key(
        kinds.text,
        default=None,
        doc="What the tokens are good for; unset: as the provider has it.",
    )

    def without_proof(self) -> OAuth2:
        """Return it without that by which the application proves itself: for whom tokens are."""
        return attrs.evolve(
            self, client_secret="", client_certificate=None, client_key=None, expires=None
        )

    def days_left(self, today: datetime.date) -> int | None:
        """Return in how many days the secret or certificate runs out, 0 on that day; None: unknown.

        :param today: of UTC.
        """
        return (self.expires - today).days if self.expires else None
