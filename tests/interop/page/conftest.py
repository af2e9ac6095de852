"""One relay and one browser for all tests of the page; each test has a visit of its own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from multisendcon_plugin.settings.admins import Role
from tests.interop.page.browser import Visit, chromium
from tests.interop.page.world import USERS, World


@pytest.fixture(scope="package")
def world(tmp_path_factory):
    with contextlib.ExitStack() as running:
        world = World(tmp_path_factory.mktemp("world"), running.enter_context)
        running.enter_context(world.relay)
        world.fill()
        yield world


@pytest.fixture(scope="package")
def browser():
    # Not for the whole run: while it lives, no other test can have a loop of asyncio.
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def signed_in(world, browser):
    """Return a function: what a browser keeps of somebody with a role."""
    kept = {}

    def state(role):
        if role not in kept:
            visit = Visit(browser, world.url)
            visit.sign_in(USERS[role])
            visit.page.get_by_role("button", name="Sign out").wait_for()
            kept[role] = visit.cookies()
            visit.close()
        return kept[role]

    return state


@pytest.fixture
def visit(world, browser, signed_in):
    """Return a function: a visit by somebody with a role; nothing may go wrong in it."""
    visits = []

    def begin(role=Role.CONFIGURE, **how):
        cookies = signed_in(role) if role else []
        visits.append(Visit(browser, world.url, **how))
        visits[-1].sign_in_by(cookies)
        return visits[-1]

    yield begin
    wrong = [each for visit in visits for each in visit.wrong]
    for each in visits:
        each.close()
    assert not wrong


@pytest.fixture(scope="package")
def pictures(tmp_path_factory):
    """Return the folder for pictures, which ``MULTISENDCON_PICTURES`` may name."""
    named = os.environ.get("MULTISENDCON_PICTURES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(exist_ok=True)
    return folder
