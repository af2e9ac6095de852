"""Silent servers beside a good one, in short: see `tests.endurance.silent`."""

from __future__ import annotations

from types import SimpleNamespace

from tests.endurance import silent


def test_a_good_account_feels_nothing_of_silent_servers(tmp_path):
    options = SimpleNamespace(servers=55, accounts=60, mails=10, latest=5)
    assert list(silent.run(tmp_path, options)) == []
