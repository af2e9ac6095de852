"""Clients that mean harm: what they take of memory and CPU, and how long an honest one waits.

Each attack has a fresh relay, which delivers to an smtp-sink; nothing of the attacks may get there.
"""

from __future__ import annotations

import collections
import contextlib
import smtplib
import socket
import statistics
import threading
import time

from tests.endurance.crowd import Crowd
from tests.endurance.footprint import Footprint
from tests.interop.clients import CONTENT
from tests.interop.logins import offer_logins
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

MIB = 1024 * 1024
_SENDER = "boss@sales.example"
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


def add_options(parser):
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--slow", type=int, default=1000, help="clients that send slowly")
    parser.add_argument("--seconds", type=float, default=60, help="that the slow ones go on")
    # Each process holds a piece of each mail that comes, and its peak counts, whenever it was.
    parser.add_argument("--growth", type=float, default=32, help="MiB that an attack may take")
    parser.add_argument("--share", type=float, default=0.5, help="of a CPU for an attack")


def run(folder, options):
    for attack in ATTACKS:
        yield from _attacked(folder / attack.__name__, attack, options)


def _attacked(folder, attack, options):
    folder.mkdir()
    tls, _ = offer_logins(folder)
    settings = f'max_connections = {options.slow + 10}\nallow = ["127.0.0.0/8"]\n{tls}'
    with contextlib.ExitStack() as running:
        sink = running.enter_context(Sink(folder))
        destination = account("Only", sink.address, sink.port)
        relay = running.enter_context(Relay(folder, destination, settings=settings))
        with Honest(relay) as honest, Footprint(relay.process.pid) as footprint:
            honest.wait_for(3)
            taken = []
            faults = list(attack(relay, options, taken))
            honest.wait_for(3)
        taken += honest.taken
        until(lambda: sink.count() >= len(taken), "all mails arrive")
        relay.stop()
        figures = footprint.figures
        print(f"{attack.__name__}: {figures}; honest mails took {honest}", flush=True)
        faults += _judge_sink(sink, taken)
        if figures.growth > options.growth:
            faults.append(f"memory grew by {figures.growth:.1f} MiB")
        if figures.cpu > options.share * max(figures.seconds, 4):
            faults.append(f"it took {figures.cpu:.1f} s of CPU")
        if "Traceback" in relay.log.read_text():
            faults.append("there is a traceback in the log")
        return [f"{attack.__name__}: {fault}" for fault in faults]


def _judge_sink(sink, taken):
    arrived = collections.Counter(sink.recipients())
    if arrived != collections.Counter(taken):
        yield f"what arrived is not what was taken: {arrived}"


class Honest:
    """A client that goes on sending mail, as good as it gets.

    :ivar taken: the recipients of its mails.
    :ivar times: seconds that each took, from connecting to the end of the session.
    """

    def __init__(self, relay):
        self._relay = relay
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self.taken = []
        self.times = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()

    def __str__(self):
        return f"{statistics.median(self.times):.3f} s, at most {max(self.times):.3f} s"

    def wait_for(self, count):
        """Wait until so many more mails are taken."""
        goal = len(self.times) + count
        until(lambda: len(self.times) >= goal, "an honest client's mail is taken")

    def _go_on(self):
        while not self._ending.wait(0.05):
            begin = time.monotonic()
            recipient = f"{len(self.times)}@customer.example"
            with smtplib.SMTP(self._relay.address, self._relay.port, timeout=60) as client:
                client.sendmail(_SENDER, [recipient], CONTENT.format(recipient))
            self.taken.append(recipient)
            self.times.append(time.monotonic() - begin)


# The attacks: each yields what went wrong, and notes the recipients of what was taken.


def endless_line(relay, options, taken):
    """A command that does not end."""
    with socket.create_connection((relay.address, relay.port)) as client:
        for _ in range(options.megabytes):
            client.sendall(b"x" * MIB)
        client.sendall(b"\r\nQUIT\r\n")
        replies = _all(client)
    if [line[:9] for line in replies.split(b"\r\n")[1:]] != [b"500 5.5.2", b"221 2.0.0", b""]:
        yield f"it was answered by {replies}"


def unread_replies(relay, options, taken):
    """RSET without end, none of whose replies is read: the relay has to stop reading."""
    octets, sent = b"RSET\r\n" * 10_000, 0
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((relay.address, relay.port))
        client.settimeout(2.0)
        with contextlib.suppress(TimeoutError):
            while sent < options.megabytes * MIB:
                sent += client.send(octets)
    print(f"unread_replies: the relay stopped reading after {sent / MIB:.1f} MiB")
    if sent >= options.megabytes * MIB:
        yield "the relay goes on reading"


def slow_clients(relay, options, taken):
    """Clients that send an octet a second."""
    line = b"EHLO a.b.example\r\n" * 100
    with Crowd((relay.address, relay.port), options.slow) as crowd:
        greetings, _ = crowd.replies()
        begin = time.monotonic()
        for second in range(int(options.seconds)):
            crowd.send(line[second : second + 1])
            time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
    greeted = sum(greeting.startswith("220 ") for greeting in greetings)
    if greeted != options.slow:
        yield f"only {greeted} of them were greeted"


def stopped_mails(relay, options, taken):
    """Clients that stop in the midst of a mail, and read nothing any more."""
    with contextlib.ExitStack() as running:
        for _ in range(options.megabytes):
            client = running.enter_context(socket.create_connection((relay.address, relay.port)))
            client.sendall(_START + b"Subject: x\r\n\r\n")
            client.sendall(b"x" * 998 + b"\r\n" + b"y" * (MIB - 1000))
        yield from ()


def starttls_injection(relay, options, taken):
    """A mail in the clear behind STARTTLS, in its segment and after the reply to it."""
    mail = _START + b"Subject: x\r\n\r\nevil\r\n.\r\nQUIT\r\n"
    for apart in (False, True):
        with socket.create_connection((relay.address, relay.port)) as client:
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


def smuggling(relay, options, taken):
    """Mails that hold what may be taken for their end, and then another mail."""
    for end in SMUGGLED_ENDS:
        start = _START.replace(b"evil@c", b"carrier@c")
        mail = b"Subject: x\r\n\r\nfirst" + end + _START.partition(b"\r\n")[2] + b"evil\r\n.\r\n"
        with socket.create_connection((relay.address, relay.port)) as client:
            client.sendall(start)
            _read_until(client, b"354 ")
            client.sendall(mail + b"QUIT\r\n")
            replies = _all(client)
        codes = [line[:3] for line in replies.split(b"\r\n") if line]
        taken += ["carrier@customer.example"] * (codes[0] == b"250")
        if codes not in ([b"250", b"221"], [b"550", b"221"]):
            yield f"{end} was answered by {replies}"
    print(f"smuggling: {len(taken)} of {len(SMUGGLED_ENDS)} mails were taken, as one")


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
    endless_line,
    unread_replies,
    slow_clients,
    stopped_mails,
    starttls_injection,
    smuggling,
)
