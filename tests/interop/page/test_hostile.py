"""What strangers have written is text on every page, wherever it is shown and whatever it was."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from multisendcon_plugin.page.routes import NAVIGATION
from tests.interop.page.hostile import ALL, MADE
from tests.interop.page.world import EVIL
from tests.interop.programs import needs

pytestmark = needs("chromium")


@pytest.mark.parametrize("text", ALL)
def test_what_is_looked_for_is_only_text(visit, text):
    at = visit()
    for path in NAVIGATION.values():
        at.go(path)
        names = at.page.locator("form[method=get] [name]").evaluate_all(
            "(found) => found.map((each) => each.name)"
        )
        query = "&".join(f"{name}={quote(text)}" for name in (*names, "x"))
        page = at.go(f"{path}?{query}")
        assert page.locator(MADE).count() == 0
        assert "42" not in page.locator("main").inner_text().replace("7 * 6", "")
        at.wrong = [each for each in at.wrong if "status of 422" not in each]


@pytest.mark.parametrize("text", [*ALL, EVIL, "\u0000", "%", "../../etc/passwd"])
def test_what_is_in_a_path_is_only_text(visit, text):
    at = visit()
    for path in ("mails", "accounts", "queue", "nowhere"):
        page = at.go(f"/{path}/{quote(text, safe='')}")
        assert page.locator(MADE).count() == 0
        # A browser says so of each page that is not there.
        at.wrong = [each for each in at.wrong if "status of 4" not in each]


def test_each_mail_of_strangers_is_only_text(world, visit):
    at = visit()
    for number in sorted({each["id"] for each in world.waiting("hostile.example")}):
        page = at.go(f"/mails/{number}")
        page.get_by_text("Header", exact=True).click()
        assert page.locator(MADE).count() == 0
