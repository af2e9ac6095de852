"""Rows that show that nothing, very large mail or mail for very many, stops the event loop.

The relay is one process here: clients of the front process would not notice what stops the queue.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time

from tests.benchmarks.growth import ended, fill, left, send, subfolder
from tests.benchmarks.row import Figure, Row, one_by_one
from tests.interop.programs import free_port, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

_SIZE, _RECIPIENTS, _MOVING = 50_000_000, 5000, 20_000
#: The least of so many counts, since the machine may do something else meanwhile.
_TIMES = 3
_ONE_PROCESS = "own_process = false\n"


class Probe(threading.Thread):
    """A client that says MAIL or RSET every 5 ms, and notes how long each reply took.

    In turns: commands that bring no mail on are limited, but RSET after MAIL is not.
    """

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
            for command in itertools.cycle((b"MAIL FROM:<boss@sales.example>\r\n", b"RSET\r\n")):
                if self._stopping:
                    break
                began = time.monotonic()
                client.sendall(command)
                if not client.recv(512):
                    raise RuntimeError("the relay hung up on the probe")
                self.worst = max(self.worst, time.monotonic() - began)
                time.sleep(self.pause)

    def take(self):
        """Return the worst time since the last call, in milliseconds."""
        worst, self.worst = self.worst, 0.0
        return worst * 1000


def _stall(bench):
    size, recipients = bench.scaled(_SIZE), bench.scaled(_RECIPIENTS)
    figures = {}
    with bench.folders() as (disk, memory):
        with _relay_to_sink(subfolder(disk, "taken"), memory / "taken") as (relay, sink, probe):
            figures["large"] = _longest(relay, probe, size=size)
            figures["many"] = _longest(relay, probe, recipients=recipients)
            arrived = len(sink.recipients())
        if arrived != _TIMES * (recipients + 1):
            raise RuntimeError(f"{arrived} recipients have got the mails")
        # Its own word for it, 500, would be about the account.
        refuses = ("-f", "RCPT", "-B", "550 5.1.1 Error: no such user")
        refusing = _relay_to_sink(subfolder(disk, "refused"), memory / "refused", *refuses)
        with refusing as (relay, _, probe):
            figures["refused"] = _longest(relay, probe, recipients=recipients)
        figures["moving"] = _moving(subfolder(disk, "moving"), memory / "moving", bench)
    return figures


@contextlib.contextmanager
def _relay_to_sink(folder, mails, *options):
    settings = f"max_recipients = {_RECIPIENTS}\n{_ONE_PROCESS}"
    with (
        Sink(folder, mails, options=options) as sink,
        ended(Relay(folder, account("A", sink.address, sink.port), settings=settings)) as relay,
    ):
        relay.start()
        with Probe(relay) as probe:
            time.sleep(0.5)
            yield relay, sink, probe


def _longest(relay, probe, *, size=4096, recipients=1):
    longest = []
    for _ in range(_TIMES):
        probe.take()
        send(relay, messages=1, size=size, recipients=recipients)
        left(relay)
        longest.append(probe.take())
    return min(longest)


def _moving(folder, mails, bench):
    """Let mails move from an account at fault to another one."""
    with Sink(folder, mails, options=("-w", "1")) as sink:
        closed = account("A0", sink.address, free_port(sink.address))
        backup = account("Backup", sink.address, sink.port)
        relay = Relay(folder, closed + backup, settings=_ONE_PROCESS)
        fill(relay.spool, bench.scaled(_MOVING), 1)
        with ended(relay):
            relay.start()
            with Probe(relay) as probe:
                moved = "SELECT NOT count(*) FROM delivery WHERE account = 'A0'"
                until(lambda: relay.value(moved), "all mails have moved", timeout=300)
                return probe.take()


def _figure(what):
    return Figure(unit=f"ms at most, {what}", limit=100, better="less")


ROWS = (
    Row(
        name="stall",
        about="what a client that says MAIL or RSET every 5 ms waits for a reply (in one process)",
        sides=("multisendcon",),
        figures={
            "large": _figure("a mail of 50 MB"),
            "many": _figure("one for 5,000 recipients"),
            "refused": _figure("one for 5,000, all refused"),
            "moving": _figure("20,000 mails move to another account"),
        },
        measure=one_by_one(lambda _, bench: _stall(bench)),
    ),
)

CURVES = ()
