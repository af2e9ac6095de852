"""What an admin is advised to do when a login fails: by a password, and by each kind of token."""

from __future__ import annotations

import pytest

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.operations import advice_logins, advice_tokens
from multisendcon_plugin.operations.advice import advice
from multisendcon_plugin.operations.powershell import quoted
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.relay.findings import Finding, Problem
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider

USER = "sales@example.com"
APPLICATION = "8f9c1a2b-0000-4000-8000-1234567890ab"


def account(grant=None, provider=Provider.MICROSOFT, **more):
    """Return an account; without a grant, one with a password."""
    oauth2 = grant and OAuth2(
        provider=provider,
        grant=grant,
        client_id=APPLICATION,
        tenant="example.onmicrosoft.com" if provider is Provider.MICROSOFT else None,
        token_url="https://tokens.example:8443/t" if provider is Provider.CUSTOM else None,
    )
    return Account(
        **{"name": "Sales & more", "server": "smtp.example", "username": USER, **more},
        oauth2=oauth2,
    )


PASSWORD = account()
APP = account(Grant.CLIENT_CREDENTIALS)
DEVICE = account(Grant.DEVICE)
CODE = account(Grant.AUTHORIZATION_CODE)
GMAIL = account(Grant.AUTHORIZATION_CODE, Provider.GOOGLE)
KEY = account(Grant.SERVICE_ACCOUNT, Provider.GOOGLE)
CUSTOM = account(Grant.AUTHORIZATION_CODE, Provider.CUSTOM)
ALL = (PASSWORD, APP, DEVICE, CODE, GMAIL, KEY, CUSTOM)


def advised(account, text, *, code=0, enhanced="5.7.8", phase=Phase.LOGIN):
    reply = Reply(code, enhanced, text)
    problem = Problem(phase, reply, account.classify(phase, reply))
    return advice(account, Finding(step="login", seconds=0.1, result=text, problem=problem))


SIGN_IN = "multisendcon account login 'Sales & more'"
MICROSOFT = [
    (APP, "invalid_client: AADSTS7000215: Invalid client secret", 'Set "client_secret" to the v'),
    (APP, "AADSTS7000222: The provided client secret keys are expired", "Make a new secret for"),
    (APP, "AADSTS700027: Client assertion failed signature validation", "Upload the certificate"),
    (APP, "AADSTS700024: Client assertion is not within its valid time range", "Set the clock"),
    (APP, "unauthorized_client: AADSTS700016: Application with id", 'Check "client_id" (8f9c1a2b'),
    (APP, "AADSTS90002: Tenant 'x' not found", 'Check "tenant" (example.onmicrosoft.com)'),
    (APP, "AADSTS7000112: Application is disabled", "Enable the application 8f9c1a2b"),
    (APP, "AADSTS1002012: scope https://x is not valid", 'Leave "scope" out'),
    (APP, "AADSTS53003: Access has been blocked by Conditional Access", "Have an administrator"),
    (DEVICE, "AADSTS53003: blocked by Conditional Access policies", "Probably a policy of Cond"),
    (DEVICE, "AADSTS530036: refresh token is invalid", "Probably a policy of Conditional Access"),
    (DEVICE, "invalid_client: AADSTS7000218: body must contain", "Allow public client flows"),
    (CODE, "AADSTS53003: blocked", "Have an administrator look into the sign-in log of Entra"),
    (CODE, "AADSTS530035: blocked by security defaults", "The security defaults of the tenant"),
    (CODE, "invalid_grant: AADSTS65001: The user or administrator has not", "Give the applicat"),
    (CODE, "AADSTS50126: invalid username or password", "Check the user who signs in: the pass"),
    (CODE, "AADSTS50034: The user account does not exist", 'Check "tenant" (example.onmicrosof'),
    (CODE, "AADSTS50076: you must use multi-factor", "A second factor is wanted: have somebody"),
    (CODE, "AADSTS50079: must enroll in multi-factor", "A second factor is wanted"),
    (CODE, "AADSTS50105: not assigned to a role", "Assign the user to the application"),
    (CODE, "invalid_grant: AADSTS700082: expired due to inactivity", "The sign-in has run out"),
    (CODE, "AADSTS54005: already redeemed", "The sign-in is not valid any more"),
    (CODE, "AADSTS70000: The provided grant is invalid", "The sign-in is not valid any more"),
    (CODE, "AADSTS50173: the grant was revoked", "The sign-in is not valid any more"),
    (CODE, "AADSTS50011: redirect URI does not match", "Add http://localhost to the redirect"),
    (CODE, "AADSTS50194: not configured as a multi-tenant", 'Set "tenant" to the domain or ID'),
    (CODE, "temporarily_unavailable: AADSTS90033: not available", "Test it again later: Micros"),
    # A longer number is another reason.
    (CODE, "invalid_grant: AADSTS7000825: unheard of", "The sign-in is not valid, or not any"),
]
OTHERS = [
    (KEY, "unauthorized_client: Client is unauthorized to retrieve access tokens", "Delegate the"),
    (KEY, "invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes)", "Set the"),
    (KEY, "invalid_grant: Invalid JWT Signature.", "Make a new key for the service account"),
    (KEY, "invalid_grant: Invalid email or User ID", f'Set "mailbox" ({USER}) to the address of'),
    (KEY, "service_account_key /k.json: it is no JSON key of a", "Check the file of"),
    (APP, "client_certificate /c.pem: its key is not one of RSA", "Check the files of"),
    (GMAIL, "invalid_grant: Bad Request", "The sign-in is not valid any more. While the consent"),
    (GMAIL, "admin_policy_enforced", "Have an administrator of the Google Workspace trust"),
    (GMAIL, "deleted_client", "Make a new OAuth client"),
    (CUSTOM, "invalid_grant", "The sign-in is not valid, or not any more: have somebody"),
    (CUSTOM, "invalid_client", 'Check "client_id" (8f9c1a2b'),
    (CUSTOM, "invalid_scope", 'Check "scope": tokens.example does not know it'),
    (CUSTOM, "nobody has signed in", f"Have somebody sign in: {SIGN_IN}"),
    (
        CUSTOM,
        "x cannot be reached: refused",
        "Let this machine connect to tokens.example port 8443",
    ),
    (APP, "x gives no answer within 30 s", "Let this machine connect to login.microsoftonline.com"),
    (APP, "x cannot be found in the DNS", "Let this machine connect to login.microsoftonline.com"),
    (APP, "x cannot be asked: TLS: certificate verify failed", "Let this machine connect to login"),
    (APP, "x answers 404; see token_url", 'Check "tenant", "cloud" and "token_url"'),
    (APP, "x answers 503", "Test it again later: login.microsoftonline.com is busy"),
    (APP, "invalid_client; the clock of this machine is 9 minutes behind", "Set the clock"),
]


