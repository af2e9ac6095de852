"""The power of the spool's disk is cut under load: what has got its 250 arrives.

The same with a relay whose fsync does nothing has to lose mail, or the run would prove nothing.
"""

from __future__ import annotations

import ctypes.util
import random
import tempfile
import time
from pathlib import Path

import attrs

from tests.endurance.audit import Audit, show
from tests.endurance.disk import CannotMountError, Disk
from tests.endurance.interruptions import all_read, drained
from tests.interop import programs
from tests.interop.clients import Clients
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

#: Makes fsync and its like do nothing: https://www.flamingspork.com/projects/libeatmydata/
NO_FSYNC = "libeatmydata.so.1"
#: Seconds until the power is cut.
LONGEST_LIFE = 3.0
#: Few, so that mail is waiting in the spool.
CONNECTIONS = 1


@attrs.frozen(kw_only=True)
class Cut:
    """One power cut.

    :param on_the_way: mails that had got their 250 and had not arrived when the power was cut.
    :param waiting: what is left in the spool in the end.
    """

    audit: Audit
    on_the_way: int
    waiting: int

    def __str__(self):
        figures = {**self.audit.figures(), "on the way": self.on_the_way}
        return ", ".join(f"{name} {figure}" for name, figure in figures.items())


def add_options(parser):
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))


def run(folder, options):
    moments = random.Random(options.seed)
    cuts, without = [], []
    try:
        for number in range(1, options.times + 1):
            for each, fsync in ((cuts, True), (without, False)):
                with tempfile.TemporaryDirectory(dir=folder) as empty:
                    each.append(cut(Path(empty), moments.uniform(0.2, LONGEST_LIFE), fsync=fsync))
                print(f"{number} {'with' if fsync else 'without'} fsync: {each[-1]}", flush=True)
    except CannotMountError as error:
        print(f"skipped: {error}")
        return ()
    show(
        {
            "seed": options.seed,
            "power cuts": len(cuts),
            "accepted": sum(len(each.audit.accepted) for each in cuts),
            "lost": sum(len(each.audit.lost) for each in cuts),
            "lost without fsync": sum(len(each.audit.lost) for each in without),
        }
    )
    return violations(cuts, without)


def violations(cuts, without):
    for number, each in enumerate(cuts, 1):
        if each.audit.lost or each.waiting:
            yield f"power cut {number}: {len(each.audit.lost)} mails lost, {each.waiting} rows left"
    if not any(each.on_the_way for each in cuts):
        yield "nothing was on its way at any power cut: there was nothing to be lost"
    if not any(each.audit.lost for each in without):
        yield "without fsync nothing was lost either: the run proves nothing"


def cut(folder, life, *, fsync=True):
    """Let a relay run for so many seconds, cut its power, and go on with what its disk has then.

    :param folder: an empty one.
    :raise CannotMountError: it cannot be done on this machine.
    """
    if not fsync and ctypes.util.find_library("eatmydata") is None:
        raise CannotMountError(f"{NO_FSYNC} is not installed")
    with Sink(folder) as sink:
        settings = account("Sink", sink.address, sink.port, max_connections=CONNECTIONS)
        with Disk(folder / "image", folder / "before" / "disk") as disk:
            relay = Relay(folder / "before", settings, spool="disk/spool")
            if not fsync:
                relay.environment["LD_PRELOAD"] = NO_FSYNC
            with relay:
                # The empty spool is on the disk in any case.
                programs.run("sync", "--file-system", disk.folder)
                with Clients(relay) as clients:
                    time.sleep(life)
                    disk.cut_power()
                    relay.kill()
            disk.copy(folder / "image after")
        all_read(sink)
        accepted = frozenset(clients.acknowledged)
        before = Audit(accepted=accepted, arrivals=sink.arrivals())
        with (
            Disk(folder / "image after", folder / "after" / "disk"),
            Relay(folder / "after", settings, spool="disk/spool") as relay,
        ):
            waiting = drained(relay, sink)
        return Cut(
            audit=Audit(accepted=accepted, arrivals=sink.arrivals()),
            on_the_way=len(before.lost),
            waiting=waiting,
        )
