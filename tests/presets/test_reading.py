"""The file of providers is read once, when it is asked for, and nothing in it is left over."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from multisendcon_plugin import presets
from multisendcon_plugin.errors import MultisendconError
from multisendcon_plugin.presets import UnknownPresetError, reading

ENTRY = """
[example]
title = "Example"
login = ["password"]
sender = "any address"
notes = ["One.", "Two."]

[[example.figures]]
source = "its help"
as_of = 2026-03-12
server = "smtp.example.com"
port = 587
tls = "starttls"

[[example.figures]]
source = "a forum"
as_of = 2025-01-31
not_applied = "nobody knows"
quota = ["5 mails/1h"]
size = "10 MB"
"""


def example(text=ENTRY):
    return reading.parse(text)["example"]


def test_an_entry_is_read():
    preset = example()
    assert (preset.name, preset.title, preset.note) == ("example", "Example", "One. Two.")
    assert preset.keys == {"server": "smtp.example.com", "port": 587, "tls": "starttls"}
    assert (preset.source, preset.as_of) == ("its help", datetime.date(2026, 3, 12))
    assert [f.key for f in preset.figures if not f.applied] == ["quota", "size"]


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ('title = "Example"', 'title = ""'),
        ('title = "Example"', ""),
        ('title = "Example"', 'title = "Example"\ncolour = "red"'),
        ('login = ["password"]', "login = []"),
        ('login = ["password"]', 'login = ["fingerprint"]'),
        ('login = ["password"]', 'login = "password"'),
        ('sender = "any address"', "sender = 1"),
        ('notes = ["One.", "Two."]', "notes = [1]"),
        ('source = "its help"', ""),
        ('source = "its help"', 'source = " "'),
        ("as_of = 2026-03-12", ""),
        ("as_of = 2026-03-12", 'as_of = "2026-03-12"'),
        ("as_of = 2026-03-12", "as_of = 2026-03-12T00:00:00"),
        ("port = 587", "port = 587\nprot = 25"),
        ("port = 587", 'port = 587\npassword = "secret"'),
        ('not_applied = "nobody knows"', "not_applied = true"),
    ],
)
def test_what_is_not_written_as_it_has_to_be_is_an_error(line, instead):
    assert line in ENTRY
    with pytest.raises(ValueError, match="example: "):
        reading.parse(ENTRY.replace(line, instead, 1))


@pytest.mark.parametrize("name", ["Example", "ex_ample", "example-", "e--x", "\u00e9"])
def test_a_name_that_is_none_is_an_error(name):
    entry = ENTRY.replace("[example", f'["{name}"')
    with pytest.raises(ValueError, match=f"{name}: "):
        reading.parse(entry)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("microsft365", "microsoft365"),
        ("Microsoft365", "microsoft365"),
        ("office365", "microsoft365"),
        ("hotmail", "outlook-com"),
        ("ses", "amazon-ses"),
        ("ionso", "ionos"),
    ],
)
def test_an_unknown_name_tells_the_nearest_ones(name, nearest):
    with pytest.raises(UnknownPresetError, match="multisendcon preset list") as raised:
        presets.of(name)
    assert raised.value.nearest[0] == nearest
    assert nearest in str(raised.value)
    assert isinstance(raised.value, MultisendconError)


@pytest.mark.parametrize("name", ["", "qqqqqqqqqqq", "x" * 100_000, "\x1b[31m"])
def test_a_name_that_is_like_none_is_told_without_any(name):
    with pytest.raises(UnknownPresetError) as raised:
        presets.of(name)
    assert raised.value.nearest == []
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000


def test_the_file_is_read_when_it_is_asked_for():
    code = (
        "from multisendcon_plugin import presets; from multisendcon_plugin.presets import reading;"
        "print(reading._presets.cache_info().misses); presets.names(); presets.of('gmail');"
        "print(reading._presets.cache_info().misses)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout.split() == ["0", "1"]
