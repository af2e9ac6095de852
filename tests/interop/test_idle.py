"""A thousand idle connections, in short: see `tests.endurance.idle`."""

from __future__ import annotations

from types import SimpleNamespace

from tests.endurance import idle
from tests.interop.programs import needs


@needs("smtp-sink")
def test_a_thousand_idle_clients_are_served_and_keep_nobodys_mail_waiting(tmp_path):
    options = SimpleNamespace(connections=1000, idle=0, kilobytes=25)
    assert list(idle.run(tmp_path, options)) == []
