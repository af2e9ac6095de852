"""Accounts that name a preset: what they get from it, and what is written all the same."""

from __future__ import annotations

import datetime

import pytest

from multisendcon_plugin import presets
from multisendcon_plugin.presets import Figure, Preset
from multisendcon_plugin.presets.preset import Login
from multisendcon_plugin.routing.account import Auth, NullSender
from multisendcon_plugin.routing.hop import Tls
from multisendcon_plugin.settings.oauth2 import Provider
from multisendcon_plugin.settings.quota import Counted, Quota
from tests.configuration.examples import Paper, faults, read

LOGIN = {"username": '"u"', "password": '"p"'}
TOKEN = """
[account.oauth2]
grant = "client_credentials"
tenant = "a.example"
client_id = "app"
client_secret = { file = "known" }
mailbox = "sales@example.com"
"""


def known(monkeypatch, *, oauth2=None, required=None, **keys):
    """Have one preset, by the name "known"."""
    about = {"source": "a page of theirs", "as_of": datetime.date(2026, 1, 1)}
    figures = [Figure(key=key, value=value, **about) for key, value in keys.items()]
    preset = Preset(
        name="known",
        title="Known Mail",
        login=(Login.PASSWORD,),
        oauth2=oauth2,
        sender="that of the login",
        required=required or {},
        figures=(*figures, Figure(key="size", value="1 MiB", **about)),
    )
    monkeypatch.setattr(presets.reading, "_presets", lambda: {"known": preset})


@pytest.fixture
def provider(monkeypatch):
    known(
        monkeypatch,
        server="smtp.known.example",
        port=587,
        tls="starttls",
        max_recipients=500,
        quota=["30 mails/1m"],
        max_connections=3,
        null_sender="pass",
    )


def document(token="", **keys):
    given = {"name": '"Sales"', "preset": '"known"'} | keys
    return "[[account]]\n" + "\n".join(f"{k} = {v}" for k, v in given.items() if v) + "\n" + token


def account(token="", **keys):
    return read(document(token, **keys)).accounts[0]


def test_what_is_not_written_comes_from_it(provider):
    sales = account(**LOGIN)
    assert sales.preset == "known"
    assert (sales.server, sales.port, sales.tls) == ("smtp.known.example", 587, Tls.STARTTLS)
    assert (sales.max_recipients, sales.max_connections) == (500, 3)
    assert sales.quota == (Quota(30, Counted.MAILS, 60.0),)
    assert sales.oauth2 is None


def test_what_is_written_wins(provider):
    sales = account(server='"eu.known.example"', quota="[]", max_connections="1", **LOGIN)
    assert (sales.server, sales.quota, sales.max_connections) == ("eu.known.example", (), 1)
    assert sales.port == 587


def test_others_get_nothing(provider):
    (_, other) = read(document() + '[[account]]\nname = "B"\nserver = "b.example"').accounts
    assert (other.port, other.quota, other.preset) == (25, (), None)


def test_one_that_is_not_known_is_one_fault_with_the_nearest_name(provider):
    (fault,) = faults(document(preset='"knwon"'))
    assert fault == (
        'multisendcon.toml, line 3, [[account]] "Sales", preset: no preset is called "knwon"; did'
        ' you mean known? "multisendcon preset list" has them all'
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [("5", "5 is not text; put it in quotes"), ('""', '"" is empty; write a value or leave')],
)
def test_one_that_is_no_name(provider, name, reason):
    assert reason in "\n".join(faults(document(preset=name)))


def test_what_it_cannot_know_is_asked_for_in_its_words(monkeypatch):
    known(monkeypatch, required={"server": "that of your region"}, port=587)
    (fault,) = faults(document())
    assert fault.endswith("server: is missing; write that of your region")
    assert faults(document(server='"x.example"')) == []


# Port and TLS.

