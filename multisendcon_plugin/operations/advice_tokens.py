"""Rows of advice about tokens: what those who give them out say when they give none.

Microsoft has a number for each reason, documented under "Microsoft Entra authentication and
authorization error codes"; Google and others have the errors of RFC 6749 section 5.2 and some
more, with a sentence.  The table only names what somebody can do; what follows for the account was
decided before.  Pure.
"""

from __future__ import annotations

from ..mail.phase import Phase
from ..settings.oauth2 import Grant, Provider
from .advice_row import BY_PERSON, TOKEN, Row

_LOGIN = frozenset({Phase.LOGIN})
_KEY = frozenset({Grant.SERVICE_ACCOUNT})
_DEVICE = frozenset({Grant.DEVICE})
_SIGN_IN = "have somebody sign in again: {login}"
_SETUP = "{login} --print-setup prints what is to be set up there"
_CLOCK = (
    "Set the clock of this machine (timedatectl): what the relay signs for a token names the time,"
    " and is refused if that is minutes off."
)


def _row(
    words: str,
    advice: str,
    grants: frozenset[Grant] = TOKEN,
    provider: Provider | None = None,
) -> Row:
    return Row(_LOGIN, words, advice, grants=grants, provider=provider)


def _entra(*numbers: int) -> str:
    """Return the pattern for some of Microsoft's reasons."""
    return rf"AADSTS(?:{'|'.join(map(str, numbers))})(?!\d)"


