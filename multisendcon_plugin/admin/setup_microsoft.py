"""What an administrator of Microsoft 365 has to set up for an account, for PowerShell.

Recommended for applications is a role for one mailbox (RBAC for Applications), as Microsoft's "SMTP
onboarding to App RBAC" has it since the end of 2025; the way before that, a permission for all
mailboxes and full access to one, is printed as well.  They exclude each other.  Pure.
"""

from __future__ import annotations

from ..operations.powershell import quoted
from ..routing.account import Account
from ..settings.oauth2 import Cloud, Grant, OAuth2

_APPLICATION = """\
# {account}: logs in as {user}, by the application {client}
# For PowerShell, by an administrator of Exchange and of applications.  The modules, once:
#   Install-Module ExchangeOnlineManagement, Microsoft.Graph.Applications -Scope CurrentUser
Connect-ExchangeOnline{exchange_cloud}
Connect-MgGraph{graph_cloud}{tenant} -Scopes Application.Read.All

# SMTP has to be allowed for the mailbox, for tokens as well as for passwords.
Set-CASMailbox -Identity {mailbox} -SmtpClientAuthenticationDisabled $false

# Exchange has to know the application, by the object ID of the ENTERPRISE application.  That of
# the app registration is another one, with which logins are refused: 535 5.7.3.  (It is shown in
# the Entra admin center, too: Enterprise applications, the application, Object ID.)
$principal = (Get-MgServicePrincipal -Filter {by_application}).Id
New-ServicePrincipal -AppId {application} -ObjectId $principal `
    -DisplayName 'multisendcon'

# Recommended: a role for this mailbox alone.  Beside it, the application must not have the API
# permission SMTP.SendAsApp, or Exchange wants the permissions of the classic way as well.
New-ManagementScope -Name {name} `
    -RecipientRestrictionFilter {only_mailbox}
New-ManagementRoleAssignment -Name {name} `
    -App {application} `
    -Role 'Application SMTP.SendAsApp' -CustomResourceScope {name}
Test-ServicePrincipalAuthorization -Identity {application} `
    -Resource {mailbox} | Format-Table

# Or, INSTEAD of the role, the classic way: give the application the API permission
# SMTP.SendAsApp (Office 365 Exchange Online, application permissions), with the consent of an
# administrator, and
#   Add-MailboxPermission -Identity {mailbox} -User $principal -AccessRights FullAccess
{send_as}
# Exchange Online may need two hours until it knows of all this."""
_PERSON = """\
# {account}: somebody signs in once, and the relay logs in as {user}
# In the Entra admin center: App registrations, New registration, for accounts in this
# organization only; or the application {client}.  There:
#   Authentication: {platform}
#   API permissions: Microsoft Graph, delegated: SMTP.Send and offline_access; then Grant admin
#   consent, where users may not consent themselves.

# For PowerShell, by an administrator of Exchange:
Connect-ExchangeOnline{exchange_cloud}
# SMTP has to be allowed for the mailbox, for tokens as well as for passwords.
Set-CASMailbox -Identity {mailbox} -SmtpClientAuthenticationDisabled $false
{shared}{send_as}"""
_SHARED = """\
# The mailbox is not that of the user who signs in:
Add-MailboxPermission -Identity {mailbox} -User {person} -AccessRights FullAccess
Add-RecipientPermission -Identity {mailbox} -Trustee {person} -AccessRights SendAs
"""
#: That an address is an alias cannot be seen here.
_SEND_AS = """\
# The account sends as {sender}: unless that is an address of the same mailbox,
#   Add-RecipientPermission -Identity {quoted_sender} -Trustee {person} -AccessRights SendAs
"""
_BROWSER = "platform Mobile and desktop applications, redirect URI http://localhost"
_PUBLIC = "Allow public client flows: Yes"

#: Of the connections to Exchange Online and to Graph.
_CLOUDS = {
    Cloud.GLOBAL: ("", ""),
    Cloud.US_GOVERNMENT: (" -ExchangeEnvironmentName O365USGovGCCHigh", " -Environment USGov"),
    Cloud.CHINA: (" -ExchangeEnvironmentName O365China", " -Environment China"),
}
#: That a name in Exchange may have.
_LONGEST_NAME = 64


def lines(account: Account, oauth2: OAuth2) -> list[str]:
    """Return the lines for an account."""
    user = account.sasl_user
    exchange_cloud, graph_cloud = _CLOUDS[oauth2.cloud]
    by_person = oauth2.grant.by_person
    names = {
        "account": account.name,
        "user": user,
        "client": oauth2.client_id,
        "exchange_cloud": exchange_cloud,
        "graph_cloud": graph_cloud,
        "tenant": f" -TenantId {quoted(oauth2.tenant)}" if oauth2.tenant else "",
        "mailbox": quoted(user),
        "application": quoted(oauth2.client_id),
        "name": quoted(f"multisendcon {user}"[:_LONGEST_NAME]),
        "only_mailbox": quoted(f"PrimarySmtpAddress -eq {_in_a_filter(user)}"),
        "by_application": quoted(f"appId eq {_in_a_filter(oauth2.client_id)}"),
        "platform": _platform(oauth2),
        "person": quoted(account.username or user) if by_person else "$principal",
        "sender": account.fixed_sender or "",
        "quoted_sender": quoted(account.fixed_sender or ""),
    }
    names["shared"] = _SHARED.format_map(names) if _other(account.username, user) else ""
    has_rights = {user, account.username} if by_person else {user}
    names["send_as"] = (
        _SEND_AS.format_map(names) if _other(account.fixed_sender, *has_rights) else ""
    )
    return (_PERSON if by_person else _APPLICATION).format_map(names).rstrip("\n").split("\n")


def _other(address: str | None, *known: str) -> bool:
    """Tell whether there is an address, and it is none of those that are known."""
    return bool(address) and str(address).lower() not in {each.lower() for each in known}


def _platform(oauth2: OAuth2) -> str:
    """Return what the application has to be."""
    is_public = not oauth2.client_secret and oauth2.client_certificate is None
    if oauth2.grant is not Grant.AUTHORIZATION_CODE:
        return _PUBLIC
    return f"{_BROWSER}\n#   Authentication: {_PUBLIC}" if is_public else _BROWSER


def _in_a_filter(value: str) -> str:
    """Return a value as a string in a filter of Exchange (OPATH) or of Graph (OData)."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
