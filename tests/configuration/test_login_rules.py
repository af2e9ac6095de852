"""What logins by password and by token demand, and what a fault of them says."""

from __future__ import annotations

import datetime

import pytest

from multisendcon_plugin.settings import service_account
from multisendcon_plugin.settings.oauth2 import Cloud, Grant, Provider
from multisendcon_plugin.settings.words import InvalidValueError
from tests.configuration.examples import PASSWORD, Paper, document, faults, read

MICROSOFT = {
    "provider": '"microsoft"',
    "grant": '"client_credentials"',
    "tenant": '"example.onmicrosoft.com"',
    "client_id": '"app"',
    "client_secret": '{ file = "known" }',
    "mailbox": '"sales@example.com"',
}
PERSON = MICROSOFT | {"grant": '"device"', "tenant": None, "client_secret": None}
GOOGLE = {
    "provider": '"google"',
    "grant": '"authorization_code"',
    "client_id": '"app"',
    "mailbox": '"sales@example.com"',
}
SERVICE = {
    "provider": '"google"',
    "grant": '"service_account"',
    "service_account_key": '"known"',
    "mailbox": '"sales@example.com"',
}
CUSTOM = MICROSOFT | {
    "provider": '"custom"',
    "tenant": None,
    "token_url": '"https://id.example/token"',
    "scope": '"smtp"',
}
SERVICE_JSON = '{"type": "service_account"}'


class Desk(Paper):
    """Paper on which the key of a service account is good."""

    def text(self, path):
        return super().text(path) if path != "known" else SERVICE_JSON


@pytest.fixture(autouse=True)
def _good_service_account(monkeypatch):
    monkeypatch.setattr(service_account, "parse_service_account", lambda content: content)


def table(token, name="account.oauth2"):
    lines = [f"{key} = {value}" for key, value in token.items() if value is not None]
    return "\n".join(["", f"[{name}]", *lines])


def found(token, **account):
    """Return the faults of an account, each without its place up to the key."""
    text = document(**account) + table(token)
    lines = faults(text, Desk())
    assert all("line " in line for line in lines)
    return [line.partition('[[account]] "Sales", ')[2].removeprefix("oauth2, ") for line in lines]


GOOD = [
    MICROSOFT,
    MICROSOFT | {"client_secret": None, "client_certificate": '"known"'},
    MICROSOFT | {"client_secret": None, "client_certificate": '"known"', "client_key": '"known"'},
    MICROSOFT | {"cloud": '"us-government"', "expires": "2027-05-01"},
    MICROSOFT | {"scope": '"other"', "token_url": '"https://id.example/token"'},
    PERSON,
    PERSON | {"tenant": '"common"'},
    PERSON | {"grant": '"authorization_code"', "client_secret": '"secret"'},
    GOOGLE,
    GOOGLE | {"client_secret": '"secret"'},
    SERVICE,
    SERVICE | {"provider": '"custom"', "token_url": '"https://id.example/t"', "scope": '"smtp"'},
    CUSTOM,
    CUSTOM | {"token_url": '"http://127.0.0.1:3000/token"'},
    CUSTOM | {"grant": '"device"', "device_url": '"https://id.example/device"'},
    CUSTOM | {"grant": '"authorization_code"', "authorize_url": '"https://id.example/auth"'},
]


@pytest.mark.parametrize("token", GOOD)
def test_what_is_good(token):
    assert found(token) == []


def test_all_keys_arrive():
    token = MICROSOFT | {"cloud": '"china"', "expires": "2027-05-01", "mailbox": None}
    text = document(username='"sales@example.com"', auth='"xoauth2"') + table(token)
    account = read(text).accounts[0]
    oauth2 = account.oauth2
    assert (oauth2.provider, oauth2.grant) == (Provider.MICROSOFT, Grant.CLIENT_CREDENTIALS)
    assert (oauth2.cloud, oauth2.expires) == (Cloud.CHINA, datetime.date(2027, 5, 1))
    assert (oauth2.tenant, oauth2.client_id) == ("example.onmicrosoft.com", "app")
    assert oauth2.client_secret.value == PASSWORD
    assert PASSWORD not in repr(account)


