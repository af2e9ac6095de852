"""The API as one resource of Twisted: requests in, answers as JSON out, errors as they are meant.

An error is its status, and ``{"error": "..."}``.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from inspect import isawaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ..errors import HistoryError, SpoolError
from ..operations import Operations
from ..operations.errors import BadRequestError, NotFoundError, RefusedError
from ..operations.json_form import encode
from .event_stream import send_events
from .listing import JSON_LINES, send
from .paths import find
from .routes import ROUTES, Call, Events, Handler, Listing
from .site import LONGEST_BODY, hang_up

#: Clients that may hear of events at the same time.
MOST_LISTENERS = 16


class _RequestError(Exception):
    """A request is refused before anything is asked."""

    def __init__(self, status: int, text: str, allow: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.allow = allow


class Api(Resource):
    """All below ``/api/v1``."""

    isLeaf = True
    log = Logger()

    def __init__(self, operations: Operations, clock: IReactorTime) -> None:
        super().__init__()
        self._operations = operations
        self._clock = clock
        self._listeners = 0

    def render(self, request: Request) -> int:
        """Answer a request."""
        self.answer(request)
        return NOT_DONE_YET

    def answer(self, request: Request) -> Deferred[None]:
        """Answer a request.

        :return: fires when that is done, or has begun, if the answer goes on.
        """
        # By which a client of another version knows that it is one.
        request.setHeader("Server", f"multisendcon/{self._operations.version}")
        done = Deferred.fromCoroutine(self._answer(request))
        return done.addErrback(self._failed, request)

    async def _answer(self, request: Request) -> None:
        handler, name = _handler(request)
        # As octets: Twisted fails to decode some.
        last_event = (request.getHeader(b"Last-Event-ID") or b"").decode("latin-1")
        as_lines = request.getHeader(b"Accept") == JSON_LINES.encode()
        query, body = _query(request), _body(request)
        answer = handler(Call(self._operations, name, query, body, last_event, as_lines))
        if isawaitable(answer):
            answer = await answer
        if isinstance(answer, Listing):
            await send(request, answer.pieces, self._clock)
        elif isinstance(answer, Events):
            self._stream(request, answer)
        else:
            reply(request, 200, answer)

    def _stream(self, request: Request, events: Events) -> None:
        if request.method == b"HEAD":
            request.setHeader("Content-Type", "text/event-stream")
            request.finish()
            return
        if self._listeners >= MOST_LISTENERS:
            raise _RequestError(503, f"{MOST_LISTENERS} clients listen already; try again later")
        self._listeners += 1
        request.notifyFinish().addBoth(lambda _: self._left())
        send_events(request, self._operations.live, self._clock, events.after)

    def _left(self) -> None:
        self._listeners -= 1

    def _failed(self, failure: Failure, request: Request) -> None:
        status, error = _status(failure.value)
        if status == 500:
            self.log.failure(
                "internal error of the API (a bug); traceback follows", failure=failure
            )
        if request.startedWriting:
            # What has been sent cannot be taken back: without its end, the client sees that.
            hang_up(request)
        else:
            if isinstance(failure.value, _RequestError) and failure.value.allow:
                request.setHeader("Allow", failure.value.allow)
            reply(request, status, error)


def reply(request: Request, status: int, value: Any) -> None:
    """Send an object, unless the client has gone."""
    # Twisted has no words for some.
    request.setResponseCode(status, HTTPStatus(status).phrase.encode())
    reply_with(request, "application/json", encode(value) + b"\n")


def reply_with(request: Request, content_type: str, body: bytes) -> None:
    """Send a body that is of this moment, unless the client has gone."""
    if request._disconnected:  # noqa: SLF001 -- it has no public name
        return
    request.setHeader("Content-Type", content_type)
    request.setHeader("Cache-Control", "no-store")
    request.setHeader("Content-Length", str(len(body)))
    request.write(body)
    request.finish()


def _handler(request: Request) -> tuple[Handler, str]:
    """Return what answers a request, and the name in its path."""
    try:
        segments = [each.decode() for each in request.postpath or ()]
    except UnicodeDecodeError:
        raise _RequestError(404, "the path is no UTF-8") from None
    found = find(ROUTES, segments)
    if found is None:
        raise _RequestError(404, f"there is no /{'/'.join(segments)} here; see openapi.json")
    handlers, name = found
    method = request.method.decode("ascii", "replace")
    handler = handlers.get("GET" if method == "HEAD" else method)
    if handler is None:
        allowed = ", ".join([*handlers, *(["HEAD"] if "GET" in handlers else [])])
        raise _RequestError(405, f"{method} is not possible here, but {allowed}", allowed)
    return handler, name


def _query(request: Request) -> dict[str, str]:
    query = {}
    try:
        for name, values in request.args.items():
            [value] = values
            query[name.decode()] = value.decode()
    except UnicodeDecodeError:
        raise _RequestError(400, "the query is no UTF-8") from None
    except ValueError:
        raise _RequestError(422, f"{name.decode(errors='replace')} is given twice") from None
    return query


def _body(request: Request) -> Any:
    """Return what the body says; ``None``: there is none."""
    content: Any = request.content
    if content.too_long:
        raise _RequestError(
            413, f"the body is longer than {LONGEST_BODY} octets, or too many are sent at once"
        )
    octets = content.read()
    if not octets.strip():
        return None
    try:
        return json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise _RequestError(400, f"the body is no JSON: {error}") from None


def _status(error: BaseException | None) -> tuple[int, dict[str, Any]]:
    """Return the status and the body that say what has gone wrong."""
    body: dict[str, Any] = {"error": str(error)}
    match error:
        case _RequestError():
            return error.status, body
        case BadRequestError():
            return 422, body
        case NotFoundError():
            return 404, body
        case RefusedError():
            if error.faults:
                body["faults"] = list(error.faults)
            return 409, body
        case SpoolError() | HistoryError():
            return 503, body
    return 500, {"error": "internal error of the relay, see its log"}
