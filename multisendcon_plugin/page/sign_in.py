"""Who asks: by the cookie of a session, by name and password, or because a proxy says so."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from ..events import AdminRefused, AdminSignedIn, Publisher
from ..settings.admins import Admin, Admins
from ..settings.web import WebSettings
from .addresses import address_of, client_behind, is_one_of
from .passwords import Passwords, Remembered
from .reading import RequestError, value, values
from .sessions import Session, Sessions

#: ``__Host-``: no other host and no other path can have set it.
COOKIE = b"__Host-multisendcon"
_ATTRIBUTES = b"; Path=/; Secure; HttpOnly; SameSite=Strict"
#: Characters of a name that somebody says; no longer one is known, or told.
_LONGEST_NAME = 256


class SignIn:
    """Knows who asks.

    :param settings: returns those that hold now.
    :param events: is told who has signed in, and who has not.
    :param in_thread: has a function called in a thread: a password takes a tenth of a second.
    :param guest: who asks from this machine, without signing in: for a demonstration only.
    """

    def __init__(
        self,
        settings: Callable[[], WebSettings],
        sessions: Sessions,
        events: Publisher,
        clock: IReactorTime,
        in_thread: Callable[..., Deferred[Any]],
        *,
        guest: Admin | None = None,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._events = events
        self._clock = clock
        self._guest = guest
        self._passwords = Passwords(self._users, clock, in_thread)
        self._remembered = Remembered()
        #: Of those who need not sign in themselves, by their name.
        self._standing: dict[str, Session] = {}

    def _users(self) -> Admins | None:
        return self._settings().users

    def _known(self, name: str) -> Admin | None:
        users = self._users()
        return users.named(name) if users else None

    # Sessions.

    def session(self, request: Request) -> Session | None:
        """Return the session of a request; it ends when its user has other rights or none.

        :raise RequestError: a proxy names somebody whom we do not know.
        """
        if self._guest is not None and self._is_local(request):
            return self._standing_session(request, self._guest)
        if (named := self._named_by_proxy(request)) is not None:
            return self._standing_session(request, named)
        return self._by_cookie(request)

    def _by_cookie(self, request: Request) -> Session | None:
        number = request.getCookie(COOKIE)
        session = self._sessions.find(number.decode("latin-1")) if number else None
        # A number of those who have none in their browser is of no use to others.
        if session is None or session is self._standing.get(session.admin.name):
            return None
        if not self._still(session.admin):
            self._sessions.end(session)
            return None
        return session

    def holds(self, session: Session) -> bool:
        """Tell whether a session goes on, with the rights with which it began."""
        return self._still(session.admin) and self._sessions.goes_on(session)

    def may_still(self, admin: Admin, session: Session | None) -> bool:
        """Tell the same of somebody who may have no session."""
        return self._still(admin) if session is None else self.holds(session)

    def _still(self, admin: Admin) -> bool:
        return admin is self._guest or self._known(admin.name) == admin

    def _named_by_proxy(self, request: Request) -> Admin | None:
        settings = self._settings()
        if not is_one_of(_peer(request), settings.proxies):
            return None
        name = value(request, settings.user_header)
        if not name:
            return None
        # Names have all characters; twisted.web has given octets.
        name = name.encode("latin-1").decode("utf-8", "replace")
        admin = self._known(name)
        if admin is None:
            raise RequestError(
                403, f'"{name}", whom the proxy names, is not in the file that users of [web] names'
            )
        return admin

    def _is_local(self, request: Request) -> bool:
        peer = address_of(_peer(request))
        return peer is not None and peer.is_loopback

    def _standing_session(self, request: Request, admin: Admin) -> Session:
        known = self._standing.get(admin.name)
        session = self._sessions.find(known.number) if known else None
        if session is None or session.admin != admin:
            if session is not None:
                self._sessions.end(session)
            session = self._standing[admin.name] = self._sessions.begin(admin)
            if admin is not self._guest:
                self._tell(request, admin)
        return session

    def out(self, request: Request, session: Session) -> None:
        """End a session."""
        self._sessions.end(session)
        request.cookies.append(COOKIE + b"=" + _ATTRIBUTES + b"; Max-Age=0")

    # Passwords.

    def address(self, request: Request) -> str:
        """Return where a request comes from."""
        forwarded = values(request, "X-Forwarded-For")
        peer = _peer(request)
        return client_behind(peer, forwarded, self._settings().proxies) or "a local socket"

    async def by_password(self, request: Request, name: str, password: str) -> Session | None:
        """Begin a session; ``None``: name or password is wrong.

        :raise SignInRefusedError: it is not looked at now.
        """
        admin = await self._checked(request, name, password)
        if admin is None:
            return None
        self._tell(request, admin)
        before = self._by_cookie(request)
        if before is not None:
            self._sessions.end(before)
        # Never the number that a browser has brought along.
        session = self._sessions.begin(admin)
        request.cookies.append(COOKIE + b"=" + session.number.encode() + _ATTRIBUTES)
        return session

    async def by_basic(self, request: Request) -> Admin | None:
        """Return who asks by HTTP's own way (RFC 7617), as programs do with each request.

        :raise SignInRefusedError: it is not looked at now.
        """
        kind, _, said = value(request, "Authorization").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            name, colon, password = base64.b64decode(said, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        if not colon:
            return None
        address, now = self.address(request), self._clock.seconds()
        # First, or a right password could be guessed here as fast as one likes.
        self._passwords.check_delay(address)
        admin = self._remembered.find(address, name, password, now)
        if admin is not None and self._known(name) == admin:
            return admin
        admin = await self._checked(request, name, password)
        now = self._clock.seconds()
        if admin is not None and self._remembered.keep(address, name, password, admin, now):
            self._tell(request, admin)
        return admin

    async def _checked(self, request: Request, name: str, password: str) -> Admin | None:
        address, name = self.address(request), name[:_LONGEST_NAME]
        admin = await self._passwords.whose(address, name, password)
        if admin is None:
            self._events.publish(AdminRefused(address=address, admin=name))
        return admin

    def _tell(self, request: Request, admin: Admin) -> None:
        self._events.publish(AdminSignedIn(address=self.address(request), admin=admin.name))


def _peer(request: Request) -> str:
    """Return the address that has connected; ``""``: it has none."""
    return str(getattr(request.getClientAddress(), "host", None) or "")
