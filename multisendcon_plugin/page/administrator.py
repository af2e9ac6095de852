"""The page as one resource of Twisted: who asks, may they, what is answered.

Each request goes the same way: its host, who has sent it from where, their session, their role, and
only then a page, the API or a file.  What changes anything is told once, here, with who did it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..errors import HistoryError, SpoolError
from ..events import AdminActed, ConfigurationChanged, Publisher
from ..operations import Operations
from ..operations.errors import BadRequestError, NotFoundError, RefusedError
from ..settings.admins import Admin
from ..settings.web import WebSettings
from ..web.api import Api, reply, reply_with
from ..web.paths import find
from . import reading, rights
from .answers import Asked, Done, Shown, Streamed
from .entrance import check_origin, check_token
from .files import Files
from .guard import (
    HEADERS,
    METHODS,
    SAFE,
    as_location,
    keeps_no_cookie,
    own_path,
    path_referred_to,
)
from .lasting import Lasting
from .live import LivePages
from .passwords import SignInRefusedError
from .reading import RequestError
from .rendering import Rendering
from .routes import ROUTES
from .sessions import Session, Sessions, Told
from .sign_in import SignIn

_HTML = "text/html; charset=utf-8"
#: Seconds for which browsers keep files, whose path changes with them.
_FOR_GOOD = "public, max-age=31536000, immutable"
#: Octets of a form beyond which it is read in a thread: that takes longer than mail should wait.
_LONG_FORM = 64 * 1024


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
        self._lasting = Lasting(clock)
        events.subscribe(ConfigurationChanged, lambda _: self._lasting.end_others())

    def stop(self) -> None:
        """Listen to nothing any more, when all connections have ended."""
        self._live.stop()

    def render(self, request: Request) -> int:
        """Answer a request."""
        for name, value in HEADERS.items():
            request.setHeader(name, value)
        done = Deferred.fromCoroutine(self._answer(request))
        done.addErrback(self._failed, request).addErrback(self._failed_again, request)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        method = request.method.decode("latin-1")
        if method not in METHODS:
            raise reading.not_possible(method, METHODS)
        segments = reading.segments(request)
        check_origin(request, method, [*self._settings().hostnames, *self._names()])
        if segments[:1] == ["static"]:
            self._send_file(request, method, segments[1:])
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
            self._ask_to_sign_in(request, method, is_api=is_api)
            return
        form = {} if is_api or method in SAFE else await self._form(request)
        if method not in SAFE and session is not None:
            check_token(request, session, form)
        if is_api:
            self._pass_on(request, method, segments[2:], admin, session)
        elif session is None:
            self._ask_to_sign_in(request, method, is_api=False)
        elif segments == ["sign-out"]:
            self._signs_out(request, method, session)
        else:
            await self._page(request, method, segments, session, form)

    # Before a page is asked.

    def _check_role(
        self, request: Request, method: str, segments: Sequence[str], admin: Admin
    ) -> None:
        needed = rights.needed(method, segments)
        if admin.role.includes(needed):
            return
        if method not in SAFE:
            self._acted(request, admin, reading.told(request, method), 403)
        raise RequestError(
            403, f'this needs the role "{needed.value}", and {admin.name} has "{admin.role.value}"'
        )

    async def _form(self, request: Request) -> dict[str, list[str]]:
        content: Any = request.content
        if content.getbuffer().nbytes <= _LONG_FORM:
            return reading.form(request)
        form: dict[str, list[str]] = await self._in_thread(reading.form, request)
        return form

    # Files, sign-in, the API.

    def _send_file(self, request: Request, method: str, segments: Sequence[str]) -> None:
        file = self._files.at(*segments) if len(segments) == 2 else None
        if file is None:
            raise RequestError(404, "there is no such file")
        if method not in SAFE:
            raise reading.not_possible(method, sorted(SAFE))
        request.setHeader("Content-Type", file.content_type)
        request.setHeader("Content-Length", str(len(file.content)))
        request.setHeader("Cache-Control", _FOR_GOOD)
        request.write(file.content)
        request.finish()

    def _ask_to_sign_in(self, request: Request, method: str, *, is_api: bool) -> None:
        if is_api:
            request.setHeader("WWW-Authenticate", 'Basic realm="multisendcon", charset="UTF-8"')
            reply(request, 401, {"error": "sign in first"})
        elif method in SAFE and reading.value(request, "Sec-Fetch-Dest") in ("", "document"):
            self._show_sign_in(request, to=own_path(request.uri.decode("latin-1")))
        else:
            raise RequestError(401, "the session has ended; sign in again")

    def _show_sign_in(self, request: Request, to: str, error: str = "", status: int = 200) -> None:
        values = {"to": to, "error": error, "possible": self._settings().users is not None}
        self._send(request, Shown(template="sign_in.html", values=values, status=status))

    async def _signs_in(self, request: Request, method: str) -> None:
        if method in SAFE:
            self._show_sign_in(request, to="/")
            return
        if method != "POST":
            raise reading.not_possible(method, ["GET", "HEAD", "POST"])
        form = reading.form(request, reading.SIGN_IN_FORM)
        name, password, to = (form.get(each, [""])[-1] for each in ("name", "password", "to"))
        to = own_path(to)
        if keeps_no_cookie(reading.value(request, "Origin")):
            error = (
                "browsers keep a session only where they speak TLS: use an address that begins with"
                " https, or one of this machine, as through a tunnel"
            )
            self._show_sign_in(request, to, error, status=403)
            return
        try:
            session = await self._sign_in.by_password(request, name, password)
        except SignInRefusedError as error:
            _set_headers(request, error)
            self._show_sign_in(request, to, str(error), error.status)
            return
        if session is None:
            self._show_sign_in(request, to, "name or password is wrong", status=403)
        else:
            _go_to(request, "/" if to.startswith("/sign-") else to)

    def _signs_out(self, request: Request, method: str, session: Session) -> None:
        if method != "POST":
            raise reading.not_possible(method, ["POST"])
        self._sign_in.out(request, session)
        _go_to(request, "/")

    def _pass_on(
        self,
        request: Request,
        method: str,
        segments: list[str],
        admin: Admin,
        session: Session | None,
    ) -> None:
        """Let the API answer."""
        self._check_role(request, method, segments, admin)
        request.postpath = [each.encode() for each in segments]
        if method in SAFE:
            self._lasting.add(request, lambda: self._sign_in.may_still(admin, session))
        dry_run = reading.is_dry_run(request)
        answered = self._api.answer(request)
        if rights.changes(method, segments, dry_run=dry_run):
            # Also if the client has not waited for it.
            answered.addCallback(
                lambda _: self._acted(request, admin, reading.told(request, method), request.code)
            )

    def _acted(self, request: Request, admin: Admin, text: str, status: int) -> None:
        address = self._sign_in.address(request)
        self._events.publish(
            AdminActed(admin=admin.name, address=address, text=text, status=status)
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
        found = find(ROUTES, segments)
        if found is None:
            raise RequestError(404, f"there is no page /{'/'.join(segments)}")
        handlers, name = found
        handler = handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            raise reading.not_possible(method, handlers)
        self._check_role(request, method, segments, session.admin)
        asked = Asked(
            operations=self._operations,
            admin=session.admin,
            kept=session.kept,
            live=self._live,
            holds=lambda: self._sign_in.holds(session),
            name=name,
            query=reading.query(request),
            form=form,
            in_thread=self._in_thread,
        )
        try:
            answer = await handler(asked)
        except Exception as error:
            if method not in SAFE and not isinstance(error, BadRequestError):
                self._acted(request, session.admin, reading.told(request, method), _status(error))
            expected = isinstance(error, BadRequestError | NotFoundError | RefusedError)
            if method in SAFE or not expected:
                raise
            self._acted_in_vain(request, session, error)
            return
        if isinstance(answer, Done):
            self._acted(request, session.admin, answer.text, 303)
            session.told.append(Told(answer.text, details=answer.details))
            _go_to(request, answer.to)
        elif isinstance(answer, Streamed):
            answer.begin(request, self._clock)
        else:
            if answer.acted:
                self._acted(request, session.admin, answer.acted, answer.status)
            page = self._page_of(request, answer, session)
            self._reply(request, answer, await self._in_thread(page) if answer.slow else page())

    def _acted_in_vain(self, request: Request, session: Session, error: Exception) -> None:
        """Tell why nothing was done, on the page where it was asked for."""
        faults = error.faults if isinstance(error, RefusedError) else ()
        session.told.append(Told(str(error), bad=True, details=tuple(faults)))
        referer, host = reading.value(request, "Referer"), reading.value(request, "Host")
        _go_to(request, path_referred_to(referer, host))

    def _send(self, request: Request, shown: Shown, session: Session | None = None) -> None:
        self._reply(request, shown, self._page_of(request, shown, session)())

    def _page_of(
        self, request: Request, shown: Shown, session: Session | None
    ) -> Callable[[], bytes]:
        """Return what makes the HTML; what it tells of is told no more."""
        values = {
            "path": request.path.decode("latin-1"),
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
        error, status = failure.value, _status(failure.value)
        text = str(error)
        if status == 500:
            text = "internal error of the relay, see its log"
            self.log.failure(
                "internal error of the page (a bug); traceback follows", failure=failure
            )
        if request.startedWriting:
            request.loseConnection()
            return
        if isinstance(error, RequestError):
            _set_headers(request, error)
        if reading.is_api(request):
            reply(request, status, {"error": text})
            return
        values = {"status": status, "text": text}
        known = not isinstance(error, RequestError) or error.status in (404, 405)
        session = self._sign_in.session(request) if known else None
        self._send(request, Shown(template="fault.html", values=values, status=status), session)

    def _failed_again(self, failure: Failure, request: Request) -> None:
        """Answer something at last: a client that has no answer would wait for it."""
        self.log.failure("internal error of the page (a bug); traceback follows", failure=failure)
        request.loseConnection()


def _status(error: BaseException | None) -> int:
    """Return the status that tells what has gone wrong."""
    match error:
        case RequestError():
            return error.status
        case BadRequestError() | RefusedError():
            return 422
        case NotFoundError():
            return 404
        case SpoolError() | HistoryError():
            return 503
    return 500


def _set_headers(request: Request, error: RequestError) -> None:
    for name, value in error.headers.items():
        request.setHeader(name, value)


def _go_to(request: Request, path: str) -> None:
    """Send the browser to another page, which it gets by GET (RFC 9110, section 15.4.4)."""
    request.setResponseCode(303)
    request.setHeader("Location", as_location(path))
    reply_with(request, _HTML, b"")
