"""What is installed is what lies here."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_package_is_installed():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in ROOT.glob("multisendcon_plugin/**/__init__.py")
    }
    assert set(setup["options"]["packages"].split()) == packages | {"twisted.plugins"}
