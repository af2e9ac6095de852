"""A sink with STARTTLS and AUTH, which smtp-sink has not: takes all mail, and notes who got it.

It says what both servers want to hear and checks next to nothing, since it shares the machine with
the server that is measured.  Run as a program, it is the sink: its arguments are the address, the
port, that at which it gives out tokens, a file with certificate and key, and the file for its
notes, a line with the recipients of each mail.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
import sys
import threading

import attrs

from multisendcon_plugin.testing import Authority
from tests.benchmarks import token_source
from tests.interop.programs import Program, free_port

_END = b"\r\n.\r\n"
_RECIPIENT = re.compile(rb"RCPT TO:<([^>]*)>", re.IGNORECASE)
_GREETED = b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n"
_EHLO = {False: _GREETED + b"250 STARTTLS\r\n", True: _GREETED + b"250 AUTH PLAIN XOAUTH2\r\n"}


@attrs.frozen(kw_only=True)
class Login:
    """What a client needs.

    :param token_url: where it gets a token, if it does not log in by its password.
    :param ca: the file with the authority that signed the sink's certificate.
    """

    username: str
    password: str
    token_url: str
    ca: str


_USERNAME, _PASSWORD = "joe", "secret"
#: What is said to log in.  A token is too long for the line of its command.
_BY_TOKEN = b"AUTH XOAUTH2"
_LOGINS = {
    b"AUTH PLAIN " + base64.b64encode(f"\0{_USERNAME}\0{_PASSWORD}".encode()),
    base64.b64encode(f"user={_USERNAME}\1auth=Bearer {token_source.TOKEN}\1\1".encode()),
}


class LoginSink(Program):
    """The sink.

    :param notes: the file for its notes.
    :ivar login: for clients.
    """

    address = "127.0.2.4"

    def __init__(self, folder, notes):
        super().__init__("sink", folder)
        self.port = free_port(self.address)
        authority = Authority()
        self._pem = self.folder / "sink.pem"
        self._pem.write_bytes(b"".join(authority.server_pem(self.address)))
        ca = authority.write(self.folder / "authority.pem")
        self._token_port = free_port(self.address)
        self.login = Login(
            username=_USERNAME,
            password=_PASSWORD,
            token_url=f"http://{self.address}:{self._token_port}/token",
            ca=ca,
        )
        self._notes = notes
        self._notes.touch()

    def command(self):
        return [
            *(sys.executable, "-m", "tests.benchmarks.login_sink"),
            *(self.address, str(self.port), str(self._token_port)),
            *(str(self._pem), str(self._notes)),
        ]

    def start(self):
        super().start()
        self.listens_at((self.address, self.port))

    def count(self):
        """Return how many mails are here."""
        return self._notes.read_bytes().count(b"\n")

    def recipients(self):
        """Return the recipients of all mails, as often as they got one."""
        return self._notes.read_text().split()


class Session:
    """One connection, in a thread of its own.

    :param context: of TLS.
    :param notes: the descriptor of the file for the notes.
    """

    def __init__(self, connection, context, notes):
        self._connection = connection
        self._context = context
        self._notes = notes
        self._secure = False
        self._unread = b""
        self._replies = []
        self._recipients = []

    def run(self):
        with contextlib.suppress(OSError):  # the client is gone
            self._serve()
        self._connection.close()

    def _serve(self):
        self._reply(b"220 sink.example ESMTP\r\n")
        while (line := self._line()) is not None:
            verb = line[:4].upper()
            if verb == b"DATA":
                self._reply(b"354 go on\r\n")
                self._swallow()
                os.write(self._notes, b" ".join(self._recipients) + b"\n")
            elif verb == b"MAIL":
                self._recipients = []
            elif verb == b"RCPT":
                self._recipients.append(_RECIPIENT.match(line)[1])
            elif verb == b"STAR":
                self._reply(b"220 go on\r\n")
                self._flush()
                self._connection = self._context.wrap_socket(self._connection, server_side=True)
                self._secure = True
                continue
            self._reply(self._answer(verb, line))
            if verb == b"QUIT":
                break
        self._flush()

    def _answer(self, verb, line):
        if verb == b"EHLO":
            return _EHLO[self._secure]
        if line == _BY_TOKEN:
            return b"334 \r\n"
        if verb == b"AUTH" or line in _LOGINS:
            return b"235 welcome\r\n" if self._secure and line in _LOGINS else b"535 no\r\n"
        return b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n"

    def _reply(self, reply):
        self._replies.append(reply)

    def _flush(self):
        self._connection.sendall(b"".join(self._replies))
        self._replies = []

    def _line(self):
        """Return the next command, or None at the end; replies leave before there is a wait."""
        while b"\n" not in self._unread:
            if not self._more():
                return None
        line, _, self._unread = self._unread.partition(b"\n")
        return line.rstrip(b"\r")

    def _swallow(self):
        """Read the content of a mail, and forget it."""
        self._unread = b"\r\n" + self._unread
        while (end := self._unread.find(_END)) < 0:
            self._unread = self._unread[-len(_END) :]
            if not self._more():
                raise ConnectionError("it ended in the middle of a mail")
        self._unread = self._unread[end + len(_END) :]

    def _more(self):
        if self._replies:
            self._flush()
        data = self._connection.recv(1 << 16)
        self._unread += data
        return data


def main():
    address, port, token_port, pem, notes = sys.argv[1:]
    token_source.serve(address, int(token_port))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    notes = os.open(notes, os.O_WRONLY | os.O_APPEND)
    with socket.create_server((address, int(port)), backlog=200) as listening:
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(connection, context, notes)
            threading.Thread(target=session.run, daemon=True).start()


if __name__ == "__main__":
    main()
