"""What an admin does with accounts, settings and the text of the configuration, in a browser."""

from __future__ import annotations

import contextlib
import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from multisendcon_plugin.settings.admins import Role
from tests.interop.page.browser import Visit
from tests.interop.page.hostile import ALL, MADE, SCRIPT
from tests.interop.page.world import USERS, World
from tests.interop.programs import needs, until

pytestmark = needs("chromium", "node axe-core")
SECRET = "wrong-s3cret-password"


@pytest.fixture(scope="module")
def own_world(tmp_path_factory):
    """Return a world of which the configuration is changed."""
    with contextlib.ExitStack() as running:
        world = World(tmp_path_factory.mktemp("configured"), running.enter_context)
        running.enter_context(world.relay)
        world.send("boss@wrong.example", "customer@customer.example")
        until(lambda: state(world, "Wrong password") == "login", "the account cannot log in")
        yield world


@pytest.fixture
def visits(own_world, browser):
    """Return a function: a visit by somebody who has signed in; nothing may go wrong in it."""
    opened = []

    def begin(role=Role.CONFIGURE):
        opened.append(Visit(browser, own_world.url))
        opened[-1].sign_in(USERS[role])
        expect(opened[-1].page.get_by_role("button", name="Sign out")).to_be_visible()
        return opened[-1]

    yield begin
    wrong = [each for visit in opened for each in visit.wrong]
    for each in opened:
        each.close()
    assert not wrong


@pytest.fixture
def at(visits):
    return visits()


def state(world, name):
    found = world.operator.ask("GET", f"accounts/{quote(name)}")
    return found["state"]


def text_of(world):
    return (world.folder / "relay.toml").read_text()


def fill(at, key, value):
    at.page.locator(f"[name='{key}']").first.fill(value)


def confirm(at, verb, *said):
    """Look at what would change, and have it done."""
    asked = at.page.get_by_role("dialog")
    for each in said:
        expect(asked).to_contain_text(each)
    assert at.page.locator(MADE).count() == 0
    assert at.violations() == []
    asked.get_by_role("button", name=verb, exact=True).click()


def without_refusals(at):
    """Forget what the browser says of pages that tell of faults."""
    at.wrong = [each for each in at.wrong if "status of 4" not in each]


# Accounts.


def test_an_account_with_a_wrong_password_is_mended(own_world, at):
    at.go("/")
    alarms = at.page.get_by_role("region", name="Alarms")
    alarms.get_by_role("link", name="Wrong password").click()
    at.press("Test")
    expect(at.page.get_by_text("The account cannot send mail.")).to_be_visible()
    expect(at.page.get_by_role("row", name=re.compile("login failed"))).to_be_visible()
    assert at.violations() == []
    at.page.get_by_role("link", name="Edit all keys").click()
    assert SECRET not in at.page.content()
    assert at.violations() + at.too_wide() == []
    fill(at, "password", "right")
    at.press("Save")
    confirm(at, "Save", "********")
    at.tells('Saved: account "Wrong password": password')
    until(lambda: state(own_world, "Wrong password") == "ok", "the account has logged in")
    assert 'password = "right"' in text_of(own_world)


def test_an_account_is_added_from_a_preset_moved_and_removed(own_world, at):
    at.go("/accounts")
    at.page.get_by_role("link", name="Add an account").click()
    assert at.violations() == []
    at.page.get_by_label("Provider").fill("fastmail")
    at.press("Search")
    at.page.get_by_role("rowheader").get_by_role("link").first.click()
    expect(at.page.get_by_role("heading", name=re.compile("What is known of"))).to_be_visible()
    assert at.violations() == []
    fill(at, "name", f"New {SCRIPT}")
    fill(at, "username", "somebody@new.example")
    fill(at, "password", "secret")
    fill(at, "senders", "*@new.example")
    at.press("Save")
    confirm(at, "Save", f'Add account "New {SCRIPT}"?')
    at.tells("Added: account")
    at.press("Move up")
    confirm(at, "Move", "to place 5 of 6?")
    at.tells("to place 5 of 6")
    at.page.get_by_role("link", name=f"New {SCRIPT}", exact=True).click()
    at.press("Remove")
    confirm(at, "Remove", "Remove account")
    at.tells("Removed: account")
    assert "new.example" not in text_of(own_world)


def test_a_fault_is_told_at_its_key_and_nothing_typed_is_lost(own_world, at):
    before = text_of(own_world)
    at.go("/accounts/add?type=smtp")
    fill(at, "name", "Faulty")
    fill(at, "server", "smtp.example.com")
    fill(at, "port", "a port")
    fill(at, "senders", "*@typed.example")
    at.press("Save")
    expect(at.page.get_by_role("alert")).to_contain_text("port")
    expect(at.page.locator("[name=senders]").first).to_have_value("*@typed.example")
    expect(at.page.locator("[name=port]").first).to_have_attribute("aria-invalid", "true")
    assert at.violations() == []
    assert text_of(own_world) == before
    without_refusals(at)


def test_an_account_is_paused_and_resumed(own_world, visits):
    at = visits(Role.OPERATE)
    at.go("/accounts")
    at.page.get_by_role("button", name="Pause Newsletter").click()
    expect(at.page.get_by_role("row", name=re.compile("Newsletter"))).to_contain_text("paused")
    at.page.get_by_role("button", name="Resume Newsletter").click()
    expect(at.page.get_by_role("row", name=re.compile("Newsletter"))).not_to_contain_text("paused")
    expect(at.page.get_by_role("link", name="Add an account")).to_have_count(0)


