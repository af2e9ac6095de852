"""How many Python calls a mail takes: `python -m tests.benchmarks.calls`.

Counts the functions written in Python that are called for each mail of 4 KiB over ten sessions, in
the front process and in twistd with all its threads: ours, Twisted's, the standard library's, those
that attrs generates.  Unlike a time, that is nearly the same on every machine.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import socket
import sqlite3
import tempfile
import time
from pathlib import Path

import attrs

from multisendcon_plugin.dns import Mx
from multisendcon_plugin.relay.factory import IDLE
from tests.benchmarks.lockstep import LockStep
from tests.dns.network import Zones
from tests.interop.dns.block import SMTP, Block
from tests.interop.dns.scripted import ScriptedServer
from tests.interop.programs import ROOT, until
from tests.interop.relay import Relay, account

#: The folder that is put on the path of both processes.
_HOOK = Path(__file__).with_name("hook")
_REACTOR = "reactor"
_SESSIONS = 10
_SIZE = 4096
#: Mails through each session: before the counted ones, and the counted ones.
_WARM_UP, _COUNTED = 5, 40
#: Warm-ups at most.
_TRIES = 5
#: Seconds for which answers of the DNS may be kept.
_HOUR = 3600
_NO_HISTORY = "[history]\nkeep = 0\n"
_DIRECT = """
[dns]
allow_private = true
servers = ["{names}"]
[[account]]
name = "Direct"
type = "direct"
max_mails_per_connection = {mails}
"""


@attrs.frozen
class Calls:
    """What one process does for a mail, on average.

    :param functions: calls by room, module and name.
    :param crossings: calls from a room into another, by both, and whether the trip was there
        before.
    """

    functions: dict[tuple[str, str, str], float]
    crossings: dict[tuple[str, str, bool], float]

    @property
    def total(self):
        """All calls."""
        return sum(self.functions.values())

    @property
    def modules(self):
        """The modules of ours that mails enter, be it one by one or in a batch of all sessions."""
        entered = collections.Counter()
        for (room, module, _), number in self.functions.items():
            if room not in ("twisted", "library"):
                entered[module] += number
        return sorted(module for module, number in entered.items() if number >= 1 / _SESSIONS)

    @property
    def changes(self):
        """Calls from one room into another, beside those that the reactor begins a trip with."""
        return sum(n for (caller, *_), n in self.crossings.items() if caller != _REACTOR)

    @property
    def returns(self):
        """Calls from one room into another that the same trip was in before."""
        return sum(n for (*_, again), n in self.crossings.items() if again)

    def table(self, top=0):
        """Return the figures as text, with so many functions, the most called ones first."""
        rooms, pairs = collections.Counter(), collections.Counter()
        for (room, *_), number in self.functions.items():
            rooms[room] += number
        for (caller, room, _), number in self.crossings.items():
            pairs[f"{caller} > {room}"] += number
        functions = collections.Counter(
            {f"{module} {name}": number for (_, module, name), number in self.functions.items()}
        )
        return "\n".join(
            [
                f"{self.total:.1f} calls: {_listed(rooms)}",
                f"{len(self.modules)} modules: {', '.join(self.modules)}",
                f"{self.changes:.1f} changes of room, {self.returns:.1f} returns: {_listed(pairs)}",
                *(f"{number:8.2f}  {name}" for name, number in functions.most_common(top)),
            ]
        )


class _CountedRelay(Relay):
    """A relay whose processes count their calls."""

    def __init__(self, folder, configuration, *, history):
        super().__init__(folder, configuration if history else f"{_NO_HISTORY}{configuration}")
        self._history = history
        self.environment = {"PYTHONPATH": os.pathsep.join([str(_HOOK), str(ROOT)])}

    def counted(self, mails):
        """Return by process what it has counted, when nothing is under way.

        :param mails: so many were sent until now.
        """
        until(lambda: self.waiting() == 0, "all mails have left the spool")
        if self._history:
            until(lambda: self._told() == mails, "the history tells of all")
        (front,) = self.children()
        return {"front": _ask(front), "core": _ask(self.process.pid)}

    def _told(self):
        """Count the attempts that the history tells of."""
        with contextlib.closing(sqlite3.connect(self.spool / "history.db")) as database:
            return database.execute(
                "SELECT count(*) FROM piece, json_each(records) WHERE value ->> 0 = 'attempt'"
            ).fetchone()[0]


def count_calls(*, history=True):
    """Send mails through a relay, and count.

    :param history: whether the relay has one.
    :return: the `Calls` of each process by its name, "front" and "core".
    """
    with LockStep(_SESSIONS, _SIZE) as peers:
        sink = account("Sink", peers.address, peers.port, max_connections=_SESSIONS)
        return _count(peers, sink, history=history)


def count_direct_calls(*, anew):
    """Send mails to as many domains as there are sessions, whose mail servers the DNS names.

    What the DNS says is known before, and the relay has a history.

    :param anew: there is a new session for each mail.
    :return: as `count_calls`.
    """
    numbers = range(_SESSIONS)
    with Block() as block:
        addresses = [block[10 + number] for number in numbers]
        zones = {f"d{n}.example": {"MX": [Mx(10, f"mx.d{n}.example")]} for n in numbers}
        zones |= {f"mx.d{n}.example": {"A": [address]} for n, address in enumerate(addresses)}
        answer = Zones(zones, ttl=_HOUR, minimum=_HOUR)
        with (
            ScriptedServer(lambda asked: answer(asked.query)) as names,
            LockStep(
                _SESSIONS,
                _SIZE,
                recipients=[f"someone@d{number}.example" for number in numbers],
                listen=[(address, SMTP) for address in addresses],
                anew=anew,
            ) as peers,
        ):
            direct = _DIRECT.format(names=names.endpoint, mails=1 if anew else 100)
            return _count(peers, direct, history=True)


def _count(peers, configuration, *, history):
    with (
        tempfile.TemporaryDirectory() as folder,
        _CountedRelay(Path(folder), configuration, history=history) as relay,
    ):
        peers.connect(relay.address, relay.port)
        for number in range(1, _TRIES + 1):
            peers.send(_WARM_UP)
            ended = time.monotonic()
            mails = number * _WARM_UP * _SESSIONS
            before = relay.counted(mails)
            if time.monotonic() - ended < IDLE / 2:
                break
            # The machine is so busy that the relay may give up its sessions with the server.
            peers.end_sessions()
        peers.send(_COUNTED)
        after = relay.counted(mails + _COUNTED * _SESSIONS)
    return {name: _calls(before[name], after[name]) for name in after}


def _ask(pid):
    """Return what a process has counted, by what it counts."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"\0multisendcon-calls-{pid}")
        with connection.makefile("rb") as answer:
            result = json.load(answer)
    counted = {what: collections.Counter() for what in result}
    for what, rows in result.items():
        # Functions of one name are one.
        for *key, number in rows:
            counted[what][tuple(key)] += number
    return counted


def _calls(before, after):
    per_mail = {
        what: {
            key: number / (_COUNTED * _SESSIONS) for key, number in (counter - before[what]).items()
        }
        for what, counter in after.items()
    }
    return Calls(per_mail["calls"], per_mail["crossings"])


def _listed(counter):
    return ", ".join(f"{name} {number:.1f}" for name, number in counter.most_common())


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.calls", description=__doc__)
    parser.add_argument("--top", type=int, default=30, help="functions to list of each process")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--no-history", action="store_true", help="of a relay that keeps none")
    which.add_argument(
        "--direct",
        choices=("kept", "anew"),
        help="of mails to the servers of their recipients, over sessions that are kept or new ones",
    )
    chosen = parser.parse_args()
    if chosen.direct:
        calls = count_direct_calls(anew=chosen.direct == "anew")
    else:
        calls = count_calls(history=not chosen.no_history)
    for name, each in calls.items():
        print(f"{name}: {each.table(chosen.top)}\n")
    print(f"{sum(each.total for each in calls.values()):.1f} calls for each mail in all")


if __name__ == "__main__":
    main()
