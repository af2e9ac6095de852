"""The unit of systemd lets the relay do what it has to do, and nothing else.

What it exposed before, by ``systemd-analyze security``: 8.5 of 10; with these settings 1.7.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "etc" / "multisendcon.service"
ANALYZE = shutil.which("systemd-analyze")
EXPOSED_BEFORE, EXPOSED_AT_MOST = 8.5, 2.0


def settings():
    """Return what is set; what is switched off by its "#" is not."""
    lines = UNIT.read_text().splitlines()
    return dict(
        line.split("=", 1) for line in lines if "=" in line and not line.startswith(("#", "["))
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("WatchdogSec", "180"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
        ("NoNewPrivileges", "true"),
        ("CapabilityBoundingSet", ""),
        ("SystemCallFilter", "@system-service"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX AF_NETLINK"),
        ("PrivateDevices", "true"),
        ("ProtectKernelTunables", "true"),
        ("ProtectKernelModules", "true"),
        ("ProtectKernelLogs", "true"),
        ("ProtectControlGroups", "true"),
        ("ProtectProc", "invisible"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "true"),
    ],
)
def test_what_is_set(key, value):
    assert settings()[key] == value


def test_a_ceiling_for_memory_and_a_low_port_are_there_to_be_switched_on():
    text = UNIT.read_text()
    assert "#MemoryMax=" in text
    # Ambient capabilities are none when the bounding set has not got them.
    assert re.search(r"^#CapabilityBoundingSet=(\w+)\n#AmbientCapabilities=\1$", text, re.MULTILINE)


@pytest.mark.skipif(ANALYZE is None, reason="not installed: systemd-analyze")
def test_systemd_finds_little_that_is_exposed(tmp_path):
    def exposure(unit):
        answer = subprocess.run(
            [ANALYZE, "security", "--offline=true", "--no-pager", str(unit)],
            check=False,
            capture_output=True,
            text=True,
        )
        found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", answer.stdout)
        if not found:
            pytest.skip(f"this systemd-analyze looks at no file: {answer.stderr}")
        return float(found[1])

    open_to_all = tmp_path / "open.service"
    open_to_all.write_text("[Service]\nUser=multisendcon\nExecStart=/bin/true\n")
    assert exposure(UNIT) <= EXPOSED_AT_MOST < EXPOSED_BEFORE < exposure(open_to_all)
