"""The page as one resource of Twisted: who asks, may they, what is answered.

Each request goes the same way: its host, who has sent it from where, their session, their role, and
only then a page, the API or a file.  What changes anything is told once, here, with who did it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..errors import HistoryError, SpoolError
from ..events import AdminActed, Publisher
from ..operations import Operations
from ..operations.errors import BadRequestError, NotFoundError, RefusedError
from ..settings.admins import Admin
from ..settings.web import WebSettings
from ..web.api import Api, reply, reply_with
from . import rights
from .answers import Asked, Done, Shown, Streamed
from .files import Files
from .guard import HEADERS, forged, host_refused, own_path
from .live import LivePages
from .rendering import Rendering
from .routes import find
from .sessions import Session, Sessions, Told
from .sign_in import SignIn

_HTML = "text/html; charset=utf-8"
#: Seconds for which browsers keep files, whose path changes with them.
_FOR_GOOD = "public, max-age=31536000, immutable"
_SAFE = ("GET", "HEAD")
#: Octets of a form beyond which it is read in a thread: that takes longer than mail should wait.
_LONG_FORM = 64 * 1024


class _RefusedError(Exception):
    """A request is refused before a page is asked."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Administrator(Resource):
    """All that is served by ``[web]``.

    :param settings: returns those that hold now.
    :param names: returns the names of this relay, beside those of the settings.
    :param events: is told who did what.
    :param in_thread: has a function called in a thread.
    :param guest: see `SignIn`.
    """

    isLeaf = True
    log = Logger()

    def __init__(
        self,
        operations: Operations,
        *,
        settings: Callable[[], WebSettings],
        names: Callable[[], Sequence[str]],
        events: Publisher,
        clock: IReactorTime,
        in_thread: Callable[..., Deferred[Any]],
        guest: Admin | None = None,
    ) -> None:
        super().__init__()
        self._operations = operations
        self._settings = settings
        self._names = names
        self._events = events
        self._clock = clock
        self._in_thread = in_thread
        self._api = Api(operations, clock)
        self._files = Files()
        self._rendering = Rendering(self._files, operations.version)
        self._live = LivePages(operations, self._rendering.html, clock)
        self._sessions = Sessions(clock)
        self._sign_in = SignIn(settings, self._sessions, events, clock, in_thread, guest=guest)

    def render(self, request: Request) -> int:
        """Answer a request."""
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        done = Deferred.fromCoroutine(self._answer(request))
        done.addErrback(self._failed, request)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        method = request.method.decode("ascii", "replace")
        segments = _segments(request)
        self._guard(request, method)
        if segments[:1] == ["static"]:
            self._send_file(request, segments[1:])
            return
        session = self._sign_in.session(request)
        if segments == ["sign-in"]:
            await self._signs_in(request, method)
            return
        is_api = segments[:2] == ["api", "v1"]
        admin = session.admin if session else None
        if admin is None and is_api:
            admin = await self._sign_in.by_basic(request)
        if admin is None:
            self._ask_to_sign_in(request, is_api=is_api)
            return
        form = {} if is_api or method in _SAFE else await self._long_form(request)
        if method not in _SAFE and session is not None:
            self._check_token(request, session, form)
        if is_api:
            self._pass_on(request, method, segments[2:], admin)
        elif session is None:
            self._ask_to_sign_in(request, is_api=False)
        elif segments == ["sign-out"]:
            self._signs_out(request, method, session)
        else:
            await self._page(request, method, segments, session, form)

    # Before anything is asked.

    def _guard(self, request: Request, method: str) -> None:
        host = request.getHeader("Host") or ""
        local = getattr(request.getHost(), "host", "")
        names = {each.lower() for each in (*self._settings().hostnames, *self._names())}
        if why := host_refused(host, names, local):
            raise _RefusedError(421, why)
        site, origin = (request.getHeader(each) or "" for each in ("Sec-Fetch-Site", "Origin"))
        if why := forged(method, site=site, origin=origin, host=host):
            raise _RefusedError(403, why)

    def _check_token(self, request: Request, session: Session, form: dict[str, list[str]]) -> None:
        given = [*form.pop("token", []), request.getHeader("X-Token") or ""]
        if session.token not in given:
            raise _RefusedError(403, "this form is of an earlier session; load the page again")

    def _may(self, admin: Admin, method: str, segments: Sequence[str]) -> None:
        needed = rights.needed(method, segments)
        if not admin.role.includes(needed):
            raise _RefusedError(
                403,
                f'this needs the role "{needed.value}", and {admin.name} has "{admin.role.value}"',
            )

    async def _long_form(self, request: Request) -> dict[str, list[str]]:
        content: Any = request.content
        if content.getbuffer().nbytes <= _LONG_FORM:
            return _form(request)
        form: dict[str, list[str]] = await self._in_thread(_form, request)
        return form

    # Files, sign-in, the API.

    def _send_file(self, request: Request, segments: Sequence[str]) -> None:
        file = self._files.at(*segments) if len(segments) == 2 else None
        if file is None:
            raise _RefusedError(404, "there is no such file")
        request.setHeader("Content-Type", file.content_type)
        request.setHeader("Content-Length", str(len(file.content)))
        request.setHeader("Cache-Control", _FOR_GOOD)
        request.write(file.content)
        request.finish()

    def _ask_to_sign_in(self, request: Request, *, is_api: bool) -> None:
        if is_api:
            request.setHeader("WWW-Authenticate", 'Basic realm="multisendcon", charset="UTF-8"')
            reply(request, 401, {"error": "sign in first"})
        elif request.method == b"GET" and request.getHeader("Sec-Fetch-Dest") in (None, "document"):
            self._show_sign_in(request, to=own_path(request.uri.decode("latin-1")))
        else:
            raise _RefusedError(401, "the session has ended; sign in again")

    def _show_sign_in(self, request: Request, to: str, error: str = "", status: int = 200) -> None:
        values = {"to": to, "error": error, "possible": self._settings().users is not None}
        self._send(request, Shown(template="sign_in.html", values=values, status=status))

    async def _signs_in(self, request: Request, method: str) -> None:
        if method != "POST":
            self._show_sign_in(request, to="/")
            return
        form = _form(request)
        name, password, to = (form.get(each, [""])[-1] for each in ("name", "password", "to"))
        session, error = await self._sign_in.by_password(request, name, password)
        to = own_path(to)
        if session is None:
            self._show_sign_in(request, to, error, status=403)
        else:
            _go_to(request, to)

    def _signs_out(self, request: Request, method: str, session: Session) -> None:
        if method != "POST":
            raise _RefusedError(405, "sign out by the button")
        self._sign_in.out(request, session)
        _go_to(request, "/")

    def _pass_on(self, request: Request, method: str, segments: list[str], admin: Admin) -> None:
        """Let the API answer."""
        self._may(admin, method, segments)
        if method not in _SAFE:
            told = f"{method} /api/v1/{'/'.join(segments)}"
            request.notifyFinish().addCallback(lambda _: self._acted(request, admin, told))
        request.postpath = [each.encode() for each in segments]
        self._api.render(request)

    def _acted(self, request: Request, admin: Admin, text: str) -> None:
        self._events.publish(
            AdminActed(
                admin=admin.name,
                address=self._sign_in.address(request),
                text=text,
                status=request.code,
            )
        )

    # Pages.

    async def _page(
        self,
        request: Request,
        method: str,
        segments: list[str],
        session: Session,
        form: dict[str, list[str]],
    ) -> None:
        found = find(segments)
        if found is None:
            raise _RefusedError(404, f"there is no page /{'/'.join(segments)}")
        handlers, name = found
        handler = handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            raise _RefusedError(405, f"{method} is not possible here")
        self._may(session.admin, method, segments)
        asked = Asked(
            operations=self._operations,
            admin=session.admin,
            kept=session.kept,
            live=self._live,
            holds=lambda: self._sign_in.holds(session),
            name=name,
            query={
                name.decode("utf-8", "replace"): each[-1].decode("utf-8", "replace")
                for name, each in request.args.items()
            },
            form=form,
            in_thread=self._in_thread,
        )
        try:
            answer = await handler(asked)
        except (BadRequestError, NotFoundError, RefusedError) as error:
            if method in _SAFE:
                raise
            self._acted_in_vain(request, session, error)
            return
        if isinstance(answer, Done):
            session.told.append(Told(answer.text, details=answer.details))
            _go_to(request, answer.to)
            self._acted(request, session.admin, answer.text)
        elif isinstance(answer, Streamed):
            answer.begin(request, self._clock)
        elif answer.slow:
            page = self._page_of(request, answer, session)
            self._reply(request, answer, await self._in_thread(page))
        else:
            self._send(request, answer, session)
            if answer.acted:
                self._acted(request, session.admin, answer.acted)

    def _acted_in_vain(self, request: Request, session: Session, error: Exception) -> None:
        """Tell why nothing was done, on the page where it was asked for."""
        faults = error.faults if isinstance(error, RefusedError) else ()
        session.told.append(Told(str(error), bad=True, details=tuple(faults)))
        came_from = request.getHeader("Referer") or ""
        host = request.getHeader("Host") or ""
        place = came_from.partition(f"//{host}/")[2]
        _go_to(request, own_path("/" + place))

    def _send(self, request: Request, shown: Shown, session: Session | None = None) -> None:
        self._reply(request, shown, self._page_of(request, shown, session)())

    def _page_of(
        self, request: Request, shown: Shown, session: Session | None
    ) -> Callable[[], bytes]:
        """Return what makes the HTML; what it tells of is told no more."""
        values = {
            "path": "/" + "/".join(_segments(request)),
            "admin": session.admin if session else None,
            "token": session.token if session else "",
            "told": tuple(session.told) if session else (),
            "now": self._operations.now(),
            **shown.values,
        }
        if session:
            session.told.clear()
        return lambda: self._rendering.html(shown.template, values)

    def _reply(self, request: Request, shown: Shown, body: bytes) -> None:
        request.setResponseCode(shown.status, HTTPStatus(shown.status).phrase.encode())
        reply_with(request, _HTML, body)

    # What goes wrong.

    def _failed(self, failure: Failure, request: Request) -> None:
        error = failure.value
        match error:
            case _RefusedError():
                status, text = error.status, str(error)
            case BadRequestError() | RefusedError():
                status, text = 422, str(error)
            case NotFoundError():
                status, text = 404, str(error)
            case SpoolError() | HistoryError():
                status, text = 503, str(error)
            case _:
                status, text = 500, "internal error of the relay, see its log"
                self.log.failure(
                    "internal error of the page (a bug); traceback follows", failure=failure
                )
        if request.startedWriting:
            request.loseConnection()
        elif _segments(request)[:1] == ["api"]:
            reply(request, status, {"error": text})
        else:
            values = {"status": status, "text": text}
            session = self._sign_in.session(request) if status not in (401, 421) else None
            self._send(request, Shown(template="fault.html", values=values, status=status), session)


def _segments(request: Request) -> list[str]:
    """Return the segments of the path, decoded; none for the first page."""
    found = [each.decode("utf-8", "replace") for each in request.postpath or ()]
    return found[:-1] if found[-1:] == [""] else found


def _form(request: Request) -> dict[str, list[str]]:
    content: Any = request.content
    if content.too_long:
        raise _RefusedError(413, "the form is too long")
    try:
        return parse_qs(
            content.read().decode(),
            keep_blank_values=True,
            strict_parsing=False,
            max_num_fields=50_000,
        )
    except ValueError:
        raise _RefusedError(400, "the form cannot be read") from None


def _go_to(request: Request, path: str) -> None:
    """Send the browser to another page, which it gets by GET (RFC 9110, section 15.4.4)."""
    request.setResponseCode(303)
    request.setHeader("Location", path)
    reply_with(request, _HTML, b"")
