"""A plain installation has no dnspython, and needs none."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "loaded"),
    [
        ("multisendcon_plugin.dns, multisendcon_plugin.testing", False),
        ("multisendcon_plugin.service, multisendcon_plugin.admin.command", False),
        ("multisendcon_plugin.dns.resolver", True),
    ],
)
def test_dnspython_is_loaded_with_the_resolver_alone(modules, loaded):
    code = f"import sys, {modules}; print('dns' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(loaded)
