"""What an administrator of Google Workspace, or a user of Gmail, has to set up.  Pure."""

from __future__ import annotations

from ..logins.endpoints import endpoints_of
from ..routing.account import Account
from ..settings.oauth2 import Grant, OAuth2

_SERVICE_ACCOUNT = """\
# {account}: logs in as {user}, by a service account
# In the Admin console (admin.google.com), as a super administrator: Security, Access and data
# control, API controls, Manage domain-wide delegation, Add new:
Client ID:    {client}
OAuth scopes: {scope}
# Google may need a day until it knows of this.  The service account may then send as every user
# of the Workspace: keep its key where only the relay can read it."""
_PERSON = """\
# {account}: somebody signs in once as {user}
# In the Google Cloud console (console.cloud.google.com), in a project of yours:
#   APIs & Services, Library: enable the Gmail API.
#   Google Auth Platform, Audience: Internal, if all users are in your Workspace; else External,
#   and Publish app: while it is in testing, each sign-in ends after 7 days.
#   Google Auth Platform, Data Access: the scope {scope}
#   Google Auth Platform, Clients: one of the type Desktop app; its ID and its secret are client_id
#   and client_secret.
# In a Workspace, an administrator may have to trust that client ID (admin.google.com: Security,
# Access and data control, API controls, App access control)."""
_UNKNOWN = "(client_id in the key of the service account)"


def lines(account: Account, oauth2: OAuth2, service_account: str | None) -> list[str]:
    """Return the lines for an account.

    :param service_account: the client ID of the service account; ``None``: it is not known.
    """
    text = _SERVICE_ACCOUNT if oauth2.grant is Grant.SERVICE_ACCOUNT else _PERSON
    names = {
        "account": account.name,
        "user": account.sasl_user,
        "client": service_account or _UNKNOWN,
        "scope": endpoints_of(oauth2).scope,
    }
    return text.format_map(names).split("\n")
