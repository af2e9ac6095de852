"""A DNS server that does what real ones don't: it lies, loses, repeats, and never ends."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading

import dns.message
import dns.rdatatype

from tests.interop.programs import free_port


class ScriptedServer:
    """A DNS server in threads of the test, by UDP and TCP, on one port.

    :param answer: what it says to a query: a function of an `Asked`, which returns the reply, or
        ``None`` for silence; replies are of dnspython, or octets.
    :ivar asked: name and type of each query, and whether it came by TCP, in order.
    """

    def __init__(self, answer, address="127.0.2.10"):
        self.answer = answer
        self.asked = []
        self.address, self.port = address, free_port(address)
        self._servers = [
            _Udp((self.address, self.port), _by_udp(self)),
            _Tcp((self.address, self.port), _by_tcp(self)),
        ]
        self._threads = [threading.Thread(target=each.serve_forever) for each in self._servers]

    @property
    def endpoint(self):
        """Where to ask, as `[dns]` has it."""
        return f"{self.address}:{self.port}"

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def reply_to(self, octets, asked):
        query = dns.message.from_wire(octets)
        (question,) = query.question
        asked.query = query
        asked.name = question.name.to_text().lower().removesuffix(".")
        asked.rdtype = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((asked.name, asked.rdtype, asked.by_tcp))
        reply = self.answer(asked)
        if reply is None or isinstance(reply, bytes):
            return reply
        return reply.to_wire(max_size=65535)


class Asked:
    """A query.

    :ivar query: of dnspython.
    :ivar name: in lower case, without the last dot.
    :ivar forge: sends octets to who has asked, before the reply, from the server's own port or from
        another one; only by UDP.
    """

    query = name = rdtype = None

    def __init__(self, *, by_tcp, forge=None):
        self.by_tcp = by_tcp
        self.forge = forge


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def _by_udp(server):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            octets, own = self.request

            def forge(forged, *, other_port=False):
                with contextlib.ExitStack() as opened:
                    sending = own
                    if other_port:
                        sending = opened.enter_context(
                            socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        )
                        sending.bind((server.address, 0))
                    sending.sendto(forged, self.client_address)

            reply = server.reply_to(octets, Asked(by_tcp=False, forge=forge))
            if reply is not None:
                own.sendto(reply, self.client_address)

    return Handler


def _by_tcp(server):
    class Handler(socketserver.StreamRequestHandler):
        timeout = 30

        def handle(self):
            while len(length := self.rfile.read(2)) == 2:
                octets = self.rfile.read(int.from_bytes(length))
                reply = server.reply_to(octets, Asked(by_tcp=True))
                if reply is None:
                    return
                self.wfile.write(len(reply).to_bytes(2) + reply)

    return Handler