def test_two_admins_do_not_overwrite_each_other(own_world, visits):
    first, second = visits(), visits()
    for each, name in ((first, "first.example"), (second, "second.example")):
        each.go("/accounts/Sales/edit")
        fill(each, "helo_domain", name)
        each.press("Save")
        expect(each.page.get_by_role("dialog")).to_be_visible()
    confirm(first, "Save")
    first.tells("Saved")
    confirm(second, "Save")
    expect(second.page.get_by_role("alert")).to_contain_text("changed")
    assert 'helo_domain = "first.example"' in text_of(own_world)
    assert "second.example" not in text_of(own_world)
    expect(second.page.locator("[name=helo_domain]").first).to_have_value("second.example")
    without_refusals(second)


def test_a_reload_while_somebody_edits_does_not_disturb_them(own_world, at):
    at.go("/accounts/Newsletter/edit")
    fill(at, "helo_domain", "news.example")
    own_world.operator.ask("POST", "reload")
    at.press("Save")
    confirm(at, "Save", "news.example")
    at.tells("Saved")


# Settings.


def test_a_setting_is_changed(own_world, at):
    at.go("/settings")
    form = at.page.locator("form[action='/settings/delivery']")
    form.locator("[name=give_up_after]").fill("2d")
    form.get_by_role("button", name="Save", exact=True).click()
    confirm(at, "Save", "give_up_after")
    at.tells("Saved: [delivery]: give_up_after")
    assert 'give_up_after = "2d"' in text_of(own_world)


# The text.


def test_the_text_is_changed_and_faults_are_at_their_lines(own_world, at):
    at.go("/configuration")
    before = text_of(own_world)
    text = at.page.get_by_label("Text", exact=True)
    assert SECRET not in text.input_value()
    good = text.input_value()
    text.fill(f'{good}\n[[account]]\nname = "Text"\nserver = "x.example"\nprot = 25\n')
    at.press("Save")
    expect(at.page.locator("main")).to_contain_text("did you mean port?")
    assert at.violations() == []
    assert text_of(own_world) == before
    without_refusals(at)
    text = at.page.get_by_label("Text", exact=True)
    text.fill(text.input_value().replace("prot", "port"))
    at.press("Save")
    expect(at.page.locator("ins").filter(has_text="x.example")).to_be_visible()
    assert at.violations() == []
    at.press("Save")
    at.tells("Saved: the configuration")
    assert 'server = "x.example"' in text_of(own_world)


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(own_world, at):
    at.go("/configuration")
    by_hand = f"{text_of(own_world)}\n# by hand\n"
    (own_world.folder / "relay.toml").write_text(by_hand)
    text = at.page.get_by_label("Text", exact=True)
    text.fill(f"{text.input_value()}\n# by the page\n")
    at.press("Save")
    expect(at.page.get_by_role("alert")).to_contain_text("has been changed")
    expect(at.page.get_by_label("Text", exact=True)).to_have_value(re.compile("# by the page"))
    assert text_of(own_world) == by_hand
    without_refusals(at)


def test_what_somebody_without_the_right_sees_they_cannot_change(visits):
    at = visits(Role.VIEW)
    for path in ("/configuration", "/settings", "/accounts", "/accounts/Sales/edit"):
        at.go(path)
        for verb in ("Save", "Remove", "Move", "Add", "Pause"):
            expect(at.page.get_by_role("button", name=verb, exact=True)).to_have_count(0)


def test_no_secret_is_on_any_page(world, visit):
    at = visit()
    for path in ("/configuration", "/settings", "/accounts/Wrong%20password/edit", "/"):
        at.go(path)
        assert SECRET not in at.page.content()
    for path in ("configuration", "configuration/accounts"):
        answer = at.page.request.get(f"/api/v1/{path}")
        assert "Wrong password" in answer.text()
        assert SECRET not in answer.text()


# Explain.


def test_a_mail_is_explained(world, visit, tmp_path):
    at = visit(Role.VIEW)
    at.go("/explain")
    at.page.get_by_label("Sender").fill("boss@sales.example")
    at.page.get_by_label("Recipients").fill("customer@customer.example")
    at.press("Explain")
    expect(at.page.get_by_text("Account Sales takes it.")).to_be_visible()
    assert at.violations() + at.too_wide() == []


@pytest.mark.parametrize("text", ALL)
def test_what_is_in_an_explained_mail_is_only_text(visit, tmp_path, text):
    file = tmp_path / "mail.eml"
    file.write_text(f"From: x@hostile.example\nSubject: {text}\nX-{text}: {text}\n\n{text}\n")
    at = visit(Role.VIEW)
    at.go("/explain")
    at.page.locator("input[type=file]").set_input_files(file)
    expect(at.page.locator("[name=message]")).to_have_value(re.compile("Subject:"))
    at.page.get_by_label("Sender").fill("x@hostile.example")
    at.page.get_by_label("Recipients").fill("customer@customer.example")
    at.press("Explain")
    expect(at.page.locator("#result, [role=alert]").first).to_be_visible()
    assert at.page.locator(MADE).count() == 0
    without_refusals(at)