USELESS = "is of no use {}; leave it out"
BAD = [
    (MICROSOFT | {"mailbox": None}, ["username: is missing; write the mailbox that logs in"]),
    (
        {"client_id": '"app"', "mailbox": '"m"'},
        ["provider: is missing; every oauth2 needs it", "grant: is missing; every oauth2 needs it"],
    ),
    (
        MICROSOFT | {"client_secret": None},
        [
            (
                'client_secret: is missing; "client_credentials" needs the secret of the'
                " application, or a client_certificate"
            )
        ],
    ),
    (
        MICROSOFT | {"client_certificate": '"known"'},
        ["client_certificate: is of no use beside client_secret; leave one of them out"],
    ),
    (
        MICROSOFT | {"client_key": '"known"'},
        ["client_key: has no certificate; write client_certificate"],
    ),
    *(
        (
            token | {"client_id": None},
            [f"client_id: is missing; {token['grant']} needs the ID of an application"],
        )
        for token in (MICROSOFT, PERSON, GOOGLE)
    ),
    (
        MICROSOFT | {"tenant": None},
        ["tenant: is missing; write the domain or ID of the tenant, since nobody signs in"],
    ),
    *(
        (
            MICROSOFT | {"tenant": f'"{tenant}"'},
            [
                (
                    f'tenant: "{tenant}" is the tenant of whoever signs in, and nobody does; write'
                    " the domain or ID of your own"
                )
            ],
        )
        for tenant in ("common", "organizations", "Consumers")
    ),
    *(
        (
            MICROSOFT | {"tenant": f'"{tenant}"'},
            [
                (
                    f'tenant: "{tenant}" is not a tenant; write its domain or its ID, for example'
                    ' "example.onmicrosoft.com"'
                )
            ],
        )
        for tenant in ("a/b", "a?b", "a b", ".", "x.", "ä")
    ),
    (
        MICROSOFT | {"grant": '"service_account"', "client_secret": None, "client_id": None},
        [
            (
                'grant: "service_account" gets no token for mail from "microsoft"; write'
                ' "client_credentials", "authorization_code" or "device"'
            ),
            'service_account_key: is missing; "service_account" needs the key\'s JSON file',
        ],
    ),
    *(
        (
            GOOGLE | {"grant": f'"{grant}"', "client_secret": '"secret"'},
            [
                (
                    f'grant: "{grant}" gets no token for mail from "google"; write'
                    ' "service_account" or "authorization_code"'
                )
            ],
        )
        for grant in ("client_credentials", "device")
    ),
    (
        SERVICE | {"client_id": '"app"', "client_secret": '"s"'},
        [
            f"{key}: " + USELESS.format('with grant = "service_account"')
            for key in ("client_id", "client_secret")
        ],
    ),
    (
        GOOGLE | {"service_account_key": '"known"'},
        ["service_account_key: " + USELESS.format('with grant = "authorization_code"')],
    ),
    (
        GOOGLE | {"tenant": '"a.example"', "cloud": '"global"'},
        [f"{key}: " + USELESS.format('with provider = "google"') for key in ("tenant", "cloud")],
    ),
    (CUSTOM | {"cloud": '"china"'}, ["cloud: " + USELESS.format('with provider = "custom"')]),
    *(
        (
            CUSTOM | {"grant": f'"{grant}"', "token_url": None, "scope": None},
            [
                f'{key}: is missing; provider = "custom" with grant = "{grant}" needs it'
                for key in ("token_url", url, "scope")
                if key
            ],
        )
        for grant, url in (
            ("client_credentials", None),
            ("device", "device_url"),
            ("authorization_code", "authorize_url"),
        )
    ),
    (
        CUSTOM | {"token_url": '"http://id.example/token"'},
        [
            (
                'token_url: "http://id.example/token" would be sent secrets in the clear; write https://'
                " (http:// is for addresses of this machine, such as 127.0.0.1)"
            )
        ],
    ),
    (
        MICROSOFT | {"expires": '"2027-05-01"'},
        ['expires: "2027-05-01" is not a date; write for example 2027-05-01, without quotes'],
    ),
    (
        MICROSOFT | {"expires": "2027-05-01T00:00:00Z"},
        [
            (
                "expires: 2027-05-01 00:00:00+00:00 is not a date; write for example 2027-05-01,"
                " without quotes"
            )
        ],
    ),
    (MICROSOFT | {"client_secret": '{ file = "gone" }'}, ["client_secret: gone cannot be read"]),
    (MICROSOFT | {"tenat": '"x"'}, ["tenat: unknown key; did you mean tenant?"]),
]


