"""The process may have as many files open as it may have connections."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from multisendcon_plugin import parse
from multisendcon_plugin.daemon import descriptors
from multisendcon_plugin.settings.dns import MOST_UNDER_WAY
from tests.live_relay import account
from tests.program.test_tap import ENVIRONMENT, PROJECT

NO_LIMIT = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "number", "after", "answer"),
    [
        ((1024, 4096), 500, None, 1024),
        ((1024, 4096), 1024, None, 1024),
        ((1024, 4096), 2000, (2000, 4096), 2000),
        ((1024, 4096), 9000, (4096, 4096), 4096),
        ((4096, 4096), 9000, None, 4096),
        ((1024, NO_LIMIT), 9000, (9000, NO_LIMIT), 9000),
        ((NO_LIMIT, NO_LIMIT), 9000, None, 9000),
    ],
)
def test_the_limit_is_raised_as_far_as_it_is_needed_and_possible(
    monkeypatch, limits, number, after, answer
):
    was_set = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, to: was_set.append(to))
    assert descriptors.allow(number) == answer
    assert was_set == ([after] if after else [])


def test_what_is_needed_goes_with_the_connections():
    text = "[master_relay]\nmax_connections = 9000\n[delivery]\nmax_connections = 800\n"
    assert descriptors.needed(parse(text + account("A", server="a.example"))) == 18928


def test_direct_delivery_asks_the_dns():
    text = account("A", server="a.example")
    direct = account("A", type="direct")
    more = descriptors.needed(parse(direct)) - descriptors.needed(parse(text))
    assert more == MOST_UNDER_WAY


@pytest.mark.parametrize(
    ("hard", "warning"),
    [
        (700, True),
        (3000, False),
    ],
)
def test_a_start_says_when_the_system_allows_too_few(hard, warning):
    program = f"""
import resource, sys
from twisted.logger import textFileLogObserver, globalLogBeginner
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard}))
from multisendcon_plugin import parse
from multisendcon_plugin.daemon.sd_notify import Notifier
from multisendcon_plugin.tap import DaemonService
from twisted.internet.testing import MemoryReactorClock
text = "[master_relay]\\nmax_connections = 1000\\n[[account]]\\nname = 'A'\\nserver = 'a.example'"
service = DaemonService(parse(text), MemoryReactorClock(), Notifier(), front_process=False)
service.privilegedStartService()
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ("at most 700 files may be open" in result.stdout) == warning
    assert f"({min(hard, 2178)}, {hard})" in result.stdout
