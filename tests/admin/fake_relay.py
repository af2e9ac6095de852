"""A control socket that answers as it is told to, and remembers what it was asked."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from multisendcon_plugin import __version__
from multisendcon_plugin.web.control import NAME


@attrs.frozen
class Answer:
    """What is answered: `body` as JSON, or `lines` in chunks, the last of which may be missing."""

    status: int = 200
    body: object = None
    lines: tuple[bytes, ...] | None = None
    broken: bool = False
    server: str = f"multisendcon/{__version__}"


class FakeRelay:
    """Answers on the control socket of a spool's folder.

    :ivar answers: by method and path below /api/v1/.
    :ivar asked: method, path, query, and body of each request.
    :ivar last_events: what each that listens knows already; it hears of nothing else.
    """

    def __init__(self, folder):
        self.answers = {}
        self.asked = []
        self.last_events = []
        self._path = folder / NAME

    def answers_with(self, request, body=None, **more):
        self.answers[request] = Answer(body=body, **more)

    def __enter__(self):
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                relay._answer(self, None)

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                relay._answer(self, json.loads(self.rfile.read(size)))

            def log_message(self, *_):
                pass

        self._server = socketserver.ThreadingUnixStreamServer(str(self._path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._path.unlink()

    def _answer(self, handler, body):
        url = urlsplit(handler.path)
        path = unquote(url.path.removeprefix("/api/v1/"))
        self.asked.append((handler.command, path, dict(parse_qsl(url.query, True)), body))
        answer = self.answers.get(f"{handler.command} {path}", Answer(404, {"error": "not there"}))
        if path == "events":
            self.last_events.append(handler.headers["Last-Event-ID"])
            if self.last_events[-1]:
                answer = attrs.evolve(answer, lines=())
        handler.send_response_only(answer.status)
        handler.send_header("Server", answer.server)
        if answer.lines is None:
            data = json.dumps(answer.body).encode()
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
            return
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for line in answer.lines:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        if not answer.broken:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True
