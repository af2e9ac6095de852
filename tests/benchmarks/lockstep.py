"""Clients of a relay, and the server that it delivers to, all in step, in one thread.

At each step all clients send, and then all read; so it is with the server's sessions.  How many
mails the relay finds together then hardly depends on the speed of the machine.
"""

from __future__ import annotations

import contextlib
import socket

#: Seconds after which a step counts as missed.
_PATIENCE = 60.0


class LockStep:
    """A server for the relay's account, and so many clients; a context manager.

    The relay has to keep as many sessions with the server as there are clients, or to begin a new
    one for each mail.

    :param recipients: whom the clients write to, by turns.
    :param listen: addresses and ports of the server; each has an equal part of the sessions.
    :param anew: the relay quits after each mail.
    """

    def __init__(
        self,
        sessions,
        size,
        *,
        recipients=("someone@customer.example",),
        listen=(("127.0.2.2", 0),),
        anew=False,
    ):
        self._sessions = sessions
        self._recipients = recipients
        self._anew = anew
        line = b"x" * 62 + b"\r\n"
        head = b"From: boss@sales.example\r\nSubject: in step\r\n\r\n"
        self._content = head + line * (size // len(line)) + b".\r\n"
        self._opened = contextlib.ExitStack()
        self._clients = []
        self._servers = []
        self._listening = [
            self._opened.enter_context(socket.create_server(each)) for each in listen
        ]
        for each in self._listening:
            each.settimeout(_PATIENCE)
        self.address, self.port = self._listening[0].getsockname()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end_sessions()
        self._opened.close()

    def connect(self, address, port):
        """Connect the clients to the relay."""
        for _ in range(self._sessions):
            self._clients.append(self._opened.enter_context(_Peer.to(address, port)))
        self._expect(self._clients, b"220 ")
        self._command(b"EHLO client.example\r\n", b"250 ")

    def send(self, rounds):
        """Send a mail through each client, so many times; the server has got all of them then."""
        for _ in range(rounds):
            self._command(b"MAIL FROM:<boss@sales.example>\r\n", b"250 ")
            for number, client in enumerate(self._clients):
                recipient = self._recipients[number % len(self._recipients)]
                client.send(f"RCPT TO:<{recipient}>\r\n".encode())
            self._expect(self._clients, b"250 ")
            self._command(b"DATA\r\n", b"354 ")
            self._command(self._content, b"250 ")
            self._take()

    def end_sessions(self):
        """Hang up on the relay's sessions; it has to begin them anew."""
        for server in self._servers:
            server.close()
        self._servers.clear()

    def _command(self, octets, reply):
        for client in self._clients:
            client.send(octets)
        self._expect(self._clients, reply)

    def _expect(self, peers, reply):
        for peer in peers:
            text = peer.read(b"\r\n")
            if reply not in text:
                raise RuntimeError(f"{reply!r} was expected, this has come: {text!r}")

    def _take(self):
        """Take a mail from each of the relay's sessions; the first time, they have to begin."""
        if not self._servers:
            self._accept()
        for server in self._servers:
            server.read(b"DATA\r\n")
        for server in self._servers:
            server.send(b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n")
        for server in self._servers:
            server.read(b"\r\n.\r\n")
        for server in self._servers:
            server.send(b"250 2.0.0 Ok\r\n")
        if self._anew:
            self._end()

    def _end(self):
        for server in self._servers:
            server.read(b"QUIT\r\n")
        for server in self._servers:
            server.send(b"221 2.0.0 Bye\r\n")
        self.end_sessions()

    def _accept(self):
        # One after the other: the relay waits for the first before it opens the others.
        for number in range(self._sessions):
            connection, _ = self._listening[number % len(self._listening)].accept()
            server = _Peer(connection)
            server.send(b"220 sink.example ESMTP\r\n")
            server.read(b"\r\n")
            server.send(b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
            self._servers.append(server)


class _Peer:
    """One connection, with what has been read of it."""

    def __init__(self, connection):
        self._connection = connection
        connection.settimeout(_PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def to(cls, address, port):
        return cls(socket.create_connection((address, port)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._connection.close()

    def send(self, octets):
        self._connection.sendall(octets)

    def read(self, end):
        """Read until there is nothing after an end like this one."""
        octets = b""
        while not octets.endswith(end):
            piece = self._connection.recv(1 << 16)
            if not piece:
                raise RuntimeError(f"the relay hung up after {octets[-500:]!r}")
            octets += piece
        return octets
