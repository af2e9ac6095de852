"""Each action on mail that waits, as people do it with a browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from multisendcon_plugin.settings.admins import Role
from tests.interop.page.browser import SIZES
from tests.interop.page.hostile import MADE
from tests.interop.page.world import EVIL
from tests.interop.programs import needs, until

pytestmark = needs("chromium", "node axe-core")


@pytest.fixture(params=SIZES)
def at(visit, request):
    width, height = SIZES[request.param]
    return visit(Role.OPERATE, viewport={"width": width, "height": height})


def choose(at, *numbers):
    for number in numbers:
        at.page.get_by_role("checkbox", name=f"Choose {number}").check()


def dialog(at):
    found = at.page.get_by_role("dialog")
    expect(found).to_be_visible()
    return found


def test_mail_is_held_and_released(world, at):
    one, two = world.wait_at_rest("one", "two")
    at.go("/queue?sender=one@rest.example")
    choose(at, one)
    at.press("Hold")
    at.tells("Held: 1 delivery of 1 mail")
    assert (world.state(one), world.state(two)) == ("held", "resting")
    choose(at, one)
    at.press("Release")
    at.tells("Released: 1 delivery of 1 mail")
    assert world.state(one) == "resting"


def test_mail_is_tried_again(world, at):
    [number] = world.wait_at_rest("again")
    at.go("/queue?sender=again@rest.example")
    choose(at, number)
    at.press("Retry")
    at.tells("Due now: 1 delivery of 1 mail")


def test_nothing_is_done_when_nothing_is_chosen(world, at):
    at.go("/queue")
    at.press("Hold")
    at.tells("No mail is chosen")


def test_what_is_deleted_is_asked_for_first(world, at):
    [number] = world.wait_at_rest("deleted")
    at.go("/queue?sender=deleted@rest.example")
    choose(at, number)
    at.press("Delete")
    asked = dialog(at)
    expect(asked).to_contain_text("Delete 1 delivery of 1 mail?")
    at.page.keyboard.press("Escape")
    expect(at.page.get_by_role("dialog")).to_have_count(0)
    expect(at.page.get_by_role("button", name="Delete", exact=True)).to_be_focused()
    assert world.state(number) == "resting"
    at.press("Delete")
    dialog(at).get_by_role("button", name="Delete", exact=True).click()
    at.tells("Deleted: 1 delivery of 1 mail")
    assert world.state(number) is None


def test_many_are_moved_at_once_with_what_the_masks_say(world, at):
    names = [f"moved{number}" for number in range(5)]
    world.wait_at_rest(*names)
    at.go("/queue?account=Resting")
    at.page.get_by_label("all that is shown above").check()
    at.page.get_by_label("To account").select_option("Newsletter")
    at.press("Move")
    asked = dialog(at)
    expect(asked).to_contain_text("The masks of Newsletter refuse")
    asked.get_by_role("link", name="Cancel").click()
    at.go("/queue?sender=moved0@rest.example")
    at.page.get_by_label("all that the filter admits").check()
    at.page.get_by_label("To account").select_option(EVIL)
    at.press("Move")
    asked = dialog(at)
    expect(asked).to_contain_text(f"Move 1 delivery of 1 mail to {EVIL}?")
    assert at.page.locator(MADE).count() == 0
    assert at.violations() == []
    asked.get_by_role("button", name="Move", exact=True).click()
    at.tells("Moved: 1 delivery of 1 mail")
    expect(at.page.locator(".told")).to_contain_text(EVIL)


def test_one_mail_is_steered_from_its_own_page(world, at):
    [number] = world.wait_at_rest("steered")
    at.go(f"/mails/{number}")
    at.press("Hold")
    at.tells("Held")
    expect(at.page.get_by_role("button", name="Release")).to_be_visible()
    at.press("Delete")
    dialog(at).get_by_role("button", name="Delete", exact=True).click()
    at.tells("Deleted")
    expect(at.page.get_by_role("cell", name="the sender is not told")).to_be_visible()


def test_a_mail_is_found_by_what_is_known_of_it(world, visit):
    at = visit(Role.VIEW)
    at.go("/mails")
    at.page.get_by_label("Recipient").fill("customer1@customer.example")
    at.press("Search")
    expect(at.page.locator("tbody tr")).to_have_count(1)
    at.page.get_by_role("row", name=re.compile("customer1@")).get_by_role("link").click()
    expect(at.page.get_by_role("rowheader", name="delivered")).to_be_visible()


def test_the_page_shows_no_action_to_those_who_may_not(world, visit):
    [number] = world.wait_at_rest("looked-at")
    at = visit(Role.VIEW)
    for path in ("/queue", f"/mails/{number}"):
        at.go(path)
        for verb in ("Retry", "Hold", "Release", "Delete", "Move"):
            expect(at.page.get_by_role("button", name=verb, exact=True)).to_have_count(0)


def test_two_admins_who_do_the_same_are_both_told(world, visit):
    [number] = world.wait_at_rest("wanted-by-two")
    first, second = visit(Role.OPERATE), visit(Role.CONFIGURE)
    for each in (first, second):
        each.go("/queue?sender=wanted-by-two@rest.example")
        choose(each, number)
        each.press("Delete")
        dialog(each)
    dialog(first).get_by_role("button", name="Delete", exact=True).click()
    first.tells("Deleted: 1 delivery of 1 mail")
    dialog(second).get_by_role("button", name="Delete", exact=True).click()
    second.tells(f"not in the queue: {number}; it may be in the history")
    assert world.state(number) is None


def test_what_happens_is_seen_at_once_and_is_only_text(world, visit):
    at = visit(Role.VIEW)
    at.go("/")
    flow = at.page.locator("#flow")
    expect(at.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    at.page.wait_for_load_state()

    def seen():
        world.send('"<img src=x class=evil>"@hostile.example', "taken@customer.example")
        return flow.locator("tr").count()

    until(seen, "the live flow shows a mail")
    expect(flow).to_contain_text('"<img src=x class=evil>"@hostile.example')
    assert at.page.locator(MADE).count() == 0
    assert at.violations() == []