PAIRS = [
    # The port and TLS of the preset, what is written, and what becomes of it.
    (587, "starttls", {}, 587, Tls.STARTTLS),
    (587, "starttls", {"port": "465"}, 465, Tls.IMPLICIT),
    (587, "starttls", {"port": "2587"}, 2587, Tls.STARTTLS),
    (465, "implicit", {"port": "587"}, 587, Tls.STARTTLS),
    (465, "implicit", {"port": "465"}, 465, Tls.IMPLICIT),
    (587, "starttls", {"tls": '"implicit"'}, 465, Tls.IMPLICIT),
    (465, "implicit", {"tls": '"starttls"'}, 587, Tls.STARTTLS),
    (465, "implicit", {"tls": '"auto"'}, 465, Tls.AUTO),
    (587, "starttls", {"tls": '"auto"'}, 587, Tls.AUTO),
    (25, "starttls", {"tls": '"starttls"'}, 25, Tls.STARTTLS),
    (587, "starttls", {"port": "465", "tls": '"starttls"'}, 465, Tls.STARTTLS),
    (587, "starttls", {"port": "2465", "tls": '"implicit"'}, 2465, Tls.IMPLICIT),
    (587, None, {"port": "465"}, 465, Tls.AUTO),
    (None, "starttls", {"port": "465"}, 465, Tls.IMPLICIT),
    (None, "starttls", {"tls": '"implicit"'}, 25, Tls.IMPLICIT),
]


@pytest.mark.parametrize(("port", "tls", "written", "in_the_end", "by"), PAIRS)
def test_port_and_tls_agree(monkeypatch, *, port, tls, written, in_the_end, by):
    keys = {"port": port, "tls": tls}
    known(monkeypatch, server="x.example", **{k: v for k, v in keys.items() if v})
    sales = account(**written)
    assert (sales.port, sales.tls) == (in_the_end, by)


# The login.


def test_the_provider_of_tokens_is_known_where_there_is_a_table_for_them(monkeypatch):
    known(monkeypatch, oauth2="microsoft", server="x.example")
    assert account(TOKEN).oauth2.provider is Provider.MICROSOFT
    assert account(**LOGIN).oauth2 is None
    other = TOKEN.replace('tenant = "a.example"', 'provider = "custom"\nscope = "s"')
    oauth2 = account(other + 'token_url = "https://id.example/"').oauth2
    assert oauth2.provider is Provider.CUSTOM


def test_without_one_it_has_to_be_written(monkeypatch):
    known(monkeypatch, server="x.example")
    (fault,) = faults(document(TOKEN))
    assert fault.endswith("oauth2, provider: is missing; every oauth2 needs it")


@pytest.mark.parametrize(
    ("auth", "with_password", "with_token"),
    [("login", Auth.LOGIN, Auth.AUTO), ("xoauth2", Auth.AUTO, Auth.XOAUTH2)],
)
def test_a_mechanism_for_the_other_kind_of_login_is_left_out(
    monkeypatch, auth, with_password, with_token
):
    known(monkeypatch, oauth2="microsoft", server="x.example", auth=auth)
    assert account(**LOGIN).auth is with_password
    assert account(TOKEN).auth is with_token


# The null sender.


@pytest.mark.parametrize(
    ("null_sender", "written", "expected"),
    [
        ("replace", {"fixed_sender": '"a@x.example"'}, NullSender.REPLACE),
        ("replace", {}, NullSender.SKIP),
        ("skip", {}, NullSender.SKIP),
        ("skip", {"senders": '"*"'}, NullSender.SKIP),
        ("skip", {"senders": '"*, <>"'}, NullSender.PASS),
        ("skip", {"senders": '["*", "<>"]'}, NullSender.PASS),
        ("skip", {"null_sender": '"pass"'}, NullSender.PASS),
    ],
)
def test_the_null_sender_fits_the_senders(monkeypatch, null_sender, written, expected):
    known(monkeypatch, server="x.example", null_sender=null_sender)
    assert account(**written).null_sender is expected


@pytest.mark.parametrize("name", presets.names())
def test_each_preset_gives_a_good_account(name):
    preset = presets.of(name)
    more = {key: f'"{key}.example"' for key in preset.required if key != "username"}
    token = TOKEN if preset.oauth2 == "microsoft" else ""
    login = {} if token else LOGIN
    assert faults(document(token, preset=f'"{name}"', **{**more, **login}), Paper()) == []
