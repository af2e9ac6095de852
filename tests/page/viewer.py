"""Somebody who looks at the page, and hears what happens."""

from __future__ import annotations

import json

from multisendcon_plugin.settings.admins import Role
from tests.page.served import SignedIn
from tests.web.browser import Connection


class Viewer(SignedIn):
    """Has a session, since a proxy says so."""

    def __init__(self, desk=None, role=Role.VIEW):
        super().__init__(desk, role=role, in_thread=None)
        self.live = self.page._live

    def request(self, path, *headers, method="GET", user="ann"):
        connection = Connection(self.site)
        connection.send(method, path, b"", (("X-Remote-User", user), *headers))
        return connection

    def get(self, path):
        connection = self.request(path)
        # Who looks at thousands of accounts gives way to others.
        self.desk.clock.pump([0.0] * 3 + [0.2])
        return connection.answer()

    def open(self, path="/live", *headers):
        """Open a page that hears what happens."""
        return Listener(self.request(path, *headers))


class Listener:
    """A page that is open."""

    def __init__(self, connection):
        self.connection = connection
        head, _, rest = connection.taken().partition(b"\r\n\r\n")
        self.head = head.decode()
        self._rest = rest

    def octets(self):
        """Return what came since the last time."""
        octets, self._rest = self._rest + self.connection.taken(), b""
        found = b""
        while octets:
            size, _, octets = octets.partition(b"\r\n")
            found, octets = found + octets[: int(size, 16)], octets[int(size, 16) + 2 :]
        return found

    def messages(self):
        """Return the messages that came since the last time: name, number, what they say."""
        found = []
        for block in self.octets().decode().split("\n\n"):
            fields = dict(line.partition(": ")[::2] for line in block.splitlines())
            if "event" in fields:
                found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
        return found

    def heard(self, kind):
        return [said for name, _, said in self.messages() if name == kind]
