"""What must not grow with the load: `python -m tests.benchmarks.growth ROW`.

A million waiting mails, two hundred large ones at once, one that is very large or for very many,
half a million mails one after the other.  Each row prints its figures beside their limits, and the
command ends with status 1 when one is beyond.  Needs Postfix's smtp-source and smtp-sink.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar

import attrs

from multisendcon_plugin.envelope import Envelope
from multisendcon_plugin.message import Message, Recipient, parcels
from multisendcon_plugin.spool import rows
from multisendcon_plugin.spool.database import open_database
from multisendcon_plugin.spool.keys import new_deliveries
from tests.endurance.footprint import Footprint
from tests.interop.programs import free_port, run, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

#: Where smtp-sink writes what it gets: in memory, so that it does not use the disk as well.
_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
_MIB = 1024 * 1024
_HEADER = b"Received: by there\r\nFrom: <boss@sales.example>\r\nSubject: waits\r\n"
_CONTENT = _HEADER + b"\r\n" + 14 * (70 * b"x" + b"\r\n")


@attrs.frozen
class Figure:
    """One measured value beside its limit; `least`: the limit is a lower one."""

    name: str
    value: float
    unit: str
    limit: float
    least: bool = False

    @property
    def kept(self):
        return self.value >= self.limit if self.least else self.value <= self.limit

    def __str__(self):
        relation = "at least" if self.least else "at most"
        mark = "" if self.kept else "  <-- beyond"
        return f"{self.name:42} {self.value:9.2f} {self.unit:4} {relation} {self.limit:g}{mark}"


# Waiting.


@attrs.frozen(kw_only=True)
class Waiting:
    """How many mails wait, and of how many accounts.

    :param closed: nothing listens where the accounts' server should be; else it takes a second for
        each mail.
    """

    mails: int = 1_000_000
    accounts: int = 1
    closed: bool = False
    rounds: int = 5
    burst: int = 2000


def waiting(folder, chosen):
    """Start a relay on a spool in which mails wait, and hand in more."""
    with memory() as mails, Sink(folder, mails, options=("-w", "1")) as sink:
        port = free_port(sink.address) if chosen.closed else sink.port
        settings = "".join(
            account(f"A{n}", sink.address, port, senders=f'["*@{n}.example"]')
            for n in range(chosen.accounts)
        )
        full = Relay(_subfolder(folder, "full"), settings)
        fill(full.spool, chosen.mails, chosen.accounts)
        yield from _started(full, sink, chosen)
        with ended(full), Relay(_subfolder(folder, "empty"), settings) as empty:
            ratios = [_accepted(full, empty, chosen, n) for n in range(chosen.rounds)]
            most = Footprint(full.process.pid).peak()
    yield Figure("accept rate, part of that on an empty spool", *_median(ratios), 0.8, least=True)
    yield Figure("memory, at most", most, "MiB", 200)


def _started(relay, sink, chosen):
    began = time.monotonic()
    relay.start()
    with socket.create_connection((relay.address, relay.port), 60) as client:
        client.recv(512)
    yield Figure("start to the first greeting", time.monotonic() - began, "s", 3)
    if not chosen.closed:
        until(sink.count, "the first mail arrives")
        yield Figure("start to the first delivery", time.monotonic() - began, "s", 10)


def _accepted(full, empty, chosen, number):
    """Hand mails in at both, in turns, and return how the rates are to each other."""
    seconds = {}
    # The first one changes: what else the machine does hits both.
    for relay in (full, empty) if number % 2 else (empty, full):
        began = time.monotonic()
        send(relay, messages=chosen.burst, size=4096, sessions=10)
        seconds[relay] = time.monotonic() - began
    return seconds[empty] / seconds[full]


def _median(ratios):
    return statistics.median(ratios), ""


def fill(spool, count, accounts):
    """Let mails wait in a spool that no relay has open, those of each account in turns."""
    spool.mkdir(mode=0o700)
    first = int(time.time() * 10_000) - count
    with contextlib.closing(open_database(spool / "spool.db")) as database:
        database.execute("PRAGMA synchronous = OFF")
        for start in range(0, count, 10_000):
            database.execute("BEGIN")
            for n in range(start, min(start + 10_000, count)):
                rows.complete(database, _waiting_mail(first + n, n % accounts), parts=0)
            database.execute("COMMIT")


def _waiting_mail(number, n):
    recipient = f"{number}@customer.example"
    message = Message(
        number=number,
        envelope=Envelope(reverse_path=f"boss@{n}.example", recipients=(recipient,)),
        size=len(_CONTENT),
        header_size=len(_HEADER),
        arrived=number / 10_000,
    )
    parcel = parcels([(f"A{n}", Recipient(address=recipient, reason="sender matches"))])
    return number, _CONTENT, new_deliveries(message, parcel)


# Large mails.


@attrs.frozen(kw_only=True)
class LargeClients:
    clients: int = 200
    size: int = 25_000_000


def large_clients(folder, chosen):
    """Take large mails from many clients at once, and deliver them."""
    with memory() as mails, Sink(folder, mails) as sink:
        limits = "max_connections_per_address = 1000\n"
        with ended(Relay(folder, account("A", sink.address, sink.port), settings=limits)) as relay:
            relay.start()
            began = time.monotonic()
            send(relay, messages=chosen.clients, size=chosen.size, sessions=chosen.clients)
            print(f"handed in after {time.monotonic() - began:.0f} s")
            until(lambda: relay.waiting() == 0, "all mails have left", timeout=600)
            print(f"delivered after {time.monotonic() - began:.0f} s")
            most = Footprint(relay.process.pid).peak()
            # It counts line ends as two octets, and keeps them as one.
            octets = [each.stat().st_size for each in mails.iterdir()]
            recipients = sink.recipients()
    yield Figure("memory, at most", most, "MiB", 200)
    different = len(set(recipients))
    yield Figure("different mails that arrived", different, "", chosen.clients, least=True)
    yield Figure("mails that arrived", len(recipients), "", chosen.clients)
    yield Figure("the shortest of them", min(octets), "B", 0.97 * chosen.size, least=True)


# Stalls of the event loop.


@attrs.frozen(kw_only=True)
class Stall:
    """What passes, three times each, and how many mails move to another account."""

    rounds: ClassVar[int] = 3
    size: int = 50_000_000
    recipients: int = 5000
    moving: int = 20_000


class Probe(threading.Thread):
    """A client that says NOOP every 5 ms, and notes how long each reply took."""

    pause = 0.005

    def __init__(self, relay):
        super().__init__(daemon=True)
        self._address = relay.address, relay.port
        self._stopping = False
        self.worst = 0.0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping = True
        self.join()

    def run(self):
        with socket.create_connection(self._address, 60) as client:
            client.recv(512)
            client.sendall(b"EHLO probe.example\r\n")
            client.recv(4096)
            while not self._stopping:
                began = time.monotonic()
                client.sendall(b"NOOP\r\n")
                if not client.recv(512):
                    raise RuntimeError("the relay hung up on the probe")
                self.worst = max(self.worst, time.monotonic() - began)
                time.sleep(self.pause)

    def take(self):
        """Return the worst time since the last call, in milliseconds."""
        worst, self.worst = self.worst, 0.0
        return worst * 1000


def stall(folder, chosen):
    """Let one very large mail pass, one for very many, and many move to another account."""
    yield from _taken(_subfolder(folder, "taken"), chosen)
    yield from _refused(_subfolder(folder, "refused"), chosen)
    yield from _moving(_subfolder(folder, "moving"), chosen)


def _taken(folder, chosen):
    with _relay_to_sink(folder, chosen) as (relay, sink), Probe(relay) as probe:
        time.sleep(1)
        print(f"longest stall without mail: {probe.take():.1f} ms")
        small = _longest(relay, probe)
        print(f"longest stall, a small mail: {small:.1f} ms")
        large = _longest(relay, probe, size=chosen.size)
        many = _longest(relay, probe, recipients=chosen.recipients)
        arrived = len(sink.recipients())
    expected = Stall.rounds * (chosen.recipients + 2)
    yield Figure(f"longest stall, {chosen.size / 1e6:.0f} MB", large, "ms", 100)
    yield Figure(f"longest stall, {chosen.recipients} recipients", many, "ms", 100)
    yield Figure("recipients that were reached", arrived, "", expected, least=True)


def _refused(folder, chosen):
    with _relay_to_sink(folder, chosen, "-f", "RCPT") as (relay, _), Probe(relay) as probe:
        longest = _longest(relay, probe, recipients=chosen.recipients)
    yield Figure(f"longest stall, {chosen.recipients} refused", longest, "ms", 100)


def _moving(folder, chosen):
    with memory() as mails, Sink(folder, mails, options=("-w", "1")) as sink:
        closed = account("A0", sink.address, free_port(sink.address))
        relay = Relay(folder, closed + account("Backup", sink.address, sink.port))
        fill(relay.spool, chosen.moving, 1)
        with ended(relay):
            relay.start()
            with Probe(relay) as probe:
                moved = "SELECT NOT count(*) FROM delivery WHERE account = 'A0'"
                until(lambda: relay.value(moved), "all mails have moved", timeout=300)
                longest = probe.take()
    yield Figure(f"longest stall, {chosen.moving} mails move", longest, "ms", 100)


@contextlib.contextmanager
def _relay_to_sink(folder, chosen, *options):
    limits = f"max_recipients = {chosen.recipients}\n"
    with (
        memory() as mails,
        Sink(folder, mails, options=options) as sink,
        ended(Relay(folder, account("A", sink.address, sink.port), settings=limits)) as relay,
    ):
        relay.start()
        yield relay, sink


def _longest(relay, probe, *, size=4096, recipients=1):
    """Return the longest stall, of the time when the machine had least else to do."""
    longest = []
    for _ in range(Stall.rounds):
        probe.take()
        send(relay, messages=1, size=size, recipients=recipients)
        _left(relay)
        longest.append(probe.take())
    return min(longest)


def _left(relay):
    until(lambda: relay.waiting() == 0, "all mails have left", timeout=300)


# Memory over a long time.


@attrs.frozen(kw_only=True)
class Flat:
    """How many mails, and after how many the memory is compared with that at the end."""

    mails: int = 500_000
    base: int = 100_000
    size: int = 4096


def flat(folder, chosen):
    """Compare the memory after many mails with that after some."""
    sizes = {}
    with (
        Blackhole(folder) as sink,
        ended(Relay(folder, account("A", sink.address, sink.port, max_connections=20))) as relay,
    ):
        relay.start()
        for sent in range(chosen.base // 5, chosen.mails + 1, chosen.base // 5):
            send(relay, messages=chosen.base // 5, size=chosen.size, sessions=10)
            _left(relay)
            sizes[sent] = Footprint(relay.process.pid).memory()
            print(f"{sent} mails: {sizes[sent]:.1f} MiB", flush=True)
    growth = sizes[max(sizes)] - sizes[chosen.base]
    yield Figure(f"growth from {chosen.base} to {max(sizes)} mails", growth, "MiB", 5)


class Blackhole(Sink):
    """An smtp-sink that keeps nothing."""

    def command(self):
        command = super().command()
        template = command.index("-d")
        return command[:template] + command[template + 2 :]


# What they share.


@contextlib.contextmanager
def memory():
    """Give a place for the files of a sink."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        yield Path(folder) / "mails"


