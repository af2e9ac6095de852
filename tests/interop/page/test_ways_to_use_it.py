"""The page for those who use no mouse, and for those whose browser runs no scripts."""

from __future__ import annotations

from playwright.sync_api import expect

from multisendcon_plugin.page.routes import NAVIGATION
from multisendcon_plugin.settings.admins import Role
from tests.interop.page.world import PASSWORD, USERS
from tests.interop.programs import needs

pytestmark = needs("chromium")
#: More than any page has places for the focus before the one that is looked for.
MANY = 200


def focused(page):
    return page.locator(":focus")


def reach(page, wanted):
    """Go on by the tabulator until something has the focus."""
    for _ in range(MANY):
        page.keyboard.press("Tab")
        if wanted.evaluate("(each) => each === document.activeElement"):
            return
    raise AssertionError(f"{wanted} cannot be reached by the keyboard")


def test_somebody_signs_in_and_looks_at_all_pages_by_the_keyboard(visit):
    at = visit(None)
    page = at.go("/")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(USERS[Role.VIEW])
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    for name in NAVIGATION:
        reach(page, at.link_to(name))
        page.keyboard.press("Enter")
        expect(page).to_have_title(f"{name} · multisendcon")
    reach(page, page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_visible()


def test_the_links_can_be_skipped(visit):
    page = visit().go("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_mail_is_deleted_by_the_keyboard(world, visit):
    [number] = world.wait_at_rest("keyboard")
    at = visit(Role.OPERATE)
    page = at.go("/queue?sender=keyboard@rest.example")
    reach(page, page.get_by_role("checkbox", name=f"Choose {number}"))
    page.keyboard.press("Space")
    reach(page, page.get_by_role("button", name="Delete", exact=True))
    page.keyboard.press("Enter")
    asked = page.get_by_role("dialog")
    expect(asked).to_be_visible()
    reach(page, asked.get_by_role("button", name="Delete", exact=True))
    page.keyboard.press("Enter")
    at.tells("Deleted: 1 delivery of 1 mail")


def test_all_pages_can_be_read_without_scripts(visit):
    at = visit(None, java_script_enabled=False)
    at.sign_in(USERS[Role.VIEW])
    for name in NAVIGATION:
        at.link_to(name).click()
        expect(at.page).to_have_title(f"{name} · multisendcon")
        expect(at.page.get_by_role("heading", level=1)).to_be_visible()


def test_mail_is_held_and_deleted_without_scripts(world, visit):
    [number] = world.wait_at_rest("no-script")
    at = visit(Role.OPERATE, java_script_enabled=False)
    at.go("/queue?sender=no-script@rest.example")
    at.page.get_by_role("checkbox", name=f"Choose {number}").check()
    at.press("Hold")
    at.tells("Held: 1 delivery of 1 mail")
    at.page.get_by_role("checkbox", name=f"Choose {number}").check()
    at.press("Delete")
    asked = at.page.get_by_role("dialog")
    expect(asked).to_contain_text("Delete 1 delivery of 1 mail?")
    asked.get_by_role("button", name="Delete", exact=True).click()
    at.tells("Deleted: 1 delivery of 1 mail")
    assert world.state(number) is None
