"""Address fields and reports from anything: short runs of two targets of `tests.fuzz`."""

from __future__ import annotations

import importlib
import random

import pytest

from multisendcon_plugin.mail import fixed_sender as identity
from multisendcon_plugin.ndr import status
from tests.fuzz import fields, reports

# Not the function of that name, which the package has in its place.
report = importlib.import_module("multisendcon_plugin.ndr.report")


def play_many(target, count):
    chance = random.Random(15)
    for _ in range(count):
        script = chance.randbytes(chance.randrange(4, 80))
        try:
            target.play(script)
        except AssertionError:
            print("--play", script.hex())
            raise


def test_address_fields_of_anything_show_no_replaced_sender():
    play_many(fields, 1000)


def test_reports_on_anything_keep_their_form_and_their_limits():
    play_many(reports, 100)


@pytest.mark.parametrize(
    ("target", "module", "name", "value"),
    [
        (fields, identity, "shows", lambda *_: False),
        (fields, identity, "_ONLY_ONE", frozenset()),
        (fields, identity, "_written", lambda name, *_: name.encode() + b": x\r\n"),
        (reports, status, "said", str),
        (reports, report, "beginning", lambda header: header),
    ],
)
def test_the_judges_find_fault(monkeypatch, target, module, name, value):
    monkeypatch.setattr(module, name, value)
    with pytest.raises(AssertionError):
        play_many(target, 1000)
