"""The page as strangers come to it: over HTTP, with whatever they like in it; without a network."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import attrs

from multisendcon_plugin.events import AdminActed, AdminRefused, AdminSignedIn
from multisendcon_plugin.settings.admins import Admin, Role
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.web import WebSettings
from tests.page.served import Served, users
from tests.web.browser import Connection

PASSWORD = "open sesame"
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def cheap(password):
    """Return a hash that takes no time."""
    blank = PasswordHash(salt=bytes(16), digest=bytes(32), cost=1)
    return attrs.evolve(blank, digest=blank._hashed(password.encode()))


def admins(**roles):
    return users(*(Admin(name, role, cheap(PASSWORD)) for name, role in roles.items()))


class Door(Served):
    """The page, and what strangers get of it.

    :param peer: the address from which they come.
    """

    def __init__(self, *, guest=None, peer=None, **settings):
        allowed = admins(view=Role.VIEW, operate=Role.OPERATE, configure=Role.CONFIGURE)
        super().__init__(
            settings=WebSettings(users=allowed, **settings),
            guest=guest,
            kinds=(AdminActed, AdminRefused, AdminSignedIn),
        )
        self._peer = peer

    def connect(self):
        connection = Connection(self.site)
        connection.transport.peerAddr = self._peer or connection.transport.peerAddr
        return connection

    def ask(self, method, path, body=b"", headers=()):
        """Ask for something; a header field ``Host`` is in the place of the usual one."""
        connection = self.connect()
        if any(name == "Host" for name, _ in headers):
            lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
            lines.append(f"Content-Length: {len(body)}")
            connection.channel.dataReceived("\r\n".join([*lines, "", ""]).encode() + body)
        else:
            connection.send(method, path, body, headers)
        return connection.answer(method)

    def sign_in(self, name, password=PASSWORD, headers=(), **fields):
        """Return what the form for signing in is answered."""
        body = urlencode({"name": name, "password": password, "to": "/", **fields}).encode()
        return self.ask("POST", "/sign-in", body, [FORM, *headers])

    def session(self, name):
        """Sign in, and return the session."""
        return Session(self, cookie_of(self.sign_in(name)))

    def allow(self, **roles):
        """Have others in the file of users, as a reload does."""
        self.settings = attrs.evolve(self.settings, users=admins(**roles))


def cookie_of(answer):
    return answer.headers["Set-Cookie"].partition(";")[0]


@attrs.frozen
class Session:
    """Somebody who has signed in."""

    door: Door
    cookie: str

    @property
    def token(self):
        return re.search('data-token="([^"]+)"', self.ask("GET", "/").body.decode())[1]

    def ask(self, method, path, body=b"", headers=()):
        return self.door.ask(method, path, body, [("Cookie", self.cookie), *headers])

    def is_open(self):
        return b"Sign out" in self.ask("GET", "/").body
