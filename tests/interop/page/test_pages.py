"""Each page, on a telephone and a large screen, in light and in dark, for everybody."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from multisendcon_plugin.page.routes import NAVIGATION
from tests.interop.page.browser import SCHEMES, SIZES
from tests.interop.page.hostile import MADE
from tests.interop.page.world import EVIL
from tests.interop.programs import needs

pytestmark = needs("chromium", "node axe-core")

#: Paths that are one page more for each thing of their kind.
_EXAMPLES = {
    "mails/{id}": lambda world: world.waiting("hostile.example")[0]["id"],
    "accounts/{name}": lambda _: EVIL,
    "accounts/{name}/edit": lambda _: EVIL,
}


def paths():
    """Return all that a link leads to, and one page of each kind."""
    return [*NAVIGATION.values(), *(f"/{path}" for path in _EXAMPLES)]


def address_of(path, world):
    if path[1:] not in _EXAMPLES:
        return path
    value = quote(_EXAMPLES[path[1:]](world), safe="")
    return re.sub("{.*}", value, path)


def picture_name(path):
    return re.sub("[/{}]+", "-", path).strip("-") or "overview"


@pytest.mark.parametrize("path", paths())
def test_a_page_can_be_used_by_everybody(world, visit, pictures, path):
    address = address_of(path, world)
    found = []
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            viewport = {"width": width, "height": height}
            at = visit(viewport=viewport, color_scheme=scheme)
            page = at.go(address)
            name = f"{picture_name(path)}-{size}-{scheme}"
            at.picture(pictures, name)
            found += [f"{name}: {each}" for each in at.violations()]
            found += [f"{name}: too wide: {each}" for each in at.too_wide()]
            assert page.locator(MADE).count() == 0
    assert not found


@pytest.mark.parametrize(("name", "path"), NAVIGATION.items())
def test_a_link_leads_to_each_page(visit, name, path):
    at = visit()
    page = at.go("/")
    at.link_to(name).click()
    expect(at.link_to(name)).to_have_attribute("aria-current", "page")
    expect(page).to_have_title(f"{name} · multisendcon")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_signing_in_can_be_used_by_everybody(visit, pictures, scheme):
    for size, (width, height) in SIZES.items():
        at = visit(None, viewport={"width": width, "height": height}, color_scheme=scheme)
        at.go("/")
        at.picture(pictures, f"sign-in-{size}-{scheme}")
        assert at.violations() + at.too_wide() == []
