"""Somebody who fills in forms with all kinds of fields, and changes the configuration with them."""

from __future__ import annotations

from multisendcon_plugin.settings.admins import Role
from tests.operations.desk import Desk
from tests.operations.paper import Paper, with_paper
from tests.page.visitor import Page, Visitor


class Editor(Visitor):
    """Has the file before them.

    :ivar paper: it.
    """

    def __init__(self, role=Role.CONFIGURE, paper=None, **more):
        self.paper = paper or Paper()
        super().__init__(Desk(**(with_paper(self.paper) | more)), role)

    def ask(self, method, path, body=b"", headers=()):
        # Browsers keep what is behind it to themselves.
        page = super().ask(method, path.partition("#")[0], body, headers)
        return page if isinstance(page, Sheet) else Sheet(page.path, page.status, page.html)


class Sheet(Page):
    """A page with what is in its text fields and choices, as a browser would send it.

    :ivar words: all of its text.
    """

    def __init__(self, path, status, html):
        self._typing = self._choice = None
        self.words = ""
        super().__init__(path, status, html)

    def handle_starttag(self, tag, attributes):
        super().handle_starttag(tag, attributes)
        found = dict(attributes)
        if tag == "textarea":
            self._typing = (found.get("name"), "")
        elif tag == "select":
            self._choice = found.get("name")
            self._put(self._choice, None)
        elif tag == "option":
            self._typing = (None, "")
            self._option = found

    def handle_data(self, data):
        super().handle_data(data)
        self.words += data
        if self._typing:
            self._typing = (self._typing[0], self._typing[1] + data)

    def handle_endtag(self, tag):
        super().handle_endtag(tag)
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
