"""A browser for the page: Debian's chromium, and what goes wrong on a page that it shows."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from playwright.sync_api import Error, expect, sync_playwright

from tests.interop.page.world import PASSWORD
from tests.interop.programs import PACKAGES, program

expect.set_options(timeout=20_000)

#: Widths and heights: a telephone and a large screen.
SIZES = {"360": (360, 740), "1920": (1920, 1080)}
SCHEMES = ("light", "dark")
AXE = PACKAGES / "axe-core" / "axe.min.js"
#: What a page is asked about itself.
_TOO_WIDE = """() => {
  const root = document.documentElement;
  return root.scrollWidth > root.clientWidth
    ? [...document.querySelectorAll('body *')].filter((each) =>
        each.getBoundingClientRect().right > root.clientWidth + 1 && !each.closest('.wide, pre')
      ).slice(0, 5).map((each) => each.outerHTML.slice(0, 120))
    : [];
}"""


@contextlib.contextmanager
def chromium():
    """Start the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program("chromium"),
            args=["--no-sandbox"] if os.getuid() == 0 else [],
        )
        with contextlib.closing(browser):
            yield browser


class Visit:
    """Somebody at the page; whatever goes wrong there is noted.

    :ivar page: of the browser.
    :ivar wrong: errors on the console, of scripts, of the policy for content, dialogs, and what
        was asked of other hosts.
    """

    def __init__(self, browser, url, **how):
        self.url = url
        self._context = browser.new_context(base_url=url, **how)
        self._context.set_default_timeout(20_000)
        self.wrong = []
        self._context.on("request", self._asked)
        self._context.on("page", self._watch)
        self.page = self._context.new_page()

    def _watch(self, page):
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"error of a script: {error}"))
        page.on("dialog", self._opened)

    def _asked(self, request):
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.wrong.append(f"asked for {request.url}")

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def _opened(self, dialog):
        self.wrong.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def close(self):
        self._context.close()

    def cookies(self):
        return self._context.cookies()

    def sign_in_by(self, cookies):
        """Have a session that has begun elsewhere."""
        self._context.add_cookies(cookies)

    def another(self):
        """Return a further page of the same session."""
        return self._context.new_page()

    def sign_in(self, name, password=PASSWORD, to="/"):
        """Sign in by the form."""
        self.page.goto(to)
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def go(self, path):
        """Go to a page, and return it."""
        self.page.goto(path)
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        return self.page

    def link_to(self, name):
        """Return the link to a page, of those that each page has."""
        links = self.page.get_by_role("navigation", name="Pages", exact=True)
        return links.get_by_role("link", name=name, exact=True)

    def press(self, name, **where):
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True, **where).click()

    def tells(self, text):
        """Wait until the page tells of what was done."""
        expect(self.page.locator(".told").filter(has_text=text)).to_be_visible()

    def violations(self):
        """Return what axe finds."""
        session = self._context.new_cdp_session(self.page)

        def evaluate(expression):
            answer = session.send(
                "Runtime.evaluate",
                {"expression": expression, "awaitPromise": True, "returnByValue": True},
            )
            if "exceptionDetails" in answer:
                raise Error(json.dumps(answer["exceptionDetails"]))
            return answer["result"].get("value")

        # By the debugger, to which the page's policy for content does not apply.
        evaluate(AXE.read_text("utf-8") + ";0")
        found = evaluate("axe.run(document).then((found) => JSON.stringify(found.violations))")
        session.detach()
        return [
            f"{each['id']}: {each['help']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for each in json.loads(found)
            for node in each["nodes"]
        ]

    def too_wide(self):
        """Return the beginnings of elements for which the page has to be scrolled sideways."""
        return self.page.evaluate(_TOO_WIDE)

    def picture(self, folder, name):
        """Keep how the whole page looks."""
        self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
