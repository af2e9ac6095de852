"""One measurement: a load of mails through a server to an smtp-sink, timed and checked."""

from __future__ import annotations

import collections
import time

import attrs

from tests.benchmarks.cpu import tree_seconds
from tests.interop.programs import run, until

#: Mails that are sent before the measured ones: processes are started, connections opened.
WARM_UP = 300


@attrs.frozen(kw_only=True)
class Load:
    """What is sent.

    :param size: octets of each mail's body.
    :param sessions: of smtp-source, side by side.
    """

    messages: int
    size: int
    sessions: int


@attrs.frozen(kw_only=True)
class Figures:
    """What came out.

    :param accepted: messages per second, until smtp-source had its last reply.
    :param through: messages per second, until smtp-sink had the last message.
    :param cpu: milliseconds of CPU for each message, of the server's whole process tree.
    """

    accepted: float
    through: float
    cpu: float


def measure(server, sink, load):
    """Measure a server that runs and delivers to a sink.

    :raise RuntimeError: a message is missing, or has arrived twice.
    """
    try:
        return _measure(server, sink, load)
    except TimeoutError as error:
        raise RuntimeError(
            f"{server.name}: {error}; {sink.count()} did; its log ends with\n{server.last_words()}"
        ) from error


def _measure(server, sink, load):
    _send(server, attrs.evolve(load, messages=WARM_UP), "warm-up")
    until(lambda: sink.count() >= WARM_UP, "the first mails arrive")
    cpu_before = _cpu_at_rest(server)

    begin = time.monotonic()
    _send(server, load, "measured")
    accepted = time.monotonic() - begin
    until(lambda: sink.count() >= WARM_UP + load.messages, "all mails arrive", timeout=600)
    through = time.monotonic() - begin
    cpu = _cpu_at_rest(server) - cpu_before

    server.stop()
    _check(server, sink, load)
    return Figures(
        accepted=load.messages / accepted,
        through=load.messages / through,
        cpu=cpu * 1000 / load.messages,
    )


def _send(server, load, name):
    sent = run(
        *("smtp-source", "-d", "-s", load.sessions, "-m", load.messages, "-l", load.size),
        *("-N", "-f", "boss@sales.example", "-t", f"-{name}@customer.example"),
        f"inet:{server.address}:{server.port}",
        timeout=600,
    )
    if sent.returncode:
        raise RuntimeError(f"{server.name} did not take the mails: {sent.stdout}")


def _cpu_at_rest(server):
    """Wait until the server has nothing to do, and return the CPU seconds that it has taken."""
    before = -1.0
    while (now := tree_seconds(server.process.pid)) > before:
        before = now
        time.sleep(0.3)
    return now


def _check(server, sink, load):
    expected = {f"{n}-measured@customer.example" for n in range(1, load.messages + 1)}
    expected |= {f"{n}-warm-up@customer.example" for n in range(1, WARM_UP + 1)}
    arrived = collections.Counter(sink.recipients())
    if arrived != dict.fromkeys(expected, 1) or server.waiting():
        raise RuntimeError(
            f"{server.name}: {len(expected - set(arrived))} mails are missing, "
            f"{arrived.total() - len(arrived)} have arrived twice, {server.waiting()} wait"
        )
