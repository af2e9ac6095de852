"""Who asks: by the cookie of a session, by name and password, or because a proxy says so."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from ..events import AdminRefused, AdminSignedIn, Publisher
from ..settings.admins import Admin
from ..settings.password import PasswordHash
from ..settings.web import WebSettings
from .delays import Delays
from .sessions import Session, Sessions

#: ``__Host-``: no other host and no other path can have set it.
COOKIE = b"__Host-multisendcon"
_ATTRIBUTES = b"; Path=/; Secure; HttpOnly; SameSite=Strict"
_WRONG = "name or password is wrong"
#: Checked for a name that is not known, so that it takes as long.
_NOBODY = PasswordHash(salt=bytes(16), digest=bytes(32))


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
        self._in_thread = in_thread
        self._guest = guest
        self._delays = Delays()
        #: Of those who need not sign in themselves, by their name.
        self._standing: dict[str, Session] = {}
        self._checking = False

    def session(self, request: Request) -> Session | None:
        """Return the session of a request; it ends when its user has other rights or none."""
        if self._guest is not None and self._is_local(request):
            return self._standing_session(self._guest)
        if (named := self._named_by_proxy(request)) is not None:
            return self._standing_session(named)
        number = request.getCookie(COOKIE)
        session = self._sessions.find(number.decode("ascii", "replace")) if number else None
        if session is not None and self._known(session.admin.name) != session.admin:
            self._sessions.end(session)
            return None
        return session

    def holds(self, session: Session) -> bool:
        """Tell whether a session goes on, with the rights with which it began."""
        is_guest = self._guest is not None and session.admin == self._guest
        known = self._guest if is_guest else self._known(session.admin.name)
        return known == session.admin and self._sessions.goes_on(session)

    def _known(self, name: str) -> Admin | None:
        users = self._settings().users
        return users.named(name) if users else None

    def _named_by_proxy(self, request: Request) -> Admin | None:
        settings = self._settings()
        if not settings.proxies or not self._is_proxy(request):
            return None
        name = request.getHeader(settings.user_header)
        return self._known(name) if name else None

    def _is_proxy(self, request: Request) -> bool:
        peer = _peer(request)
        return peer is not None and any(peer in network for network in self._settings().proxies)

    def _is_local(self, request: Request) -> bool:
        peer = _peer(request)
        return peer is not None and peer.is_loopback

    def _standing_session(self, admin: Admin) -> Session:
        known = self._standing.get(admin.name)
        session = self._sessions.find(known.number) if known else None
        if session is None or session.admin != admin:
            session = self._standing[admin.name] = self._sessions.begin(admin)
        return session

    def address(self, request: Request) -> str:
        """Return where a request comes from."""
        return str(getattr(request.getClientAddress(), "host", None) or "a local socket")

    async def by_password(
        self, request: Request, name: str, password: str
    ) -> tuple[Session | None, str]:
        """Begin a session, or say why not."""
        admin, error = await self._checked(request, name, password)
        if admin is None:
            return None, error
        before = self.session(request)
        if before is not None:
            self._sessions.end(before)
        # Never the number that a browser has brought along.
        session = self._sessions.begin(admin)
        request.cookies.append(COOKIE + b"=" + session.number.encode() + _ATTRIBUTES)
        return session, ""

    async def by_basic(self, request: Request) -> Admin | None:
        """Return who asks by HTTP's own way (RFC 7617), as programs do."""
        kind, _, said = (request.getHeader("Authorization") or "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(said, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None
        admin, _ = await self._checked(request, name, password)
        return admin

    async def _checked(
        self, request: Request, name: str, password: str
    ) -> tuple[Admin | None, str]:
        address, now = self.address(request), self._clock.seconds()
        if left := self._delays.left(address, now):
            return None, f"too many wrong passwords: try again in {left:.0f} s"
        if self._checking:
            return None, "somebody else is just signing in: try again"
        admin = self._known(name)
        hash_ = admin.password if admin and admin.password else _NOBODY
        self._checking = True
        try:
            right = await self._in_thread(hash_.matches, password.encode())
        finally:
            self._checking = False
        if admin is None or admin.password is None or not right:
            self._delays.failed(address, now)
            self._events.publish(AdminRefused(address=address, admin=name))
            return None, _WRONG
        self._delays.succeeded(address)
        self._events.publish(AdminSignedIn(address=address, admin=admin.name))
        return admin, ""

    def out(self, request: Request, session: Session) -> None:
        """End a session."""
        self._sessions.end(session)
        request.cookies.append(COOKIE + b"=" + _ATTRIBUTES + b"; Max-Age=0")


def _peer(request: Request) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(getattr(request.getClientAddress(), "host", ""))
    except ValueError:
        return None
