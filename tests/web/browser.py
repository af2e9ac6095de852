"""A client of the API, without a network."""

from __future__ import annotations

import io
import json
from http.client import HTTPResponse

import attrs
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from multisendcon_plugin.web.root import make_root
from multisendcon_plugin.web.site import ApiSite
from tests.operations.desk import Desk


class Transport(StringTransport):
    """Knows whether it was aborted."""

    aborted = False

    def abortConnection(self):
        self.aborted = True


@attrs.frozen
class Answer:
    """What came back, of one request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]


class _Received:
    """What `HTTPResponse` needs of a socket."""

    def __init__(self, octets):
        self._octets = octets

    def makefile(self, _mode):
        return io.BytesIO(self._octets)


class Connection:
    """One connection to a site; its transport is full when the test says so."""

    def __init__(self, site):
        self.transport = Transport()
        self.channel = site.buildProtocol(None)
        if self.channel is not None:
            self.channel.makeConnection(self.transport)

    def send(self, method, path, body=b"", headers=()):
        lines = [f"{method} {path} HTTP/1.1", "Host: relay", *(f"{k}: {v}" for k, v in headers)]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.channel.dataReceived("\r\n".join([*lines, "", ""]).encode() + body)

    def taken(self):
        """Return what came since the last time."""
        octets = self.transport.value()
        self.transport.clear()
        return octets

    def answer(self, method="GET"):
        octets = self.taken()
        response = HTTPResponse(_Received(octets), method=method)
        response.begin()
        return Answer(response.status, dict(response.getheaders()), response.read())

    @property
    def producer(self):
        """What is told whether there is room."""
        return self.transport.producer

    def lose(self):
        self.channel.connectionLost(Failure(ConnectionDone()))


class Browser:
    """Asks, and gets answers that are at hand."""

    def __init__(self, desk=None):
        self.desk = desk or Desk()
        self.site = ApiSite(make_root(self.desk.operations, self.desk.clock), self.desk.clock)

    def connect(self):
        return Connection(self.site)

    def ask(self, method, path, body=None, headers=()):
        octets = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        connection = self.connect()
        connection.send(method, "/api/v1" + path, octets, headers)
        return connection.answer(method)

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body=None):
        return self.ask("POST", path, body)