_MICROSOFT = (
    _row("clock of this machine is", _CLOCK),
    _row(_entra(700024, 500133), _CLOCK),
    _row(
        _entra(7000215, 70002),
        'Set "client_secret" to the value of a secret of the application {client_id}: not to its'
        " ID. The value is shown only when the secret is made (App registrations, Certificates &"
        " secrets); make a new one if it is lost.",
    ),
    _row(
        _entra(7000222),
        "Make a new secret for the application {client_id} (App registrations, Certificates &"
        ' secrets), set "client_secret" to its value, and "expires" to its last day.',
    ),
    _row(
        _entra(700027, 700030, 50012, 50013, 50027),
        'Upload the certificate of "client_certificate" to the application {client_id} (App'
        ' registrations, Certificates & secrets), and check that "client_key" belongs to it, and'
        " that it has not run out.",
    ),
    _row(
        _entra(7000218),
        "Allow public client flows for the application {client_id} (App registrations,"
        ' Authentication), or set "client_secret" if it is to have one.',
    ),
    _row(
        _entra(700025),
        'Leave "client_secret" and "client_certificate" out: the application {client_id} is a'
        " public client, which has none.",
    ),
    _row(
        _entra(7000112),
        "Enable the application {client_id}: Enterprise applications, Properties, Enabled for users"
        " to sign in.",
    ),
    _row(
        _entra(700016, 700011, 70001, 90099),
        'Check "client_id" ({client_id}) and "tenant" ({tenant}): there is no such application in'
        " that tenant. Both IDs are shown under App registrations, Overview.",
    ),
    _row(
        _entra(90002, 90019, 90038, 50059, 50128),
        'Check "tenant" ({tenant}): Microsoft does not know it, or it is in another "cloud".',
    ),
    _row(
        _entra(50194, 9001023, 90124, 90126, 90130, 700005),
        'Set "tenant" to the domain or ID of your tenant: the application is for one tenant.',
    ),
    _row(
        _entra(65001, 65004, 65005, 650056, 650057, 90008, 90094, 90095),
        "Give the application {client_id} its permission, with the consent of an administrator;"
        f" {_SETUP}. Where a person signs in, {_SIGN_IN}",
    ),
    _row(
        _entra(500011, 50001, 650052, 650054),
        'Leave "scope" out, and check "tenant" ({tenant}) and "cloud": the tenant has no Exchange'
        " Online by the name that was asked for.",
    ),
    _row(
        _entra(70011, 28002, 28003, 700022, 700023, 1002012),
        'Leave "scope" out, so that the one for Exchange Online is asked for.',
    ),
    _row(
        _entra(50011, 70004),
        "Add http://localhost to the redirect URIs of the application {client_id} (App"
        " registrations, Authentication, Mobile and desktop applications).",
    ),
    _row(
        _entra(530036, 530032, 53003, 53002, 53001, 53000, 50131),
        "Probably a policy of Conditional Access blocks the device code flow, as Microsoft advises:"
        ' set "grant" to "authorization_code" or "client_credentials", or have an administrator'
        " except this user from the policy; the sign-in log of Entra names it.",
        _DEVICE,
    ),
    _row(
        _entra(530036, 530032, 53003, 53002, 53001, 53000, 53011, 50131),
        "Have an administrator look into the sign-in log of Entra, which names the policy of"
        " Conditional Access that blocks this, and except {mailbox} or the application from it.",
    ),
    _row(
        _entra(530035),
        "The security defaults of the tenant block this sign-in: use the grant"
        ' "client_credentials", or Conditional Access instead of the security defaults.',
    ),
    _row(
        _entra(50072, 50074, 50076, 50078, 50079, 50158, 53004, 53010),
        f'A second factor is wanted: {_SIGN_IN} The grant "client_credentials" needs no person.',
    ),
    _row(
        _entra(50105),
        "Assign the user to the application {client_id}: Enterprise applications, Users and"
        " groups.",
    ),
    _row(
        _entra(50014, 50020, 50034, 500208, 51004, 90072),
        'Check "tenant" ({tenant}): it does not know the user who signs in. It has to be one with'
        " access to {mailbox}.",
    ),
    _row(
        _entra(50053, 50055, 50056, 50057, 50064, 50126, 50144),
        "Check the user who signs in: the password is wrong or has run out, or the user is locked"
        f" or disabled. Then {_SIGN_IN}",
    ),
    _row(
        _entra(70008, 700082, 700084),
        "The sign-in has run out, as Microsoft's do when they are not used for 90 days:"
        f" {_SIGN_IN}",
    ),
    _row(
        _entra(50089, 50132, 50133, 50173, 54005, 70000, 70043),
        "The sign-in is not valid any more: the password was changed, an administrator has revoked"
        f" it, or a policy limits how long it lasts. So {_SIGN_IN}",
    ),
    _row(
        _entra(50033, 50196, 90006, 90012, 90015, 90024, 90033, 90055),
        "Test it again later: Microsoft's sign-in is busy, or was asked too often.",
    ),
)
_KEYS = (
    _row(
        r"client_certificate [^,;]*:|private key cannot sign",
        'Check the files of "client_certificate" and "client_key": a certificate of RSA and its'
        " key, in PEM, which the user of the relay can read.",
    ),
    _row(
        r"service_account_key[^,;]*: ",
        'Check the file of "service_account_key": the key of a service account in JSON, as Google'
        " gives it out, which the user of the relay can read.",
        _KEY,
    ),
)
_GOOGLE = (
    _row("short-lived token|reasonable timeframe|token used too (?:early|late)", _CLOCK),
    _row(
        "Invalid JWT|account not found|no valid verifier",
        'Make a new key for the service account, and set "service_account_key" to it: Google does'
        " not know this one, or the service account is gone or disabled.",
        _KEY,
    ),
    _row(
        "invalid email or user id|impersonation prn",
        'Set "mailbox" ({mailbox}) to the address of a user of your Google Workspace: it is neither'
        " an alias nor a group, nor the service account.",
        _KEY,
    ),
    _row(
        "unauthorized_client|access_denied",
        "Delegate the scope https://mail.google.com/ to the client ID of the service account, in"
        f" the Admin console of Google; {_SETUP}. It takes up to a day to take effect.",
        _KEY,
    ),
    _row(
        "admin_policy_enforced|org_internal",
        "Have an administrator of the Google Workspace trust the client ID {client_id}: Admin"
        " console, Security, API controls, App access control.",
    ),
    _row(
        "deleted_client",
        'Make a new OAuth client, and set "client_id" and "client_secret" to its own: this one was'
        " deleted.",
    ),
    _row(
        "invalid_grant",
        "The sign-in is not valid any more. While the consent screen of the application is in"
        " testing, Google ends each after 7 days: publish it (In production); else the password was"
        f" changed, the access was taken away, or it was not used for 6 months. Then {_SIGN_IN}",
        BY_PERSON,
        Provider.GOOGLE,
    ),
)
_ANY = (
    _row(
        "redirect_uri_mismatch",
        "Register the application as one for the desktop, whose redirect URI is a loopback address"
        f" with any port; {_SETUP}.",
    ),
    _row(
        "invalid_client",
        'Check "client_id" ({client_id}) and "client_secret", or the certificate and its key: the'
        " application is not known, or not by these.",
    ),
    _row(
        "invalid_grant|expired_token|access_denied|interaction_required|consent_required",
        f"The sign-in is not valid, or not any more: {_SIGN_IN}",
        BY_PERSON,
    ),
    _row(
        "unauthorized_client|unsupported_grant_type",
        'Allow the application {client_id} the grant of "grant", at the provider, or set "grant" to'
        " another one.",
    ),
    _row(
        "invalid_scope",
        'Check "scope": {token_host} does not know it, or does not grant it to the application.',
    ),
    _row(
        "nobody has signed in|cannot be renewed",
        "Have somebody sign in: {login}",
        BY_PERSON,
    ),
    _row(
        "cannot be reached|cannot be found in the DNS|cannot be asked|gives no answer within",
        "Let this machine connect to {token_host} port {token_port}, where the tokens are: the DNS,"
        " a firewall, or something that replaces certificates, may be in the way. No proxy is"
        " used.",
    ),
    _row(
        "see token_url",
        'Check "tenant", "cloud" and "token_url": what answers at {token_host} gives out no tokens;'
        " it may be something in between.",
    ),
    _row("answers 5|answers 429", "Test it again later: {token_host} is busy, or has trouble."),
)

#: The first row that applies is the answer.
ROWS = (*_KEYS, *_MICROSOFT, *_GOOGLE, *_ANY)
