"""Three bad accounts among good ones, in short: see `tests.endurance.accounts`."""

from __future__ import annotations

from types import SimpleNamespace

from tests.endurance import accounts


def test_bad_accounts_take_no_connections_from_good_ones_and_their_mail_is_not_reported(tmp_path):
    # As many mails for the black hole as there are connections for all; it would keep them for
    # half a minute, where a good account needs some seconds.
    options = SimpleNamespace(accounts=6, mails=60, seconds=0, slowest=3, greedy=50, silent=False)
    assert accounts.run(tmp_path, options) == []
