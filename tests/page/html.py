"""Reads pages as a browser does that runs no scripts: their forms, tables and texts."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import parse_qs

import attrs


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
    """What was answered, with what is in its fields as a browser would send it.

    :ivar tags: each with its attributes.
    :ivar rows: the texts of the cells of tables.
    :ivar words: all of the text.
    """

    def __init__(self, path, status, html):
        super().__init__()
        self.path, self.status, self.html = path, status, html
        self.tags, self.forms, self.rows, self.told, self._open = [], [], [], [], []
        self._button = []
        self._typing = self._choice = None
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        self._open.append((tag, found))
        if tag == "form":
            self.forms.append(Form(found.get("action", self.path), found.get("method", "get")))
        elif tag == "button":
            self._button.clear()
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        self._begin_field(tag, found)
        if tag in ("input", "link", "meta", "br"):
            self._open.pop()

    def _begin_field(self, tag, found):
        if tag == "input" and self.forms:
            form, name = self.forms[-1], found.get("name")
            if found.get("type") in ("checkbox", "radio") and "checked" not in found:
                form.boxes.setdefault(name, []).append(found.get("value", "on"))
            else:
                form.fields.setdefault(name, []).append(found.get("value", ""))
        elif tag == "textarea":
            self._typing = (found.get("name"), "")
        elif tag == "select":
            self._choice = found.get("name")
            self._put(self._choice, None)
        elif tag == "option":
            self._typing = (None, "")
            self._option = found

    def handle_data(self, data):
        self._button.append(data)
        self.words += data
        if self._typing:
            self._typing = (self._typing[0], self._typing[1] + data)
        places = [tag for tag, _ in self._open]
        if ("td" in places or "th" in places) and self.rows:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".strip()
        if any("told" in found.get("class", "").split() for _, found in self._open):
            self.told.append(data.strip())

    def handle_endtag(self, tag):
        if tag == "button" and self.forms:
            self.forms[-1].buttons["".join(self._button).strip()] = self._open[-1][1].get(
                "formaction", ""
            )
        while self._open and self._open.pop()[0] != tag:
            pass
        if tag == "textarea":
            name, text = self._typing
            # Line ends are read as one kind, and the first one is no text (HTML, 13.2.6.4.7).
            text = text.replace("\r\n", "\n").removeprefix("\n")
            self._put(name, text.replace("\n", "\r\n"))
            self._typing = None
        elif tag == "option" and self._choice:
            value = self._option.get("value", self._typing[1])
            if "selected" in self._option or self.forms[-1].fields[self._choice] == [None]:
                self._put(self._choice, value)
            self._typing = None

    def _put(self, name, text):
        if self.forms and name:
            self.forms[-1].fields[name] = [text]

    def form_of(self, **fields):
        """Return the form that has fields with these values."""
        return next(
            form
            for form in self.forms
            if all(form.fields.get(name) == [value] for name, value in fields.items())
        )

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
