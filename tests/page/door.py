"""The page as strangers come to it: over HTTP, with whatever they like in it; without a network."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import attrs
from twisted.internet.defer import succeed

from multisendcon_plugin.events import AdminActed, AdminRefused, AdminSignedIn
from multisendcon_plugin.page.administrator import Administrator
from multisendcon_plugin.settings.admins import Admin, Admins, Role
from multisendcon_plugin.settings.password import PasswordHash
from multisendcon_plugin.settings.users import user_key
from multisendcon_plugin.settings.web import WebSettings
from multisendcon_plugin.web.site import ApiSite
from tests.operations.desk import Desk
from tests.web.browser import Connection

PASSWORD = "open sesame"
FORM = ("Content-Type", "application/x-www-form-urlencoded")


def cheap(password):
    """Return a hash that takes no time."""
    blank = PasswordHash(salt=bytes(16), digest=bytes(32), cost=1)
    return attrs.evolve(blank, digest=blank._hashed(password.encode()))


def admins(**roles):
    users = [Admin(name, role, cheap(PASSWORD)) for name, role in roles.items()]
    return Admins("admins", {user_key(each.name): each for each in users})


class Door:
    """The page, and what strangers get of it.

    :param peer: the address from which they come.

    :ivar settings: those that hold now.
    :ivar told: the events about admins.
    """

    def __init__(self, *, guest=None, peer=None, **settings):
        self.desk = Desk()
        users = admins(view=Role.VIEW, operate=Role.OPERATE, configure=Role.CONFIGURE)
        self.settings = WebSettings(users=users, **settings)
        self.told = []
        for kind in (AdminActed, AdminRefused, AdminSignedIn):
            self.desk.events.subscribe(kind, self.told.append)
        resource = Administrator(
            self.desk.operations,
            settings=lambda: self.settings,
            names=lambda: ["relay"],
            events=self.desk.events,
            clock=self.desk.clock,
            in_thread=lambda function, *arguments: succeed(function(*arguments)),
            guest=guest,
        )
        self._peer = peer
        self.site = ApiSite(resource, self.desk.clock)

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
