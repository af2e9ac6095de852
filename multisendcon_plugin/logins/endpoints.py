"""Where providers give out tokens, and what for.  Pure.

The values are those of the providers' documentation; each can be replaced in the settings.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import attrs

from ..settings.oauth2 import Cloud, OAuth2, Provider


@attrs.frozen
class Endpoints:
    """Where one account gets its tokens; ``""``: the provider has none, and none is set.

    :param token: where tokens are asked for.
    :param authorize: where somebody signs in with a browser.
    :param device: where a code for a device is asked for.
    :param scope: what the tokens are good for.
    :param sign_in: what else is said where somebody signs in.
    """

    token: str
    authorize: str = ""
    device: str = ""
    scope: str = ""
    sign_in: tuple[tuple[str, str], ...] = ()


def endpoints_of(settings: OAuth2) -> Endpoints:
    """Return the endpoints of an account: its provider's, unless the settings replace them."""
    known = _KNOWN[settings.provider](settings)
    given: dict[str, Any] = {
        "token": settings.token_url,
        "authorize": settings.authorize_url,
        "device": settings.device_url,
        "scope": settings.scope,
    }
    return attrs.evolve(known, **{name: value for name, value in given.items() if value})


#: Of each cloud of Microsoft: who gives tokens out, who takes those of persons, and who those of
#: applications.
_CLOUDS = {
    Cloud.GLOBAL: (
        "login.microsoftonline.com",
        "outlook.office.com",
        "outlook.office365.com",
    ),
    Cloud.US_GOVERNMENT: (
        "login.microsoftonline.us",
        "outlook.office365.us",
        "outlook.office365.us",
    ),
    Cloud.CHINA: (
        "login.partner.microsoftonline.cn",
        "partner.outlook.cn",
        "partner.outlook.cn",
    ),
}


def _microsoft(settings: OAuth2) -> Endpoints:
    login, persons, applications = _CLOUDS[settings.cloud]
    base = f"https://{login}/{quote(settings.tenant or 'organizations', safe='')}/oauth2/v2.0"
    # An application gets what its administrator has granted, and may name nothing else; a person's
    # token needs offline_access for a refresh token beside it.
    scope = (
        f"https://{persons}/SMTP.Send offline_access"
        if settings.grant.by_person
        else f"https://{applications}/.default"
    )
    return Endpoints(f"{base}/token", f"{base}/authorize", f"{base}/devicecode", scope)


def _google(_settings: OAuth2) -> Endpoints:
    # Without these two there is no refresh token, or only at the first of several sign-ins.  Its
    # sign-in by device does not know the scope of mail.
    return Endpoints(
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/v2/auth",
        scope="https://mail.google.com/",
        sign_in=(("access_type", "offline"), ("prompt", "consent")),
    )


def _custom(settings: OAuth2) -> Endpoints:
    # OpenID Connect Core section 11: who asks for offline_access has to ask for consent.
    offline = "offline_access" in (settings.scope or "").split()
    return Endpoints("", sign_in=(("prompt", "consent"),) if offline else ())


_KNOWN = {
    Provider.MICROSOFT: _microsoft,
    Provider.GOOGLE: _google,
    Provider.CUSTOM: _custom,
}
