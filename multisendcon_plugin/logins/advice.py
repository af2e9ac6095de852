"""What an admin does when a provider refuses a token for good.  Pure."""

from __future__ import annotations

import shlex

from ..settings.oauth2 import Grant, OAuth2

#: It is the application that the provider does not accept, whoever has signed in.
_ABOUT_THE_APPLICATION = {
    "invalid_client": "check client_id, tenant and {proof} of [account.oauth2], and whether"
    " {proof} has run out",
    "unauthorized_client": "check client_id and tenant of [account.oauth2], and what the"
    " application is allowed to",
    "invalid_scope": "check scope of [account.oauth2]",
    "unsupported_grant_type": "check grant of [account.oauth2]",
    "invalid_request": "check tenant, client_id and scope of [account.oauth2]",
}


def advice(settings: OAuth2, account: str, code: str) -> str:
    """Say what to do.

    :param account: its name.
    :param code: of the refusal.
    """
    if settings.grant is Grant.SERVICE_ACCOUNT:
        return (
            "check service_account_key, mailbox and scope of [account.oauth2], and the delegation"
            " in the provider's admin console"
        )
    if text := _ABOUT_THE_APPLICATION.get(code):
        proof = "client_certificate" if settings.client_certificate else "client_secret"
        return text.format(proof=proof)
    if settings.grant.by_person:
        return sign_in(account)
    return "check [account.oauth2], and what the application is allowed to"


def sign_in(account: str) -> str:
    """Say how somebody signs in.

    :param account: its name.
    """
    return f"run: multisendcon account login {shlex.quote(account)}"