@pytest.mark.parametrize(("token", "expected"), BAD)
def test_what_is_a_fault(token, expected):
    assert sorted(found(token)) == sorted(expected)


def test_all_faults_are_told_at_once_also_those_of_rules_beside_those_of_values():
    token = MICROSOFT | {"expires": '"soon"', "tenant": '"common"', "client_secret": None}
    keys = [each.partition(":")[0] for each in found(token, password='"x"')]
    assert sorted(keys) == ["client_secret", "expires", "password", "tenant"]


def test_what_is_no_table():
    (fault,) = faults(document(oauth2='"microsoft"'))
    assert fault.endswith("oauth2: is not a table; write [account.oauth2]")


# Beside the table.


def test_a_password_is_of_no_use_beside_a_token():
    reason = "password: is of no use beside oauth2; leave one of them out"
    assert found(MICROSOFT, password='"x"', username='"u"') == [reason]


@pytest.mark.parametrize("auth", ["auto", "xoauth2", "oauthbearer"])
def test_mechanisms_for_tokens(auth):
    assert found(MICROSOFT, auth=f'"{auth}"') == []


@pytest.mark.parametrize("auth", ["plain", "login", "cram-md5"])
def test_mechanisms_for_passwords_take_no_token(auth):
    assert found(MICROSOFT, auth=f'"{auth}"') == [
        f'auth: "{auth}" is for passwords; beside oauth2 write "auto", "xoauth2" or "oauthbearer"'
    ]


@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
@pytest.mark.parametrize("login", [{}, {"username": '"u"', "password": '"p"'}])
def test_mechanisms_for_tokens_need_one(auth, login):
    (fault,) = faults(document(auth=f'"{auth}"', **login))
    assert fault.endswith(
        f'auth: "{auth}" needs a token; write the table [account.oauth2], or another auth'
    )


CLEAR = (
    'tls: "none" would send the token in the clear, for everyone on the way to read; write'
    ' "starttls", or "implicit" for port 465'
)


@pytest.mark.parametrize("server", ["smtp.example.com", "192.0.2.1", "2001:db8::1"])
def test_a_token_is_not_sent_in_the_clear(server):
    assert found(MICROSOFT, tls='"none"', server=f'"{server}"') == [CLEAR]


@pytest.mark.parametrize("server", ["localhost", "127.0.0.1", "127.8.0.1", "::1"])
def test_but_to_this_machine(server):
    assert found(MICROSOFT, tls='"none"', server=f'"{server}"') == []


# The server for reports.


def test_the_server_for_reports_has_the_same_table():
    text = document("ndr", server='"mail.example"') + table(MICROSOFT, "ndr.oauth2")
    reports = read(text).reports_account
    assert reports.oauth2.mailbox == "sales@example.com"
    assert reports.hop.tls_required


def test_its_faults_name_it():
    text = document("ndr", server='"mail.example"', auth='"plain"')
    wrong = {key: value for key, value in MICROSOFT.items() if key != "tenant"}
    places = [each.partition(": ")[0] for each in faults(text + table(wrong, "ndr.oauth2"))]
    assert [place.partition("[ndr], ")[2] for place in places] == ["auth", "oauth2, tenant"]


# What it is kept in.


def test_a_secret_in_the_file_makes_the_file_a_secret():
    assert not read(document() + table(MICROSOFT)).has_secrets
    assert read(document() + table(MICROSOFT | {"client_secret": '"s3cret"'})).has_secrets


@pytest.mark.parametrize("missing", ["oauthlib", "jwt"])
def test_what_is_not_installed_is_a_fault_with_the_cure(missing):
    class Bare(Desk):
        def check_module(self, name, extra):
            if name == missing:
                raise InvalidValueError(f"needs {name}: {extra}")

    (fault,) = faults(document() + table(MICROSOFT), Bare())
    assert fault.endswith(f'[[account]] "Sales", oauth2: needs {missing}: oauth')
    assert faults(document(), Bare()) == []
