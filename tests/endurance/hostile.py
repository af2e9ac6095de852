"""Servers that mean harm, or nothing at all."""

from __future__ import annotations

import contextlib
import socketserver
import threading

_ADDRESS = "127.0.2.7"


@contextlib.contextmanager
def refusing_server(reply):
    """Answer to each recipient with this line; return address and port."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            with contextlib.suppress(ConnectionError):
                self._serve()

        def _serve(self):
            self.wfile.write(b"220 mx.hostile.example\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"RCPT":
                    self.wfile.write(reply + b"\r\n")
                elif verb == b"DATA":
                    self.wfile.write(b"503 5.5.1 no recipients\r\n")
                elif verb == b"QUIT":
                    self.wfile.write(b"221 2.0.0 bye\r\n")
                    return
                else:
                    self.wfile.write(b"250 mx.hostile.example\r\n")

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server((_ADDRESS, 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address
        server.shutdown()
        thread.join()
