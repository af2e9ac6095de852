"""Somebody with a browser that runs no scripts: reads pages, and sends their forms."""

from __future__ import annotations

from urllib.parse import urlencode

from multisendcon_plugin.settings.admins import Role
from tests.operations.desk import Desk
from tests.operations.paper import Paper, with_paper
from tests.page.html import Page
from tests.page.served import SignedIn
from tests.web.browser import Connection


class Visitor(SignedIn):
    """Has a session, since a proxy says who asks."""

    def __init__(self, desk=None, role=Role.OPERATE):
        super().__init__(desk, role=role)
        self.came_from = ""

    def ask(self, method, path, body=b"", headers=()):
        connection = Connection(self.site)
        # Browsers keep what is behind it to themselves.
        path = path.partition("#")[0]
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


class Editor(Visitor):
    """Changes the configuration.

    :ivar paper: its file.
    """

    def __init__(self, role=Role.CONFIGURE, paper=None, **more):
        self.paper = paper or Paper()
        super().__init__(Desk(**(with_paper(self.paper) | more)), role)
