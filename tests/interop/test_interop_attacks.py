"""Clients that mean harm, in short: see `tests.endurance.attacks`."""

from __future__ import annotations

from types import SimpleNamespace

from tests.endurance import attacks
from tests.interop.programs import needs


@needs("smtp-sink")
def test_attacks_take_little_and_neither_get_through_nor_in_the_way(tmp_path):
    options = SimpleNamespace(megabytes=8, slow=200, seconds=2, growth=24, share=1.0)
    assert list(attacks.run(tmp_path, options)) == []