@pytest.mark.parametrize(("account", "text", "expected"), MICROSOFT + OTHERS)
def test_each_reason_for_which_there_is_no_token_has_its_cure(account, text, expected):
    said = advised(account, text)
    assert said[: len(expected)] == expected


def test_what_is_to_be_typed_is_quoted():
    assert SIGN_IN in advised(CODE, "AADSTS700082: expired")
    mailbox = account(username="o'neil@example.com")
    said = advised(mailbox, "SmtpClientAuthentication is disabled for the Tenant", code=535)
    assert said.endswith(
        "Set-CASMailbox -Identity 'o''neil@example.com' -SmtpClientAuthenticationDisabled $false"
    )


REFUSED = "Authentication unsuccessful"
SERVERS = [
    (PASSWORD, 535, "5.7.139", "SmtpClientAuthentication is disabled for the Mailbox", "Allow SM"),
    (APP, 535, "5.7.139", "SmtpClientAuthentication is disabled for the Tenant", "Allow SMTP for"),
    (PASSWORD, 535, "5.7.139", "basic authentication is disabled", "Exchange Online takes no pas"),
    (PASSWORD, 550, "5.7.30", "Basic authentication is not supported", "Exchange Online takes no"),
    (PASSWORD, 535, "5.7.139", "user is locked by your organization's security defaults", "The s"),
    (PASSWORD, 535, "5.7.139", "the user credentials were incorrect", 'Check "username" (sales@'),
    (PASSWORD, 535, "5.7.139", "the request did not meet the criteria", "Probably a policy of"),
    (APP, 535, "5.7.3", REFUSED, "Exchange Online does not take the token for sales@example.com."),
    (CODE, 535, "5.7.3", REFUSED, "Exchange Online does not take the token for sales@example.com:"),
    (PASSWORD, 535, "5.7.3", REFUSED, 'Check "username" (sales@example.com) and "password"'),
    (APP, 501, "5.5.127", "Invalid XOAUTH2 auth data - Token will expire soon", "Test it again in"),
    (GMAIL, 535, "5.7.8", "not accepted", 'The server does not take the token: check "mailbox" (s'),
    (KEY, 535, "5.7.8", "not accepted", "The server does not take the token: check"),
    (KEY, 454, "4.7.0", "Too many login attempts", "Test it again later: the server is busy"),
    (APP, 0, "4.7.0", "the server does not offer XOAUTH2 (see auth), only PLAIN", "Use a password"),
]


@pytest.mark.parametrize(("account", "code", "enhanced", "text", "expected"), SERVERS)
def test_each_refusal_of_a_login_has_its_cure(account, code, enhanced, text, expected):
    said = advised(account, text, code=code, enhanced=enhanced)
    assert said[: len(expected)] == expected


def test_a_refusal_of_passwords_is_known_after_the_dot_too():
    text = "Basic authentication is not supported for Client Submission."
    said = advised(PASSWORD, text, code=550, enhanced="5.7.30", phase=Phase.END)
    assert said.startswith("Exchange Online takes no password here")
    assert "docs/microsoft365.rst" in said


def test_each_sentence_can_be_said_of_each_account_that_it_may_be_about():
    for row in (*advice_tokens.ROWS, *advice_logins.ROWS):
        for each in ALL:
            if row.grants is None or (each.oauth2 and each.oauth2.grant in row.grants):
                reply = Reply(0, "5.7.8", "x")
                problem = Problem(Phase.LOGIN, reply, Action.ALARM)
                finding = Finding(step="login", seconds=0, result="", problem=problem)
                sentence = said_by(row, each, finding)
                assert "{" not in sentence
                assert "None" not in sentence


def said_by(row, account, finding):
    """Return what is advised if only one row applies."""
    with pytest.MonkeyPatch.context() as patch:
        always = type("Always", (), {"applies": lambda *_: True, "advice": row.advice})()
        patch.setattr("multisendcon_plugin.operations.advice.ROWS", (always,))
        return advice(account, finding)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sales@example.com", "'sales@example.com'"),
        ('a $(b) `c "d', "'a $(b) `c \"d'"),
        ("o'neil", "'o''neil'"),
        ("\u2018\u2019\u201a\u201b", "'\u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201b'"),
    ],
)
def test_powershell_takes_nothing_in_a_name_for_a_command(text, expected):
    assert quoted(text) == expected
