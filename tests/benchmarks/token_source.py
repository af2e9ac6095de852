"""Gives out tokens as an OAuth2 provider does (RFC 6749 section 5.1), always the same one."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "a-token-of-the-length-that-is-usual-" + "x" * 1500


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}
        octets = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)


def serve(address, port):
    """Serve in a thread of its own, until the process ends."""
    server = ThreadingHTTPServer((address, port), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
