"""`multisendcon preset`, which needs neither a relay nor a configuration."""

from __future__ import annotations

import datetime
import json
import tomllib

import pytest

from multisendcon_plugin import presets
from multisendcon_plugin.settings.quota import quotas


def test_list(run):
    ended = run("preset", "list")
    assert (ended.status, ended.err) == (0, "")
    titles, *rows = ended.out.splitlines()
    assert titles.split()[:3] == ["PRESET", "PROVIDER", "SERVER"]
    assert [row.split()[0] for row in rows] == presets.names()
    [row] = [row for row in rows if row.startswith("microsoft365 ")]
    assert "smtp.office365.com" in row
    assert "30 mails/1m, 10000 recipients/1d" in row


def test_list_as_json(run):
    rows = [json.loads(line) for line in run("preset", "list", "--json").out.splitlines()]
    assert [row["name"] for row in rows] == presets.names()
    # Each line is what is shown of the one preset.
    assert rows[3] == json.loads(run("preset", "show", rows[3]["name"], "--json").out)


def test_show(run):
    ended = run("preset", "show", "microsoft365")
    assert (ended.status, ended.err) == (0, "")
    assert "login by oauth2 (microsoft), password\n" in ended.out
    assert "30 mails/1m, 10000 recipients/1d  2026-11-28  learn.microsoft.com, " in ended.out
    assert 'quota = ["30 mails/1m", "10000 recipients/1d"]\n' in ended.out
    assert ended.out.endswith('# [account.oauth2]\n# provider = "microsoft"\n')


def test_what_is_not_applied_is_shown_as_that(run):
    out = run("preset", "show", "emailit").out
    [row] = [line for line in out.splitlines() if "2 mails/1s" in line]
    assert "not applied: grows by itself" in row
    assert "quota =" not in out


def test_what_has_to_be_written_is_shown(run):
    out = run("preset", "show", "amazon-ses").out
    assert "\n# server = that of your region, such as email-smtp." in out


@pytest.mark.parametrize("name", presets.names())
def test_show_as_json(run, name):
    ended = run("preset", "show", name, "--json")
    assert (ended.status, ended.err) == (0, "")
    [line] = ended.out.splitlines()
    shown = json.loads(line)
    preset = presets.of(name)
    assert {key: shown[key] for key in preset.keys} == preset.keys
    assert [str(quota) for quota in quotas(shown["quota"])] == shown["quota"]
    assert shown["source"]
    assert datetime.date.fromisoformat(shown["as_of"]) == preset.as_of
    assert [each["key"] for each in shown["figures"]] == [each.key for each in preset.figures]
    # What is to be pasted is TOML, and what the preset stands for.
    assert tomllib.loads(shown["toml"]) == preset.keys
    assert shown["size"] is None or shown["size"] > 1_000_000


def test_an_unknown_name_tells_the_nearest_ones(run):
    for more in ([], ["--json"]):
        ended = run("preset", "show", "mircosoft365", *more)
        assert (ended.status, ended.out) == (3, "")
        assert 'no preset is called "mircosoft365"; did you mean microsoft365' in ended.err


def test_no_configuration_is_needed(run, tmp_path):
    (tmp_path / "multisendcon.toml").unlink()
    assert run("preset", "show", "gmail").status == 0
