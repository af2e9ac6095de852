"""A client of the control socket of a relay that runs in a process of its own."""

from __future__ import annotations

import json
import socket
from http.client import HTTPConnection

from multisendcon_plugin.web.local_socket import address


class Control(HTTPConnection):
    """One connection to the control socket of a relay.

    :param spool: the folder.
    """

    def __init__(self, spool):
        super().__init__("relay", timeout=60)
        self._path = spool / "control.sock"

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with address(self._path) as name:
            self.sock.connect(name)

    def ask(self, method, path, body=None):
        """Return the answer, of which nothing has been read yet."""
        self.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body))
        return self.getresponse()

    def json(self, method, path, body=None):
        """Return status and body, read as JSON."""
        answer = self.ask(method, path, body)
        return answer.status, json.loads(answer.read())

    def lines(self, path):
        """Return a list."""
        return [json.loads(line) for line in self.ask("GET", path).read().splitlines()]
