"""Attacks with what no client should say: lines and mails without end, and hidden commands."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.endurance.crowd import Crowd
from tests.endurance.scene import MIB, Attack

_START = (
    b"EHLO evil.example\r\nMAIL FROM:<evil@sales.example>\r\nRCPT TO:<evil@customer.example>\r\n"
    b"DATA\r\n"
)
#: What some servers take for the end of a mail, and we must not: then the rest would be commands.
SMUGGLED_ENDS = (
    *(b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n"),
    *(b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\n\n.\n\n"),
    *(b"\r\n.\r\0\n", b"\n.\r\r\n", b"\r\n..\r\n", b"\r\n. \r\n", b"\r\n .\r\n"),
    *(b"\r\n\x85.\x85", b"\r\n.\x0b\r\n"),
)


def endless_line(scene):
    """A command that does not end."""
    with socket.create_connection(scene.address) as client:
        for _ in range(scene.options.megabytes):
            client.sendall(b"x" * MIB)
        client.sendall(b"\r\nQUIT\r\n")
        replies = _all(client)
    if [line[:9] for line in replies.split(b"\r\n")[1:]] != [b"500 5.5.2", b"221 2.0.0", b""]:
        yield f"it was answered by {replies}"


def unread_replies(scene):
    """RSET without end, none of whose replies is read: the relay has to stop, or end it."""
    octets, sent = b"RSET\r\n" * 10_000, 0
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(scene.address)
        client.settimeout(2.0)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while sent < scene.options.megabytes * MIB:
                sent += client.send(octets)
    print(f"    the relay read no more after {sent / MIB:.1f} MiB")
    if sent >= scene.options.megabytes * MIB:
        yield "the relay goes on reading"


def slow_clients(scene):
    """Clients that send an octet a second."""
    line = b"EHLO a.b.example\r\n" * 100
    with Crowd(scene.address, scene.options.slow) as crowd:
        greetings, _ = crowd.replies()
        begin = time.monotonic()
        for second in range(int(scene.options.seconds)):
            crowd.send(line[second : second + 1])
            time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
    greeted = sum(greeting.startswith("220 ") for greeting in greetings)
    if greeted != scene.options.slow:
        yield f"only {greeted} of them were greeted"


def stopped_mails(scene):
    """Clients that stop in the midst of a mail, and read nothing any more."""
    with contextlib.ExitStack() as running:
        for _ in range(scene.options.megabytes):
            client = running.enter_context(socket.create_connection(scene.address))
            client.sendall(_START + b"Subject: x\r\n\r\n")
            client.sendall(b"x" * 998 + b"\r\n" + b"y" * (MIB - 1000))
        yield from ()


def starttls_injection(scene):
    """A mail in the clear behind STARTTLS, in its segment and after the reply to it."""
    mail = _START + b"Subject: x\r\n\r\nevil\r\n.\r\nQUIT\r\n"
    for apart in (False, True):
        with socket.create_connection(scene.address) as client:
            client.sendall(b"EHLO evil.example\r\n")
            _read_until(client, b"STARTTLS\r\n")
            client.sendall(b"STARTTLS\r\n" + (b"" if apart else mail))
            if apart:
                _read_until(client, b"220 2.0.0")
                client.sendall(mail)
            replies = _all(client)
        # Inside TLS there is at most an alert; a reply of SMTP begins with a digit.
        if b"250" in replies or (not apart and not replies.startswith(b"554 5.5.1")):
            yield f"it was answered by {replies}"


def smuggling(scene):
    """Mails that hold what may be taken for their end, and then another mail."""
    for end in SMUGGLED_ENDS:
        start = _START.replace(b"evil@c", b"carrier@c")
        mail = b"Subject: x\r\n\r\nfirst" + end + _START.partition(b"\r\n")[2] + b"evil\r\n.\r\n"
        with socket.create_connection(scene.address) as client:
            client.sendall(start)
            _read_until(client, b"354 ")
            client.sendall(mail + b"QUIT\r\n")
            replies = _all(client)
        codes = [line[:3] for line in replies.split(b"\r\n") if line]
        scene.taken.extend(["carrier@customer.example"] * (codes[0] == b"250"))
        if codes not in ([b"250", b"221"], [b"550", b"221"]):
            yield f"{end} was answered by {replies}"
    print(f"    {len(scene.taken)} of {len(SMUGGLED_ENDS)} mails were taken, as one")


def _read_until(client, text):
    octets = b""
    client.settimeout(30)
    while text not in octets or not octets.endswith(b"\n"):
        octets += client.recv(4096)


def _all(client):
    client.settimeout(60)
    octets = b""
    while piece := client.recv(4096):
        octets += piece
    return octets


ATTACKS = (
    Attack(endless_line),
    Attack(unread_replies),
    Attack(slow_clients, settings="max_connections = 2000"),
    Attack(stopped_mails, growth=64),  # a MiB for each of them
    Attack(starttls_injection, told="nothing may follow STARTTLS"),
    Attack(smuggling, told="bare CR, a bare LF or a NUL"),
)
