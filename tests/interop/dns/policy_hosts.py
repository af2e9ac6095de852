"""Web servers with the policies of MTA-STS (RFC 8461), at port 443 of a loopback address."""

from __future__ import annotations

import http.server
import ssl
import threading

from tests.interop.dns.block import HTTPS
from tests.interop.dns.mail_hosts import write_certificate


def policy(mode, *patterns, max_age=86400):
    """Return the text of a policy."""
    lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {each}" for each in patterns)]
    return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {max_age}"])


class PolicyHost:
    """A web server that has the policies of many domains, with a valid certificate for each.

    :param policies: the texts, by domain; they may change.
    :ivar asked: the domains whose policy was fetched, in order.
    """

    def __init__(self, folder, address, authority, policies, domains=()):
        self.policies = policies
        self.asked = []
        names = [f"mta-sts.{domain}" for domain in {**policies, **dict.fromkeys(domains)}]
        certificate, key = write_certificate(folder, "policies", authority.server_pem(*names))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = http.server.ThreadingHTTPServer((address, HTTPS), self._handler())
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever)

    def _handler(self):
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                domain = self.headers["Host"].removeprefix("mta-sts.")
                host.asked.append(domain)
                text = host.policies.get(domain)
                there = text is not None and self.path == "/.well-known/mta-sts.txt"
                body = text.encode() if there else b"there is none"
                self.send_response(200 if there else 404)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Say nothing."""

        return Handler

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Be there no more; it may have been closed already."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
