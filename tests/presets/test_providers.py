"""What the package knows of providers: every entry, and every figure of it."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import attrs
import pytest

from multisendcon_plugin import parse, presets
from multisendcon_plugin.mail.masks import Masks
from multisendcon_plugin.presets import KEYS
from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.settings import names, quantities
from multisendcon_plugin.settings.keys import keys_of
from multisendcon_plugin.settings.oauth2 import Provider

ALL = [presets.of(name) for name in presets.names()]
FIGURES = [(preset, figure) for preset in ALL for figure in preset.figures]
#: What a figure is converted with: as a key of an account is, or else.
KINDS = {key: keys_of(Account)[key].kind for key in KEYS} | {
    "size": quantities.size,
    "spf": names.host,
}
#: What is said of a figure that is not in a source.
WEAK_SOURCE = "general knowledge"


def each_preset(function):
    return pytest.mark.parametrize("preset", ALL, ids=lambda preset: preset.name)(function)


def each_figure(function):
    return pytest.mark.parametrize(
        ("preset", "figure"), FIGURES, ids=[f"{p.name}-{f.key}" for p, f in FIGURES]
    )(function)


def test_there_are_enough():
    assert len(ALL) >= 60
    assert {
        *("microsoft365", "microsoft365-hve", "azure-communication", "gmail", "google-workspace"),
        *("google-workspace-relay", "amazon-ses", "sendgrid", "mailgun", "mailgun-eu", "postmark"),
        *("brevo", "mailjet", "mailtrap", "ionos", "1und1", "strato", "ovh", "hetzner"),
        *("hostingde", "godaddy", "zoho-com", "zoho-eu", "zoho-in", "icloud", "yahoo", "aol"),
        *("fastmail", "infomaniak", "emailit", "socketlabs", "scaleway-tem", "scaleway-mailbox"),
        *("gmx", "webde", "tonline", "mailbox-org", "posteo", "protonmail-bridge"),
    } <= set(presets.names())


def test_names_are_sorted_and_fit_for_command_lines_and_addresses():
    assert presets.names() == sorted(set(presets.names()))
    assert [name for name in presets.names() if not re.fullmatch(r"[a-z0-9-]{2,32}", name)] == []


@each_figure
def test_every_figure_is_what_its_key_needs(preset, figure):
    assert KINDS[figure.key](figure.value) is not None


@each_figure
def test_every_figure_has_a_source_and_a_date(preset, figure):
    assert len(figure.source) > 5
    assert type(figure.as_of) is datetime.date
    # No source is of the future, or of a time before there were such providers.
    assert datetime.date(2020, 1, 1) < figure.as_of <= datetime.date(2026, 12, 31)


@each_figure
def test_a_figure_without_a_source_is_not_applied(preset, figure):
    if figure.source == WEAK_SOURCE:
        assert figure.not_applied


@each_preset
def test_what_is_not_applied_is_in_no_account(preset):
    applied = {f.key: f.value for f in preset.figures if f.applied and f.key in KEYS}
    assert preset.keys == applied
    # Nothing is applied twice: which one would count?
    assert len([f for f in preset.figures if f.applied]) == len(
        {f.key for f in preset.figures if f.applied}
    )


@each_preset
def test_the_figures_together_make_an_account(preset):
    account = Account(
        name=preset.name,
        **{"server": "smtp.example.com"}
        | {key: KINDS[key](value) for key, value in preset.keys.items()},
    )
    # Those who log in never do so in the clear.
    assert attrs.evolve(account, username="user", password="secret").hop.tls_required
    assert account.hop.implicit_tls == (account.port == 465)
    assert account.takes_null_sender or account.senders == Masks.parse(["*"])


@each_preset
def test_a_server_is_known_or_has_to_be_written(preset):
    assert ("server" in preset.keys) != ("server" in preset.required)
    assert set(preset.required) <= set(keys_of(Account))
    assert "port" in preset.keys


@each_preset
def test_a_preset_as_a_whole_has_a_source_and_a_date(preset):
    assert preset.source
    assert preset.as_of == min(f.as_of for f in preset.figures if f.applied)


@each_preset
def test_the_provider_of_tokens_is_known(preset):
    by_token = "oauth2" in [each.value for each in preset.login]
    assert bool(preset.oauth2) == by_token
    assert preset.oauth2 in {None, Provider.MICROSOFT.value, Provider.GOOGLE.value}


@each_preset
def test_what_is_said_of_it_are_plain_words(preset):
    words = [preset.title, preset.sender, *preset.notes, *preset.required.values()]
    words += [w for f in preset.figures for w in (f.source, f.not_applied)]
    assert [each for each in words if each != each.strip() or not each.isprintable()] == []
    assert [note for note in preset.notes if not note.endswith(".")] == []
    assert len(set(preset.notes)) == len(preset.notes)


@each_preset
def test_no_number_of_connections_is_beyond_what_the_relay_may_have(preset):
    most = parse('[[account]]\nname = "A"\nserver = "a.example"\n').delivery.max_connections
    assert preset.keys.get("max_connections", 1) <= most


def test_what_is_known_best_is_right():
    assert presets.of("microsoft365").keys == {
        "server": "smtp.office365.com",
        "port": 587,
        "tls": "starttls",
        "max_recipients": 500,
        "quota": ["30 mails/1m", "10000 recipients/1d"],
        "max_connections": 3,
    }


def test_the_file_is_data_of_the_package():
    setup = (Path(__file__).parents[2] / "setup.cfg").read_text()
    assert "\nmultisendcon_plugin.presets = providers.toml\n" in setup
