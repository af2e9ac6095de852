"""Rows that show what does not grow with the load: time and memory.

A million waiting mails, two hundred large ones at once, half a million one after the other.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.json_form import texts_of
from multisendcon_plugin.mail.message import NewMessage, Recipient, parcels
from multisendcon_plugin.spool import rows
from multisendcon_plugin.spool.database import open_database
from multisendcon_plugin.spool.keys import new_deliveries
from tests.benchmarks.row import Curve, Figure, Row, in_turns, one_by_one
from tests.endurance.footprint import Footprint
from tests.interop.programs import run, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

_HEADER = b"Received: by there\r\nFrom: <boss@sales.example>\r\nSubject: waits\r\n"
_CONTENT = _HEADER + b"\r\n" + 14 * (70 * b"x" + b"\r\n")
#: A server that takes a second for each mail, so that the others go on waiting.
_SLOW = ("-w", "1")
_SIDES = ("multisendcon",)
_CLIENTS, _LARGE = 200, 25_000_000
_BURSTS = 4
#: After so many mails the memory is looked at, and after as many more, and so on.
_SOME, _STEPS = 100_000, 5


# Waiting.


def _waiting(mails, accounts, bench):
    """Start a relay on a spool in which mails wait, and hand in more."""
    burst = bench.scaled(2000)
    with bench.folders() as (disk, memory), Sink(disk, memory / "mails", options=_SLOW) as sink:
        settings = "".join(
            account(f"A{n}", sink.address, sink.port, senders=f'["*@{n}.example"]')
            for n in range(accounts)
        )
        with ended(Relay(subfolder(disk, "full"), settings)) as full:
            fill(full.spool, mails, accounts)
            began = time.monotonic()
            full.start()
            with socket.create_connection((full.address, full.port), 60) as client:
                client.recv(512)
            figures = {"greeting": time.monotonic() - began}
            until(sink.count, "the first mail arrives")
            figures["delivery"] = time.monotonic() - began
            with ended(Relay(subfolder(disk, "empty"), settings)) as empty:
                empty.start()
                seconds = _taken_in_turns((full, empty), burst)
            figures["accepted"] = _BURSTS * burst / seconds[full]
            figures["kept"] = seconds[empty] / seconds[full]
            figures["memory"] = Footprint(full.process.pid).peak()
    return figures


def _taken_in_turns(relays, messages):
    """Hand mails in at both in turns, and return the seconds that each took in all."""
    seconds = dict.fromkeys(relays, 0.0)
    for number in range(_BURSTS):
        for relay in in_turns(relays, number):
            began = time.monotonic()
            send(relay, messages=messages, size=4096, sessions=10)
            seconds[relay] += time.monotonic() - began
    return seconds


def fill(spool, count, accounts):
    """Let mails wait in a spool that no relay has open, those of each account in turns.

    All of it is on the disk in the end: what the system still had to write would take its time
    from what is measured then.
    """
    spool.mkdir(mode=0o700)
    first = int(time.time() * 10_000) - count
    with contextlib.closing(open_database(spool / "spool.db")) as database:
        database.execute("PRAGMA synchronous = OFF")
        for start in range(0, count, 10_000):
            database.execute("BEGIN")
            for n in range(start, min(start + 10_000, count)):
                rows.add(database, _waiting_mail(first + n, n % accounts))
            database.execute("COMMIT")
    with (spool / "spool.db").open("rb") as file:
        os.fsync(file.fileno())


def _waiting_mail(number, n):
    recipient = f"{number}@customer.example"
    envelope = Envelope(reverse_path=f"boss@{n}.example", recipients=(recipient,))
    parcel = parcels([((f"A{n}", ""), Recipient(address=recipient, reason="sender matches"))])
    mail = NewMessage(envelope=envelope, content=_CONTENT, header_size=len(_HEADER), parcels=parcel)
    deliveries = new_deliveries(number, mail, size=len(_CONTENT), dots=0, arrived=number / 10_000)
    return rows.New(number, _CONTENT, deliveries, texts_of(envelope, parcel))


# Large mails.


def _large_clients(bench):
    """Take large mails from many clients at once, and deliver them."""
    clients = bench.scaled(_CLIENTS)
    limits = "max_connections_per_address = 1000\n"
    with (
        bench.folders() as (disk, memory),
        Sink(disk, memory / "mails") as sink,
        ended(Relay(disk, account("A", sink.address, sink.port), settings=limits)) as relay,
    ):
        relay.start()
        began = time.monotonic()
        send(relay, messages=clients, size=_LARGE, sessions=clients)
        left(relay)
        seconds = time.monotonic() - began
        most = Footprint(relay.process.pid).peak()
        arrived = sink.recipients()
        # The sink counts line ends as two octets, and keeps them as one.
        shortest = min(each.stat().st_size for each in (memory / "mails").iterdir())
    if not len(arrived) == len(set(arrived)) == clients or shortest < 0.97 * _LARGE:
        raise RuntimeError(
            f"of {clients} mails {len(set(arrived))} have arrived, {len(arrived)} times"
        )
    return {"memory": most, "rate": clients * _LARGE / 1e6 / seconds}


# Memory over a long time.


def _flat(bench):
    """Compare the memory after many mails with that after some."""
    some = bench.scaled(_SOME)
    sizes = []
    with (
        bench.folders() as (disk, _),
        Blackhole(disk) as sink,
        ended(Relay(disk, account("A", sink.address, sink.port, max_connections=20))) as relay,
    ):
        relay.start()
        for _ in range(_STEPS):
            send(relay, messages=some, size=4096, sessions=10)
            left(relay)
            sizes.append(Footprint(relay.process.pid).memory())
    return {"first": sizes[0], "growth": sizes[-1] - sizes[0]}


class Blackhole(Sink):
    """An smtp-sink that keeps nothing."""

    def command(self):
        command = super().command()
        template = command.index("-d")
        return command[:template] + command[template + 2 :]


# What rows with a relay of their own share.


@contextlib.contextmanager
def ended(relay):
    """Let a relay not outlive the block, whoever starts it."""
    try:
        yield relay
    finally:
        if relay.process is not None:
            relay.__exit__(None, None, None)


def subfolder(folder, name):
    path = folder / name
    path.mkdir()
    return path


def left(relay):
    until(lambda: relay.waiting() == 0, "all mails have left", timeout=600)


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


_WAITING = {
    "greeting": Figure(unit="s from start to greeting", limit=3, better="less"),
    "delivery": Figure(unit="s from start to first delivery", limit=10, better="less"),
    "accepted": Figure(unit="messages/s accepted"),
    "kept": Figure(unit="of the rate with an empty spool", limit=0.8),
    "memory": Figure(unit="MiB resident at most", limit=200, better="less"),
}

ROWS = (
    Row(
        name="waiting",
        about="1,000,000 mails wait for one account, 8,000 more come in over 10 sessions",
        sides=_SIDES,
        figures=_WAITING,
        measure=one_by_one(lambda _, bench: _waiting(bench.scaled(1_000_000), 1, bench)),
    ),
    Row(
        name="waiting-100",
        about="the same, for 100 accounts in turns",
        sides=_SIDES,
        figures=_WAITING,
        measure=one_by_one(lambda _, bench: _waiting(bench.scaled(1_000_000), 100, bench)),
    ),
    Row(
        name="large-clients",
        about="200 clients hand in 25 MB each at the same time",
        sides=_SIDES,
        figures={
            "memory": Figure(unit="MiB resident at most", limit=200, better="less"),
            "rate": Figure(unit="MB/s through"),
        },
        measure=one_by_one(lambda _, bench: _large_clients(bench)),
    ),
    Row(
        name="flat",
        about="500,000 mails of 4 KiB over 10 sessions",
        sides=_SIDES,
        figures={
            "first": Figure(unit="MiB resident after 100,000"),
            "growth": Figure(unit="MiB more after 500,000", limit=5, better="less"),
        },
        measure=one_by_one(lambda _, bench: _flat(bench)),
        usual=False,
    ),
)

CURVES = (
    Curve(
        name="waiting",
        scale="waiting mails",
        points=(1000, 10_000, 100_000, 1_000_000),
        sides=_SIDES,
        figures={key: _WAITING[key].unit for key in ("greeting", "accepted", "memory")},
        measure=lambda _, point, bench: _waiting(bench.scaled(point), 1, bench),
    ),
)
