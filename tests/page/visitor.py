"""Somebody with a browser that runs no scripts: reads pages, and sends their forms."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode

import attrs
from twisted.internet.defer import maybeDeferred

from multisendcon_plugin.page.administrator import Administrator
from multisendcon_plugin.page.server import MOST_CONNECTIONS
from multisendcon_plugin.settings.admins import Admin, Admins, Role
from multisendcon_plugin.settings.names import network
from multisendcon_plugin.settings.users import user_key
from multisendcon_plugin.settings.web import WebSettings
from multisendcon_plugin.web.site import ApiSite
from tests.operations.desk import Desk
from tests.web.browser import Connection


class Visitor:
    """Has a session, since a proxy says who asks."""

    def __init__(self, desk=None, role=Role.OPERATE):
        self.desk = desk or Desk()
        settings = WebSettings(
            users=Admins("", {user_key("ann"): Admin(name="ann", role=role)}),
            proxies=(network("192.168.1.1/32"),),
        )
        resource = Administrator(
            self.desk.operations,
            settings=lambda: settings,
            names=lambda: ["relay"],
            events=self.desk.events,
            clock=self.desk.clock,
            in_thread=maybeDeferred,
        )
        self.site = ApiSite(resource, self.desk.clock, most=MOST_CONNECTIONS)
        self.came_from = ""

    def ask(self, method, path, body=b"", headers=()):
        connection = Connection(self.site)
        came_from = [("Referer", f"http://relay{self.came_from}")] if self.came_from else []
        fields = [("X-Remote-User", "ann"), *came_from, *headers]
        connection.send(method, path, body, fields)
        answer = connection.answer(method)
        if answer.status == 303:
            return self.get(answer.headers["Location"])
        self.came_from = path
        return Page(path, answer.status, answer.body.decode())

    def get(self, path):
        return self.ask("GET", path)

    def send(self, form, button="", **fields):
        """Send a form by a button, with other values of its fields."""
        path = form.action_of(button)
        body = urlencode({**form.fields, **fields}, doseq=True).encode()
        return self.ask("POST", path, body, [("Content-Type", "application/x-www-form-urlencoded")])


@attrs.define
class Form:
    """A form as it is loaded."""

    action: str
    method: str
    fields: dict[str, list[str]] = attrs.field(factory=dict)
    buttons: dict[str, str] = attrs.field(factory=dict)
    boxes: dict[str, list[str]] = attrs.field(factory=dict)

    def action_of(self, button):
        assert button in self.buttons, f"no {button}, but {list(self.buttons)}"
        return self.buttons[button] or self.action


@attrs.define(init=False)
class Page(HTMLParser):
    """What was answered.

    :ivar tags: each with its attributes.
    :ivar text: of all, and of the cells of tables by row.
    """

    def __init__(self, path, status, html):
        super().__init__()
        self.path, self.status, self.html = path, status, html
        self.tags, self.forms, self.rows, self.told, self._open = [], [], [], [], []
        self._words = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        self._open.append((tag, found))
        if tag == "form":
            self.forms.append(Form(found.get("action", self.path), found.get("method", "get")))
        elif tag == "input" and self.forms:
            form, name = self.forms[-1], found.get("name")
            if found.get("type") in ("checkbox", "radio") and "checked" not in found:
                form.boxes.setdefault(name, []).append(found.get("value", "on"))
            else:
                form.fields.setdefault(name, []).append(found.get("value", ""))
        elif tag == "button":
            self._words.clear()
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag in ("input", "link", "meta", "br"):
            self._open.pop()

    def handle_data(self, data):
        self._words.append(data)
        places = [tag for tag, _ in self._open]
        if ("td" in places or "th" in places) and self.rows:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".strip()
        if any("told" in found.get("class", "").split() for _, found in self._open):
            self.told.append(data.strip())

    def handle_endtag(self, tag):
        if tag == "button" and self.forms:
            self.forms[-1].buttons["".join(self._words).strip()] = self._open[-1][1].get(
                "formaction", ""
            )
        while self._open and self._open.pop()[0] != tag:
            pass

    def form(self, button):
        """Return the form that has a button."""
        return next(form for form in self.forms if button in form.buttons)

    def row(self, first):
        """Return the row whose first cell is that."""
        return next(row for row in self.rows if row and row[0] == first)

    @property
    def buttons(self):
        return {name for form in self.forms for name in form.buttons}

    @property
    def links(self):
        return [found["href"] for tag, found in self.tags if tag == "a"]

    def query(self, link):
        """Return the fields of a link."""
        return {name: value for name, (value,) in parse_qs(link.partition("?")[2]).items()}

    @property
    def said(self):
        """What is told of what was done."""
        return " ".join(each for each in self.told if each)
