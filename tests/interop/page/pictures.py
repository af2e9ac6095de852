"""Makes the pictures of the documentation, of the demonstration as a newcomer sees it.

Run as a program, with the folder as its argument (``docs/images`` unless it is given); it needs
chromium, as the tests of the page do.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from tests.interop.page.browser import Visit, chromium
from tests.interop.programs import ROOT, python_program

#: Octets that one may have: a newcomer waits for no picture.
LARGEST = 150_000
SIZE = {"width": 1200, "height": 700}
#: Milliseconds in which a minute of mails has gone by, of which the graphs are made.
PATIENCE = 120_000


@contextlib.contextmanager
def demonstration():
    """Run it, and return the address of its page."""
    program = subprocess.Popen(
        [python_program("twistd"), "--nodaemon", "--pidfile=", "multisendcon", "--demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in program.stdout:
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                return
        raise RuntimeError("the demonstration has ended")
    finally:
        program.send_signal(signal.SIGINT)
        program.communicate()


def take(seen, folder, name):
    file = folder / f"{name}.png"
    seen.screenshot(path=file)
    if file.stat().st_size > LARGEST:
        raise ValueError(f"{file} has {file.stat().st_size} octets, more than {LARGEST}")


def overview(at):
    at.page.set_viewport_size({"width": 1320, "height": 880})
    at.go("/")
    graphs = at.page.locator(".graph path:not([d=''])")
    expect(graphs.nth(2)).to_be_attached(timeout=PATIENCE)
    expect(at.page.locator("#flow tr").nth(12)).to_be_attached(timeout=PATIENCE)
    return at.page


def story(at):
    at.go("/queue?sender=typist@example.com")
    at.page.get_by_role("rowheader").get_by_role("link").last.click()
    expect(at.page.get_by_role("heading", name=re.compile("^Mail "))).to_be_visible()
    return at.page


def queue(at):
    at.go("/queue")
    return at.page


def accounts(at):
    at.go("/accounts")
    return at.page


def change(at):
    """Show what is asked before an account gets another sender."""
    at.go("/accounts/Newsletter/edit")
    at.page.locator("[name=senders]").fill("news@example.com\ninfo@example.com")
    at.press("Save")
    asked = at.page.get_by_role("dialog")
    expect(asked).to_be_visible()
    return asked


def explain(at):
    at.go("/explain")
    at.page.get_by_label("Sender").fill("boss@sales.example.com")
    at.page.get_by_label("Recipients").fill("anna@customer.example")
    at.press("Explain")
    expect(at.page.locator("#result")).to_be_visible()
    return at.page


#: By the name of their file, each with the scheme of its colours.  The first one takes a minute,
#: after which there are mails to look at.
PICTURES = {
    "overview": (overview, "light"),
    "queue": (queue, "light"),
    "mail": (story, "light"),
    "accounts": (accounts, "dark"),
    "change": (change, "light"),
    "explain": (explain, "light"),
}


def main(folder):
    """Make all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with demonstration() as url, chromium() as browser:
        for name, (show, scheme) in PICTURES.items():
            at = Visit(browser, url, viewport=SIZE, color_scheme=scheme)
            with contextlib.closing(at):
                take(show(at), folder, name)
            if at.wrong:
                raise RuntimeError(f"{name}: {at.wrong}")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or [ROOT / "docs" / "images"]))
