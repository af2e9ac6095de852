"""A wall clock that somebody sets while mail waits."""

from __future__ import annotations

import smtplib
import sys
from itertools import pairwise

import pytest

from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account

HOUR, DAY = 3600.0, 86400.0
WAIT = 0.3


class RelayWithSetClock(Relay):
    def __init__(self, folder, configuration):
        super().__init__(folder, configuration)
        self._clock = self.folder / "clock"
        self.set_clock_by(0.0)

    def set_clock_by(self, seconds):
        # In place of the old one, so that there is always one.
        new = self._clock.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._clock)

    def command(self):
        _, *options = super().command()
        return [sys.executable, "-m", "tests.interop.set_clock", str(self._clock), *options]


def test_neither_minimum_wait_nor_timers_depend_on_the_clock_on_the_wall(tmp_path, start):
    provider = start(ProviderProcess(tmp_path, "127.0.2.30"))
    relay = start(
        RelayWithSetClock(
            tmp_path, account("A", provider.address, provider.port, minimum_wait=WAIT)
        )
    )
    with smtplib.SMTP(relay.address, relay.port) as client:
        for n in range(10):
            client.sendmail("a@home.example", "b@far.example", f"Subject: {n}\r\n\r\nx\r\n")
    mails = [provider.mail()]
    for jump in (-HOUR, 0.0, HOUR, 0.0, DAY, 0.0, 400 * DAY, -400 * DAY, 0.0):
        relay.set_clock_by(jump)
        mails.append(provider.mail(timeout=10))
    gaps = [later.mail_from_at - earlier.received_at for earlier, later in pairwise(mails)]
    assert min(gaps) >= WAIT
    relay.stop()
    assert relay.waiting() == 0


@pytest.mark.parametrize(("jump", "trusted"), [(0.0, 1), (DAY, 0)])
def test_times_of_a_set_clock_are_not_trusted_after_a_restart(tmp_path, start, jump, trusted):
    relay = start(RelayWithSetClock(tmp_path, account("A", "127.0.2.31", 1)))
    smtplib.SMTP(relay.address, relay.port).quit()
    relay.set_clock_by(jump)
    relay.stop()
    assert relay.value("SELECT value FROM meta WHERE name = 'clean'") == trusted
