"""When the end of what accounts log in with is told, and what to do."""

from __future__ import annotations

import datetime

import pytest

from multisendcon_plugin.logins import LoginStanding
from multisendcon_plugin.monitoring.tokens import of_logins
from multisendcon_plugin.operations.values import AlarmKind
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings.oauth2 import Grant, OAuth2, Provider

NOW, DAY = 1_700_000_000.0, 86400.0
DATE = datetime.date(2023, 12, 1)


def no_cure(_name, _trouble):
    return ""


def found(grant=Grant.CLIENT_CREDENTIALS, provider=Provider.MICROSOFT, keys=None, **standing):
    """Return what is told of an account."""
    oauth2 = OAuth2(provider=provider, grant=grant, expires=DATE, **(keys or {}))
    account = Account(name="A", server="mx.example", oauth2=oauth2)
    told = list(of_logins([(account, LoginStanding(kind="token", **standing))], NOW, no_cure))
    assert all((each.kind, each.account) == (AlarmKind.EXPIRES, "A") for each in told)
    return [(each.text, each.urgent) for each in told]


@pytest.mark.parametrize(
    ("days", "text", "urgent"),
    [
        (30.1, None, False),
        (30, "expires in 30 days", False),
        (7.1, "expires in 7 days", False),
        (7, "expires in 7 days", True),
        (1.5, "expires in 1 day", True),
        (0.5, "expires in less than a day", True),
        (0, "has expired", True),
        (-400, "has expired", True),
    ],
)
def test_a_secret_that_runs_out(days, text, urgent):
    told = (
        f'the secret with which account A gets its tokens {text} ("expires" = 2023-12-01); make a'
        ' new one at the provider, set "client_secret" to it, and "expires" to its last day'
    )
    assert found(expires=NOW + days * DAY) == ([(told, urgent)] if text else [])


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        ({"client_certificate": "/x.pem"}, ("the certificate", '"client_certificate"')),
        ({"service_account_key": "/x.json"}, ("the key", '"service_account_key"')),
    ],
)
def test_it_is_called_by_its_name(keys, what):
    [(text, _)] = found(keys=keys, expires=NOW)
    assert all(each in text for each in what)


@pytest.mark.parametrize(
    ("provider", "days", "text", "urgent"),
    [
        (Provider.MICROSOFT, 59, None, False),
        (Provider.MICROSOFT, 60, "60 days; its provider forgets it after 90 days", False),
        (Provider.MICROSOFT, 82, "82 days; its provider forgets it after 90 days", False),
        (Provider.MICROSOFT, 83, "83 days; its provider forgets it after 90 days", True),
        (Provider.MICROSOFT, 100, "100 days; its provider forgets it after 90 days", True),
        (Provider.GOOGLE, 149, None, False),
        (Provider.GOOGLE, 150, "150 days; its provider forgets it after 180 days", False),
        (Provider.CUSTOM, 1000, None, False),
    ],
)
def test_a_sign_in_that_nobody_uses(provider, days, text, urgent):
    told = f"the sign-in of account A has not been used for {text}; multisendcon account login"
    told += " A signs in again"
    said = found(Grant.DEVICE, provider, unused_since=NOW - days * DAY)
    assert said == ([(told, urgent)] if text else [])


def test_why_it_is_not_used_is_said():
    [(text, _)] = found(Grant.DEVICE, unused_since=NOW - 89 * DAY, trouble="no answer")
    assert "not been used for 89 days: no answer; its provider" in text


def test_an_application_has_no_sign_in_that_could_be_forgotten():
    assert found(unused_since=NOW - 400 * DAY) == []


def test_passwords_do_not_run_out():
    account = Account(name="A", server="mx.example", username="joe")
    standing = LoginStanding(kind="password", expires=NOW, unused_since=NOW - 400 * DAY)
    assert list(of_logins([(account, standing)], NOW, no_cure)) == []
