"""Requests of browsers and programs to the page, over connections in memory."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.testing import StringTransport

from multisendcon_plugin.events import AdminActed, AdminRefused, AdminSignedIn
from multisendcon_plugin.settings.admins import Admin, Role
from multisendcon_plugin.settings.web import WebSettings
from tests.page.served import Served, users

HOST = "relay.example:2580"
FORM = "application/x-www-form-urlencoded"


@attrs.define
class Password:
    """A hash that costs nothing; keeps what it was compared with."""

    right: str
    digest: bytes = bytes(32)
    asked: list = attrs.field(factory=list, eq=False)

    def matches(self, password):
        self.asked.append(password)
        return password.decode() == self.right


def admin(name, role=Role.CONFIGURE, password="secret"):
    return Admin(name, role, Password(password) if password else None)


class Connection(StringTransport):
    """A connection that can be ended by the server."""

    aborted = False

    def abortConnection(self):
        self.aborted = True

    def loseConnection(self):
        self.disconnecting = True


class Answer:
    """What has been answered.

    :ivar raw: all of it.
    """

    def __init__(self, raw):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1]) if first else None
        self.headers = {}
        self.cookies = []
        for line in lines:
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                self.cookies.append(value)
            self.headers[name.lower()] = value

    @property
    def text(self):
        return self.body.decode()


class House(Served):
    """The page of a relay, and who may use it.

    :ivar clock: of the page.
    """

    def __init__(self, *some, guest=None, in_thread=maybeDeferred, **settings):
        super().__init__(
            settings=WebSettings(
                users=users(*some) if some else None, hostnames=("relay.example",), **settings
            ),
            names=("relay.internal",),
            in_thread=in_thread,
            guest=guest,
            kinds=(AdminSignedIn, AdminRefused, AdminActed),
        )
        self.clock = self.desk.clock

    def connect(self, peer="192.0.2.9", local="192.0.2.1"):
        """Return a channel of HTTP and its connection."""
        channel = self.site.buildProtocol(IPv4Address("TCP", peer, 50000))
        connection = Connection(
            hostAddress=IPv4Address("TCP", local, 2580),
            peerAddress=IPv4Address("TCP", peer, 50000),
        )
        channel.makeConnection(connection)
        return channel, connection

    def raw(self, octets, **where):
        """Send octets; return what is answered at once."""
        channel, connection = self.connect(**where)
        channel.dataReceived(octets)
        answer = Answer(connection.value())
        channel.connectionLost()
        return answer

    def ask(self, method, path, fields=None, body=b"", *, host=HOST, cookie="", **where):
        """Send a request.

        :param fields: of its header; the value may be a list.
        """
        return self.raw(request(method, path, fields, body, host=host, cookie=cookie), **where)

    def get(self, path, fields=None, **more):
        return self.ask("GET", path, fields, **more)

    def post(self, path, form=None, fields=None, **more):
        fields = {"Content-Type": FORM, "Sec-Fetch-Site": "same-origin"} | (fields or {})
        return self.ask("POST", path, fields, urlencode(form or {}, doseq=True).encode(), **more)

    def sign_in(self, name="ann", password="secret", to="/", **more):
        """Sign in by the form."""
        return self.post("/sign-in", {"name": name, "password": password, "to": to}, **more)

    def cookie_of(self, *said, **more):
        """Sign in; return the cookie that a browser then sends."""
        (cookie,) = self.sign_in(*said, **more).cookies
        return cookie.partition(";")[0]

    def token(self, cookie):
        """Return the token of a session, as its pages have it."""
        page = self.get("/", cookie=cookie).text
        return page.partition('name="token" value="')[2].partition('"')[0]


def request(method, path, fields=None, body=b"", *, host=HOST, cookie=""):
    """Return a request in octets.

    :param fields: of its header; the value may be a list.
    """
    lines = [f"{method} {path} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    if cookie:
        lines.append(f"Cookie: {cookie}")
    for name, values in (fields or {}).items():
        lines += [f"{name}: {each}" for each in ([values] if isinstance(values, str) else values)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def basic(name, password):
    said = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {said}"}


class Later:
    """A thread whose work is done when it is told.

    :ivar waiting: what it has to do.
    """

    def __init__(self):
        self.waiting = []

    def __call__(self, function, *arguments):
        done = Deferred()
        self.waiting.append((done, function, arguments))
        return done

    def work(self):
        done, function, arguments = self.waiting.pop(0)
        done.callback(function(*arguments))
