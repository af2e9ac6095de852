"""Programs that end with the test that started them."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def start():
    """Start a program or a provider beside the test, and return it."""
    with contextlib.ExitStack() as running:
        yield running.enter_context


@contextlib.contextmanager
def open_temporary_folder():
    """Make a folder to which other users find the way: pytest's own ones are closed to them."""
    with tempfile.TemporaryDirectory(prefix="multisendcon-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def open_folder():
    with open_temporary_folder() as folder:
        yield folder
