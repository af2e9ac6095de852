"""What is installed is what lies here."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_package_is_installed():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in ROOT.glob("multisendcon_plugin/**/__init__.py")
    }
    assert set(setup["options"]["packages"].split()) == packages | {"twisted.plugins"}


def test_every_dependency_has_a_lower_bound():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lists = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    needed = [line for each in lists for line in each.split("\n") if line and line[0] != "#"]
    assert len(needed) > 10
    assert [line for line in needed if ">=" not in line] == []
