"""Short runs of `tests.endurance`: the relay ends under load; what it has answered for arrives."""

from __future__ import annotations

import random

import pytest

from tests.endurance import kills, powercut, restarts
from tests.endurance.disk import CannotMountError
from tests.interop.programs import needs

pytestmark = needs("smtp-sink")


@pytest.fixture
def seed():
    chosen = random.randrange(10**6)
    print("seed:", chosen)
    return chosen


def test_no_mail_that_got_its_250_is_lost_by_kill_9(tmp_path, seed, record_property):
    result = kills.kills(tmp_path, times=5, seed=seed)
    print(kills.figures(result))
    record_property("duplicates", result.audit.duplicates)

    assert len(result.audit.accepted) > 100
    assert list(kills.violations(result)) == []


def test_a_restart_loses_nothing_and_sends_nothing_twice(tmp_path, seed):
    result = restarts.restarts(tmp_path, times=3, seed=seed)
    print(restarts.figures(result))

    assert len(result.audit.accepted) > 100
    assert list(restarts.violations(result)) == []


@needs("mount", "umount", "mkfs.ext4")
def test_a_power_cut_loses_mail_only_when_fsync_does_nothing(tmp_path_factory):
    try:
        cuts = [powercut.cut(tmp_path_factory.mktemp("with"), 1.5)]
        without = [powercut.cut(tmp_path_factory.mktemp("without"), 1.5, fsync=False)]
    except CannotMountError as error:
        pytest.skip(f"power cannot be cut here: {error}")
    print(*cuts, *without, sep="\n")

    assert list(powercut.violations(cuts, without)) == []
