"""Programs that end with the test that started them."""

from __future__ import annotations

import contextlib

import pytest


@pytest.fixture
def start():
    """Start a program or a provider beside the test, and return it."""
    with contextlib.ExitStack() as running:
        yield running.enter_context
