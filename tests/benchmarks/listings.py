"""The row that shows that looking at a long queue costs neither memory nor the mail's time.

The relay is one process here: clients of the front process would not notice what stops the queue.
"""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext

from tests.benchmarks.growth import ended, fill, send, subfolder
from tests.benchmarks.row import Figure, Row, in_turns, one_by_one
from tests.benchmarks.stalls import Probe
from tests.endurance.footprint import Footprint
from tests.interop.programs import free_port, until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink
from tests.web.live import Control

_WAITING, _MANY = 200_000, 1_000_000
#: Many, since the machine's speed changes from second to second.
_BURSTS = 20
#: The least of so many counts, since the machine may do something else meanwhile.
_TIMES = 3


def _listings(bench):
    with bench.folders() as (disk, _):
        return (
            _begins(subfolder(disk, "waiting"), bench)
            | _kept(subfolder(disk, "kept"), bench)
            | _all(subfolder(disk, "many"), bench)
        )


def _relay(folder, count):
    nobody = account("A0", Relay.address, free_port(Relay.address))
    relay = Relay(folder, nobody, settings="own_process = false\n")
    fill(relay.spool, count, 1)
    return relay


def _begins(folder, bench):
    with ended(_relay(folder, bench.scaled(_WAITING))) as relay:
        _start(relay)
        began = time.monotonic()
        with Control(relay.spool).ask("GET", "queue") as listing:
            listing.readline()
            begins = time.monotonic() - began
        began = time.monotonic()
        Control(relay.spool).json("GET", "status")
        status = 1000 * (time.monotonic() - began)
        with Probe(relay) as probe:
            stall = min(_longest(relay, probe) for _ in range(_TIMES))
        return {"begins": begins, "status": status, "stall": stall}


def _longest(relay, probe):
    """Return what a client waits at most while all is listed, in milliseconds."""
    probe.take()
    with Control(relay.spool).ask("GET", "queue") as listing:
        for _ in listing:
            pass
    return probe.take()


def _kept(folder, bench):
    """Hand mails in, in turns while the queue is listed again and again, and while it is not."""
    nobody = account("A0", Relay.address, free_port(Relay.address))
    seconds = {True: 0.0, False: 0.0}
    with Sink(folder, folder / "mails") as sink:
        new = account("A1", sink.address, sink.port, recipients='["*@customer.example"]')
        relay = Relay(folder, new + nobody)
        fill(relay.spool, bench.scaled(_WAITING), 1)
        with ended(relay):
            _start(relay)
            # Sessions are opened, and the code is warm: else the first burst would pay for it.
            send(relay, messages=bench.scaled(1000), size=4096, sessions=10)
            for burst in range(_BURSTS):
                for listed in in_turns((True, False), burst):
                    with Lister(relay) if listed else nullcontext():
                        began = time.monotonic()
                        send(relay, messages=bench.scaled(1000), size=4096, sessions=10)
                        seconds[listed] += time.monotonic() - began
    return {"kept": seconds[False] / seconds[True]}


class Lister(threading.Thread):
    """Lists the queue again and again."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self._spool = relay.spool
        self._stopping = False

    def __enter__(self):
        self.start()

    def __exit__(self, *_):
        self._stopping = True
        self.join()

    def run(self):
        while not self._stopping:
            with Control(self._spool).ask("GET", "queue") as listing:
                for _ in listing:
                    if self._stopping:
                        break


def _all(folder, bench):
    """List all, once as it comes, and once without reading on."""
    count = bench.scaled(_MANY)
    with ended(_relay(folder, count)) as relay:
        _start(relay)
        time.sleep(5)
        with Footprint(relay.process.pid) as footprint:
            began = time.monotonic()
            with Control(relay.spool).ask("GET", "queue") as listing:
                listed = sum(1 for _ in listing)
            seconds = time.monotonic() - began
            with Control(relay.spool).ask("GET", "queue") as listing:
                listing.readline()
                time.sleep(5)
    if listed != count:
        raise RuntimeError(f"{listed} of {count} deliveries are in the list")
    grown = footprint.figures.peak - footprint.figures.before
    return {"rows": count / seconds, "memory": grown}


def _start(relay):
    relay.start()
    until((relay.spool / "control.sock").exists, "the control socket is there")


ROWS = (
    Row(
        name="listing",
        about="a queue of 200,000 or 1,000,000 is looked at (in one process)",
        sides=("multisendcon",),
        figures={
            "begins": Figure(unit="s until the list of 200,000 begins", limit=1, better="less"),
            "status": Figure(unit="ms for the status with 200,000", limit=200, better="less"),
            "kept": Figure(unit="of the rate of new mail while 200,000 are listed", limit=0.9),
            "rows": Figure(unit="rows/s of 1,000,000"),
            "memory": Figure(unit="MiB more than before", limit=20, better="less"),
            "stall": Figure(
                unit="ms at most that a client waits meanwhile", limit=100, better="less"
            ),
        },
        measure=one_by_one(lambda _, bench: _listings(bench)),
    ),
)

CURVES = ()
