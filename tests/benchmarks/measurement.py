"""One measurement: a load of mails through a server to a sink, timed and checked."""

from __future__ import annotations

import collections
import os
import subprocess
import time

import attrs

from tests.benchmarks.row import in_turns
from tests.interop.processes import tree_seconds
from tests.interop.programs import run

#: Mails that are sent before the measured ones: processes are started, connections opened.
WARM_UP = 300
#: Seconds after which a server counts as hung that takes no mail to the sink.
_PATIENCE = 60.0
#: Seconds that smtp-source may take in all.
_LONGEST = 300.0
#: Looking for what has arrived is to take no more than this share of a processor.
_SHARE = 0.05


@attrs.frozen(kw_only=True)
class Load:
    """What is sent.

    :param size: octets of each mail's body.
    :param sessions: of smtp-source, side by side.
    :param recipients: of each mail.
    """

    messages: int
    size: int = 4096
    sessions: int = 10
    recipients: int = 1


def addresses(load, bursts=1):
    """Return the recipients of all mails that a server gets, those of the warm-up first."""
    loads = [_warm_up(load), *[(load, name) for name in _names(bursts)]]
    return [
        f"{number}-{name}@customer.example"
        for part, name in loads
        for number in range(1, part.messages * part.recipients + 1)
    ]


def measure(server, sink, load):
    """Measure a server that runs and delivers to a sink; it is stopped then.

    :return: messages per second `accepted`, until smtp-source had its last reply, and `through`,
        until the sink had the last message; milliseconds of `cpu` for each message, of the server's
        whole process tree; share of a processor that the `sink` took.
    :raise RuntimeError: the server hangs; a message is missing, or has arrived twice.
    """
    (figures,) = measure_in_turns([(server, sink)], load)
    return figures


def measure_in_turns(pairs, load, bursts=1):
    """Measure servers that run side by side, as `measure` does.

    The machine's speed changes from second to second.  So each server gets so many bursts, in
    turns with the others; those that have none do nothing meanwhile.

    :param pairs: servers, and their sinks.
    :param load: of each burst.
    :return: the figures of each server.
    """
    sides = [_Side(server, sink) for server, sink in pairs]
    for side in sides:
        side.take(*_warm_up(load))
    taken = [(side, []) for side in sides]
    for number, name in enumerate(_names(bursts)):
        for side, costs in in_turns(taken, number):
            costs.append(side.take(load, name))
    expected = addresses(load, bursts)
    for side in sides:
        side.server.stop()
        _check(side.server, side.sink, expected)
    return [_figures(costs, load.messages * bursts) for _, costs in taken]


def _warm_up(load):
    return attrs.evolve(load, messages=WARM_UP, size=4096, recipients=1), "warm-up"


def _names(bursts):
    return [f"measured-{number}" for number in range(1, bursts + 1)]


@attrs.frozen(kw_only=True)
class _Cost:
    """The seconds that a burst has taken."""

    accepted: float
    through: float
    cpu: float
    sink: float


def _figures(costs, messages):
    total = {
        field.name: sum(getattr(cost, field.name) for cost in costs)
        for field in attrs.fields(_Cost)
    }
    return {
        "accepted": messages / total["accepted"],
        "through": messages / total["through"],
        "cpu": total["cpu"] * 1000 / messages,
        "sink": total["sink"] / total["through"],
    }


@attrs.define
class _Side:
    """A server with its sink, and how many mails it has got."""

    server: object
    sink: object
    messages: int = 0

    def take(self, load, name):
        """Send a burst through it; all of it has arrived then, and the server is at rest."""
        try:
            return self._take(load, name)
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(
                f"{self.server.name}: {error}; {self.sink.count()} mails are at the sink; "
                f"its log ends with\n{self.server.last_words()}"
            ) from error

    def _take(self, load, name):
        # What the others have left to write is not to be paid for here.
        os.sync()
        cpu, sink = _cpu_at_rest(self.server), tree_seconds(self.sink.process.pid)
        begin = time.monotonic()
        _send(self.server, load, name)
        accepted = time.monotonic() - begin
        self.messages += load.messages
        _arrived(self.sink, self.messages)
        through = time.monotonic() - begin
        return _Cost(
            accepted=accepted,
            through=through,
            sink=tree_seconds(self.sink.process.pid) - sink,
            cpu=_cpu_at_rest(self.server) - cpu,
        )


def _send(server, load, name):
    sent = run(
        *("smtp-source", "-d", "-s", load.sessions, "-m", load.messages, "-l", load.size),
        *("-r", load.recipients, "-N", "-f", "boss@sales.example"),
        *("-t", f"-{name}@customer.example"),
        f"inet:{server.address}:{server.port}",
        timeout=_LONGEST,
    )
    if sent.returncode:
        raise RuntimeError(f"{server.name} did not take the mails: {sent.stdout}")


def _arrived(sink, count):
    """Wait until so many mails are at the sink."""
    before, changed = -1, time.monotonic()
    while True:
        begin = time.monotonic()
        here = sink.count()
        if here >= count:
            return
        now = time.monotonic()
        if here > before:
            before, changed = here, now
        elif now - changed > _PATIENCE:
            raise TimeoutError(f"no mail has come through for {_PATIENCE:.0f} s")
        time.sleep(max(0.01, (now - begin) / _SHARE))


def _cpu_at_rest(server):
    """Wait until the server has nothing to do, and return the CPU seconds that it has taken."""
    deadline = time.monotonic() + _PATIENCE
    before = -1.0
    while (now := tree_seconds(server.process.pid)) > before:
        if time.monotonic() > deadline:
            raise TimeoutError(f"it does not come to rest within {_PATIENCE:.0f} s")
        before = now
        time.sleep(0.3)
    return now


def _check(server, sink, expected):
    arrived = collections.Counter(sink.recipients())
    if arrived != dict.fromkeys(expected, 1) or server.waiting():
        raise RuntimeError(
            f"{server.name}: {len(set(expected) - set(arrived))} recipients got no mail, "
            f"{arrived.total() - len(arrived)} got one twice, {server.waiting()} mails wait"
        )
