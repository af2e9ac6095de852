"""The benchmark's sink with a login: what it notes, however its input is cut."""

from __future__ import annotations

import os

import pytest

from tests.benchmarks.login_sink import Session

MAILS = (
    b"EHLO relay.example\r\n"
    b"MAIL FROM:<a@sales.example>\r\nRCPT TO:<lost@customer.example>\r\nRSET\r\n"
    b"MAIL FROM:<a@sales.example> SIZE=9\r\n"
    b"RCPT TO:<b@customer.example>\r\nRCPT TO:<c@customer.example> NOTIFY=NEVER\r\n"
    b"DATA\r\nSubject: x\r\n\r\n..\r\nMAIL FROM:<no@command.example>\r\n\r\n.\r\n"
    b"MAIL FROM:<a@sales.example>\r\nRCPT TO:<d@customer.example>\r\nDATA\r\n.\r\n"
    b"QUIT\r\n"
)
CODES = ["220", *["250"] * 7, "354", *["250"] * 3, "354", "250", "221"]


class Connection:
    """A connection on which a client says something, in pieces of a size."""

    def __init__(self, said, size):
        self.pieces = [said[start : start + size] for start in range(0, len(said), size)]
        self.replies = b""
        self.closed = False

    def recv(self, _):
        return self.pieces.pop(0) if self.pieces else b""

    def sendall(self, data):
        self.replies += data

    def close(self):
        self.closed = True


def session(said, size, notes):
    connection = Connection(said, size)
    descriptor = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    Session(connection, None, descriptor).run()
    os.close(descriptor)
    return connection


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, len(MAILS)])
def test_each_mail_is_a_line_of_its_recipients(tmp_path, size):
    connection = session(MAILS, size, tmp_path / "notes")
    lines = (tmp_path / "notes").read_text().splitlines()
    assert lines == ["b@customer.example c@customer.example", "d@customer.example"]
    codes = [line[:3] for line in connection.replies.decode().splitlines() if line[3] == " "]
    assert codes == CODES
    assert connection.closed


def test_a_mail_that_is_broken_off_is_not_noted(tmp_path):
    said = MAILS[: MAILS.index(b"\r\n.\r\n")]
    assert session(said, 64, tmp_path / "notes").closed
    assert (tmp_path / "notes").read_text() == ""


@pytest.mark.parametrize("login", [b"AUTH PLAIN AGpvZQBzZWNyZXQ=", b"AUTH PLAIN AGpvZQB3cm9uZw=="])
def test_nobody_logs_in_without_tls(tmp_path, login):
    connection = session(login + b"\r\n", 64, tmp_path / "notes")
    assert connection.replies.endswith(b"535 no\r\n")
