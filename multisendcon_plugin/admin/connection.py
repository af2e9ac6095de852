"""Talks to the relay that runs: HTTP/1.1 over the control socket in the folder of its spool.

Says in words why it cannot, and what to do.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from .. import __version__
from ..errors import MultisendconError
from ..operations.errors import BadRequestError, NotFoundError, RefusedError
from ..web.control import NAME
from ..web.local_socket import address
from .errors import NotRunningError, UnreachableError
from .owner import run_as_owner
from .terminal import warn

_ROOT = "/api/v1/"
#: Seconds after which a relay that says nothing is taken for one that hangs.
_PATIENCE = 60.0

_ERRORS = {400: BadRequestError, 403: UnreachableError, 404: NotFoundError, 422: BadRequestError}
#: Octets that are read at once.
_PIECE = 64 * 1024

Query = Mapping[str, str | int | None]


class ServerSentEvent(NamedTuple):
    """One event of the relay as it happens.

    :param id: for `Relay.events`, to go on after it.
    """

    id: str
    type: str
    data: str


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a socket of this machine."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        with address(self._path) as name:
            self.sock.connect(name)


class Relay:
    """The relay that runs with a spool.  Each question is a connection of its own.

    All methods raise `NotRunningError` if there is none, another `UnreachableError` if it cannot
    be talked to, and the errors of `operations` if it does not do what it is asked.

    :param folder: of its spool.
    """

    def __init__(self, folder: Path) -> None:
        self._socket = folder / NAME

    def get(self, path: str) -> dict[str, Any]:
        """Return an object."""
        return self._object(self._ask("GET", path, _PATIENCE))

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, patience: float | None = None
    ) -> dict[str, Any]:
        """Have something done, and return what came of it.

        :param patience: seconds that it may take; ``None``: as long as it takes.
        """
        headers = {"Content-Type": "application/json"}
        return self._object(self._ask("POST", path, patience, headers, json.dumps(body or {})))

    def rows(self, path: str, query: Query) -> Iterator[bytes]:
        """Return the lines of a listing, each an object of JSON; they are read as they come."""
        said = urlencode({name: value for name, value in query.items() if value is not None})
        return self._lines(self._ask("GET", f"{path}?{said}", _PATIENCE))

    def steps(self, path: str, body: Mapping[str, Any]) -> Iterator[bytes]:
        """Have something done; return its steps as they come, and last what came of it."""
        headers = {"Content-Type": "application/json", "Accept": "application/jsonl"}
        return self._lines(self._ask("POST", path, None, headers, json.dumps(body)))

    def events(self, after: str | None = None) -> Iterator[ServerSentEvent]:
        """Return what happens, until the relay ends.

        :param after: the id of an event: what has happened since, as far as it is remembered.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        return _events(self._lines(self._ask("GET", "events", None, headers)))

    def _ask(
        self,
        method: str,
        path: str,
        patience: float | None,
        headers: Mapping[str, str] = MappingProxyType({}),
        body: str | None = None,
    ) -> http.client.HTTPResponse:
        """Return an answer that is no error, as far as its header."""
        connection = _UnixConnection(self._socket, patience)
        try:
            connection.request(method, _ROOT + path, body, dict(headers))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        self._check_version(response)
        if response.status >= http.HTTPStatus.BAD_REQUEST:
            raise self._refused(response)
        return response

    def _object(self, response: http.client.HTTPResponse) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self._read(response.read))
        return value

    def _lines(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        # Not readline(): it takes the end of the connection for the end of the answer.
        rest = b""
        while piece := self._read(lambda: response.read1(_PIECE)):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        if rest:
            raise self._unreachable(http.client.IncompleteRead(rest))

    def _read(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None

    def _check_version(self, response: http.client.HTTPResponse) -> None:
        name, _, version = response.getheader("Server", "").partition("/")
        if name == "multisendcon" and version not in (__version__, "unknown"):
            warn(
                f"warning: the relay that runs is version {version}, and this command is"
                f" {__version__}; restart the relay if it was upgraded"
            )

    def _refused(self, response: http.client.HTTPResponse) -> MultisendconError:
        """Say what an answer with an error means."""
        try:
            answer = json.loads(self._read(response.read))
            text, faults = str(answer["error"]), tuple(map(str, answer.get("faults", ())))
        except (ValueError, KeyError, TypeError, AttributeError):
            text, faults = f"the relay answers {response.status} {response.reason}", ()
        kind = _ERRORS.get(response.status)
        return RefusedError(text, faults) if kind is None else kind(text)

    def _unreachable(self, error: Exception) -> UnreachableError:
        match error:
            case FileNotFoundError():
                return NotRunningError(
                    f"{self._socket}: no relay runs with this spool; name its configuration with"
                    " --config=FILE, or start it: twistd multisendcon --config=FILE"
                )
            case ConnectionRefusedError():
                return NotRunningError(
                    f"{self._socket}: nobody listens there: the relay has ended without removing"
                    " its socket; start it again"
                )
            case PermissionError():
                return UnreachableError(
                    f"{self._socket}: there is no right to it; {run_as_owner(self._socket)}"
                )
            case TimeoutError():
                return UnreachableError(
                    f"{self._socket}: the relay does not answer; see its log, and restart it if"
                    " it hangs"
                )
            case BlockingIOError():
                return UnreachableError(
                    f"{self._socket}: too many wait there for the relay; try again, and see its log"
                    " if that lasts"
                )
            case ConnectionError() | http.client.HTTPException():
                return UnreachableError(
                    f"{self._socket}: the relay has ended the connection before its answer was"
                    " whole; see its log"
                )
        return UnreachableError(f"{self._socket}: {error}")


def _events(lines: Iterator[bytes]) -> Iterator[ServerSentEvent]:
    """Read Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.decode("utf-8", "replace").rstrip("\r").partition(":")
        value = value.removeprefix(" ")
        if name or value:  # a comment has no name
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
            continue
        if "data" in fields:
            yield ServerSentEvent(fields.get("id", ""), fields.get("event", ""), fields["data"])
        fields = {}


def quoted(name: str) -> str:
    """Return a name as a part of a path."""
    return quote(name, safe="")
