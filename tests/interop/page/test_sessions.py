"""Sessions beside a relay that reloads, stops, and starts again."""

from __future__ import annotations

import contextlib

import pytest
from playwright.sync_api import expect

from multisendcon_plugin.settings.admins import Role
from tests.interop.page.browser import Visit
from tests.interop.page.world import PASSWORD, USERS, World
from tests.interop.programs import needs

pytestmark = needs("chromium")


def test_a_wrong_password_is_told(visit):
    at = visit(None)
    at.sign_in(USERS[Role.VIEW], "wrong")
    expect(at.page.get_by_role("alert")).to_contain_text("Name or password is wrong")
    at.page.get_by_label("Name").fill(USERS[Role.VIEW])
    at.page.get_by_label("Password").fill(PASSWORD)
    at.press("Sign in")
    expect(at.page.get_by_role("button", name="Sign out")).to_be_visible()
    at.wrong = [each for each in at.wrong if "status of 403" not in each]


def test_who_is_taken_out_of_the_file_is_signed_out_by_a_reload(world, visit):
    world.write_users(temporary=Role.CONFIGURE)
    world.operator.ask("POST", "reload")
    at = visit(None)
    at.sign_in("temporary")
    expect(at.page.get_by_role("button", name="Sign out")).to_be_visible()
    world.write_users()
    at.page.reload()
    expect(at.page.get_by_role("button", name="Sign out")).to_be_visible()
    world.operator.ask("POST", "reload")
    at.page.reload()
    expect(at.page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.fixture
def own_world(tmp_path):
    with contextlib.ExitStack() as running:
        world = World(tmp_path, running.enter_context)
        running.enter_context(world.relay)
        yield world


def test_a_page_says_that_the_relay_has_stopped_and_comes_back(own_world, browser):
    at = Visit(browser, own_world.url)
    with contextlib.closing(at):
        at.sign_in(USERS[Role.VIEW])
        expect(at.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        connection = at.page.locator("#connection")
        expect(connection).to_be_hidden()
        own_world.relay.stop()
        expect(connection).to_contain_text("The relay does not answer since")
        own_world.relay.start()
        expect(connection).to_contain_text("The session has ended")
        connection.get_by_role("link", name="Sign in").click()
        at.page.get_by_label("Name").fill(USERS[Role.VIEW])
        at.page.get_by_label("Password").fill(PASSWORD)
        at.press("Sign in")
        expect(at.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        expect(connection).to_be_hidden()
        # Only what a browser says by itself of a server that is not there, or refuses.
        assert all("Failed to load" in each or "net::ERR" in each for each in at.wrong)
