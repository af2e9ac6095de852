"""A command line, and a relay that it talks to."""

from __future__ import annotations

import time

import attrs
import pytest

from multisendcon_plugin.admin.command import main
from tests.admin.fake_relay import FakeRelay

CONFIGURATION = """
[spool]
path = "spool"

[[account]]
name = "Sales"
server = "smtp.sales.example"
"""


@attrs.frozen
class Ended:
    """How a command has ended."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _utc(monkeypatch):
    """Have the times of this machine be those of UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the spool that the configuration names."""
    (tmp_path / "multisendcon.toml").write_text(CONFIGURATION)
    spool = tmp_path / "spool"
    spool.mkdir(mode=0o700)
    return spool


@pytest.fixture
def run(tmp_path, folder, capsys):
    """Return what runs a command."""

    def run(*arguments):
        try:
            status = main([*arguments, "--config", str(tmp_path / "multisendcon.toml")])
        except SystemExit as ended:
            status = ended.code
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def relay(folder):
    """Return a relay that runs, and answers as it is told to."""
    with FakeRelay(folder) as relay:
        yield relay
