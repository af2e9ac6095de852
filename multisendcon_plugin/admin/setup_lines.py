"""What has to be set up at the provider of an account's tokens, as lines to paste.

Made from the settings of the account alone; nothing in them is secret, and nothing in a name can
become a command.  Pure.
"""

from __future__ import annotations

from ..logins.endpoints import endpoints_of
from ..routing.account import Account
from ..settings.commands import account_login, account_test
from ..settings.oauth2 import Grant, OAuth2, Provider
from . import setup_google, setup_microsoft


def setup_lines(account: Account, oauth2: OAuth2, service_account: str | None = None) -> list[str]:
    """Return the lines, without ends; ``#`` begins what is for people only.

    :param oauth2: of the account.
    :param service_account: the client ID of the service account; ``None``: it is not known.
    """
    if oauth2.provider is Provider.MICROSOFT:
        lines = setup_microsoft.lines(account, oauth2)
    elif oauth2.provider is Provider.GOOGLE:
        lines = setup_google.lines(account, oauth2, service_account)
    else:
        lines = _custom(account, oauth2)
    return [*lines, "", "# Then:", *_commands(account, oauth2)]


def _commands(account: Account, oauth2: OAuth2) -> list[str]:
    login = [f"#   {account_login(account.name)}"] if oauth2.grant.by_person else []
    return [*login, f"#   {account_test(account.name)}"]


def _custom(account: Account, oauth2: OAuth2) -> list[str]:
    endpoints = endpoints_of(oauth2)
    return [
        f"# {account.name}: logs in as {account.sasl_user}, with tokens of {endpoints.token}",
        "# Register the relay there as an application, with:",
        *_GRANTS[oauth2.grant],
        f"#   the scope: {endpoints.scope or _SCOPE}",
        f"# It is to be known as (client_id): {oauth2.client_id}",
    ]


_SCOPE = 'that of SMTP; name it in "scope"'
_GRANTS: dict[Grant, list[str]] = {
    Grant.CLIENT_CREDENTIALS: ["#   the grant: client credentials (RFC 6749, section 4.4)"],
    Grant.DEVICE: ["#   the grant: device code (RFC 8628), with a refresh token"],
    Grant.AUTHORIZATION_CODE: [
        "#   the grant: authorization code with PKCE (RFC 7636), with a refresh token",
        "#   the redirect URI: http://127.0.0.1, with any port (RFC 8252, section 7.3)",
    ],
    Grant.SERVICE_ACCOUNT: ["#   the grant: JWT bearer (RFC 7523)"],
}
