"""Those who mean harm, in short: see `tests.endurance.attacks`."""

from __future__ import annotations

from types import SimpleNamespace

from tests.endurance import attacks
from tests.interop.programs import needs


@needs("smtp-sink")
def test_attacks_take_little_and_neither_get_through_nor_in_the_way(tmp_path):
    # How long honest clients wait is for the long run to tell: here others use this machine.
    options = SimpleNamespace(
        only=[attack.name for attack in attacks.ATTACKS],
        megabytes=8,
        slow=200,
        seconds=4,  # a wrong login is answered after three
        growth=32,
        share=1.5,
        later=30,
        lines=2000,
    )
    assert list(attacks.run(tmp_path, options)) == []
