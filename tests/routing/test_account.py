"""What an account says of its login, by password or by token."""

from __future__ import annotations

import datetime

import attrs
import pytest

from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.routing.account import Account, AccountType, Auth
from multisendcon_plugin.settings.oauth2 import Cloud, Grant, OAuth2, Provider
from multisendcon_plugin.settings.secret import StoredSecret

TOKEN = OAuth2(
    provider=Provider.MICROSOFT,
    grant=Grant.CLIENT_CREDENTIALS,
    client_id="app",
    client_secret="s3cret",
    tenant="a.example",
    mailbox="sales@a.example",
)
SUSPENDED = Reply(550, "5.7.1", "account suspended")


def account(**settings):
    return Account(name="A", server="smtp.a.example", port=587, **settings)


@pytest.mark.parametrize(
    ("settings", "user"),
    [
        ({}, ""),
        ({"username": "joe", "password": "p"}, "joe"),
        ({"oauth2": TOKEN}, "sales@a.example"),
        ({"oauth2": TOKEN, "username": "joe"}, "sales@a.example"),
        ({"oauth2": attrs.evolve(TOKEN, mailbox=None), "username": "joe"}, "joe"),
    ],
)
def test_the_name_that_the_server_hears(settings, user):
    one = account(**settings)
    assert one.sasl_user == user
    assert one.login == ("smtp.a.example", 587, user)
    assert one.logs_in == one.hop.login == bool(user)


def test_a_token_is_a_login_whatever_its_name():
    one = account(oauth2=attrs.evolve(TOKEN, mailbox=None))
    assert one.hop.login
    assert one.hop.tls_required


def test_what_is_said_of_an_account_is_about_the_one_that_logs_in_also_with_a_token():
    assert account().classify(Phase.MAIL, SUSPENDED) is not Action.ALARM
    assert account(oauth2=TOKEN).classify(Phase.MAIL, SUSPENDED) is Action.ALARM


# Which sessions are as good, and what else holds for another account.

OF_WHOM = [
    {"provider": Provider.CUSTOM},
    {"grant": Grant.DEVICE},
    {"client_id": "other"},
    {"tenant": "b.example"},
    {"cloud": Cloud.CHINA},
    {"mailbox": "other@a.example"},
    {"service_account_key": "other.json"},
    {"token_url": "https://other.example/"},
    {"authorize_url": "https://other.example/"},
    {"device_url": "https://other.example/"},
    {"scope": "other"},
]
PROOFS = [
    {"client_secret": "new"},
    {"client_secret": StoredSecret("new", str)},
    {"client_certificate": "new.pem"},
    {"client_key": "new.key"},
    {"expires": datetime.date(2027, 5, 1)},
]


@pytest.mark.parametrize("other", OF_WHOM)
def test_a_token_of_somebody_else_is_another_login(other):
    one, two = account(oauth2=TOKEN), account(oauth2=attrs.evolve(TOKEN, **other))
    assert not one.reached_as(two)
    assert not one.connects_as(two)


@pytest.mark.parametrize("other", PROOFS)
def test_sessions_are_as_good_when_the_application_proves_itself_in_another_way(other):
    one, two = account(oauth2=TOKEN), account(oauth2=attrs.evolve(TOKEN, **other))
    assert one.reached_as(two)
    # But what was refused so may go well otherwise.
    assert not one.connects_as(two)


def test_each_key_is_on_one_of_the_two_sides():
    names = {name for each in (*OF_WHOM, *PROOFS) for name in each}
    assert names == {field.name for field in attrs.fields(OAuth2)}


def test_a_token_instead_of_a_password_is_another_login():
    one = account(username="joe", password="p")
    assert not one.reached_as(account(oauth2=TOKEN))
    assert one.reached_as(account(username="joe", password="p", max_connections=9))
    assert not one.reached_as(account(username="joe", password="q"))


def test_mechanisms_for_tokens():
    assert [auth for auth in Auth if auth.takes_token] == [Auth.XOAUTH2, Auth.OAUTHBEARER]


def test_only_mail_of_a_direct_account_has_a_destination():
    direct = account(type=AccountType.DIRECT)
    assert account().destination("a@far.example") == ""
    assert direct.destination("a@Far.example") == "far.example"
    assert direct.destination("postmaster") == "localhost"