@contextlib.contextmanager
def ended(relay):
    """Let a relay not outlive the block, whoever starts it."""
    try:
        yield relay
    finally:
        if relay.process is not None:
            relay.__exit__(None, None, None)


def _subfolder(folder, name):
    path = folder / name
    path.mkdir()
    return path


def send(relay, *, messages, size, sessions=1, recipients=1):
    """Hand mails in with smtp-source."""
    sent = run(
        *("smtp-source", "-s", sessions, "-m", messages, "-l", size, "-r", recipients),
        *("-N", "-f", "boss@0.example", "-t", "-@customer.example"),
        *(["-d"] if messages > sessions else []),
        f"inet:{relay.address}:{relay.port}",
        timeout=900,
    )
    if sent.returncode:
        raise RuntimeError(f"the mails were not taken: {sent.stdout}\n{relay.last_words()}")


ROWS = {
    "waiting": (waiting, Waiting),
    "large-clients": (large_clients, LargeClients),
    "stall": (stall, Stall),
    "flat": (flat, Flat),
}


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.growth",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", help="on the disk to be used; default: for temporary files")
    commands = parser.add_subparsers(dest="row", required=True, metavar="ROW")
    for name, (measure, load) in ROWS.items():
        command = commands.add_parser(name, help=measure.__doc__, description=measure.__doc__)
        for field in attrs.fields(load):
            option = f"--{field.name}"
            if isinstance(field.default, bool):
                command.add_argument(option, action="store_true")
            else:
                command.add_argument(option, type=int, default=field.default)
    chosen = vars(parser.parse_args())
    folder, name = chosen.pop("folder"), chosen.pop("row")
    measure, load = ROWS[name]
    figures = []
    with tempfile.TemporaryDirectory(dir=folder) as place:
        for figure in measure(Path(place), load(**chosen)):
            print(figure, flush=True)
            figures.append(figure)
    sys.exit(not all(figure.kept for figure in figures))


if __name__ == "__main__":
    main()
