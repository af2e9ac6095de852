"""Rows of advice about logins: what servers say to a password or a token.  Pure."""

from __future__ import annotations

from ..mail.phase import Phase
from ..outcome.failure import TRANSACTION, Action
from ..settings.oauth2 import Grant
from .advice_row import BY_PERSON, TOKEN, Row

_LOGIN = frozenset({Phase.LOGIN})
_ALLOW_SMTP = (
    "Set-CASMailbox -Identity {powershell_mailbox} -SmtpClientAuthenticationDisabled $false"
)
_GUIDE = "docs/microsoft365.rst says how"

_MICROSOFT = (
    Row(
        _LOGIN,
        "SmtpClientAuthentication is disabled for the Mailbox",
        "Allow SMTP for the mailbox, which tokens need as well, in the PowerShell of Exchange"
        f" Online: {_ALLOW_SMTP}",
    ),
    Row(
        _LOGIN,
        "SmtpClientAuthentication is disabled for the Tenant",
        "Allow SMTP for the mailbox, which comes before what is set for the tenant, in the"
        f" PowerShell of Exchange Online: {_ALLOW_SMTP}",
    ),
    Row(
        _LOGIN | TRANSACTION,
        r"5\.7\.30\b|5\.7\.139.*basic authentication",
        'Exchange Online takes no password here: set up [account.oauth2] instead of "password";'
        f" {_GUIDE}. Until then, an administrator of the tenant may be able to allow passwords once"
        " more.",
    ),
    Row(
        _LOGIN,
        r"5\.7\.139.*security defaults",
        "The security defaults of the tenant lock logins with a password: set up [account.oauth2]"
        f' instead of "password"; {_GUIDE}.',
    ),
    Row(
        _LOGIN,
        r"5\.7\.139.*credentials were incorrect",
        'Check "username" ({username}) and "password"; where they are right, a second factor or a'
        " policy of the tenant is probably in the way, and [account.oauth2] is the way out:"
        f" {_GUIDE}.",
    ),
    Row(
        _LOGIN,
        r"5\.7\.139",
        "Probably a policy of the tenant (an authentication policy of Exchange Online, or"
        " Conditional Access) does not let {mailbox} log in so. The sign-in log of Entra names it;"
        f" {_GUIDE}.",
    ),
    Row(
        _LOGIN,
        r"^535 5\.7\.3\b",
        "Exchange Online does not take the token for {mailbox}. Most often the service principal"
        " was made with the object ID of the app registration instead of that of the enterprise"
        " application; else the role or permission for this mailbox is missing, or less than two"
        " hours old. {login} --print-setup prints the lines that set it up.",
        grants=frozenset({Grant.CLIENT_CREDENTIALS}),
    ),
    Row(
        _LOGIN,
        r"^535 5\.7\.3\b",
        "Exchange Online does not take the token for {mailbox}: whoever has signed in has to be"
        " this user, or to have full access to this mailbox. Else sign in as another: {login}",
        grants=BY_PERSON,
    ),
    Row(
        _LOGIN,
        r"5\.5\.127",
        "Test it again in a few minutes: the token was too near its end for this server.",
        grants=TOKEN,
    ),
)
_OFFERS = (
    Row(
        _LOGIN,
        "offers no login(?! mechanism)",
        'Set "port" to one for mail with a login, 587 or 465; if the server needs none, leave'
        ' "username" out.',
    ),
    Row(
        _LOGIN,
        "no login mechanism that the relay supports|does not offer (?:XOAUTH2|OAUTHBEARER)",
        "Use a password instead of [account.oauth2], or ask the provider for XOAUTH2 or OAUTHBEARER"
        " for {mailbox}.",
        grants=TOKEN,
    ),
    Row(
        _LOGIN,
        "no login mechanism that the relay supports",
        "Ask the provider for PLAIN, LOGIN or CRAM-MD5 for {username}.",
    ),
    Row(
        _LOGIN,
        "see auth|breaks the protocol|^50[0-4]",
        'Set "auth" to "auto", or to another mechanism that the server offers.',
    ),
)
_TOKEN = (
    Row(
        _LOGIN,
        "",
        'The server does not take the token: check "mailbox" ({mailbox}), to which whoever has'
        " signed in needs access. {login} --print-setup prints what the provider has to know.",
        Action.ALARM,
        grants=BY_PERSON,
    ),
    Row(
        _LOGIN,
        "",
        'The server does not take the token: check "mailbox" ({mailbox}), and whether the'
        " application may use it. {login} --print-setup prints what the provider has to know.",
        Action.ALARM,
        grants=TOKEN,
    ),
)
_PASSWORD = (
    Row(
        _LOGIN,
        "basic authentication",
        "Let the provider's administration allow logins with a password for {username}, or log in"
        " with a token: [account.oauth2].",
    ),
    Row(
        _LOGIN,
        r"^534|5\.7\.9\b|app(?:lication)?[- ](?:specific )?password",
        'Create an app password for {username} at the provider, and set "password" to that.',
    ),
    Row(
        _LOGIN,
        "closed the connection|connection was lost",
        'Check "username" and "password": some servers hang up at a wrong login. If they are right,'
        " test it again later.",
    ),
    Row(
        _LOGIN,
        "",
        "Test it again later: the server is busy, or asked too often. Fewer connections in"
        ' "max_connections" may help.',
        Action.SLOW,
    ),
    Row(_LOGIN, "", "Wait until the provider's limit is over, or raise it.", Action.QUOTA),
    Row(
        _LOGIN,
        "",
        'Check "username" ({username}) and "password"; some providers want an app password, or have'
        " to allow SMTP for a mailbox first.",
        Action.ALARM,
    ),
    Row(_LOGIN, "", "Test it again later; if it lasts, ask the provider about the login."),
)

#: The first row that applies is the answer.
ROWS = (*_MICROSOFT, *_OFFERS, *_TOKEN, *_PASSWORD)
