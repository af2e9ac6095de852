"""One measurement: a load of mails through a server to a sink, timed and checked."""

from __future__ import annotations

import collections
import subprocess
import time

import attrs

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


def measure(server, sink, load):
    """Measure a server that runs and delivers to a sink; it is stopped then.

    :return: messages per second `accepted`, until smtp-source had its last reply, and `through`,
        until the sink had the last message; milliseconds of `cpu` for each message, of the server's
        whole process tree; share of a processor that the `sink` took.
    :raise RuntimeError: the server hangs; a message is missing, or has arrived twice.
    """
    try:
        return _measure(server, sink, load)
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(
            f"{server.name}: {error}; {sink.count()} mails are at the sink; "
            f"its log ends with\n{server.last_words()}"
        ) from error


def _measure(server, sink, load):
    _send(server, attrs.evolve(load, messages=WARM_UP, size=4096, recipients=1), "warm-up")
    _arrived(sink, WARM_UP)
    cpu_before = _cpu_at_rest(server)
    sink_before = tree_seconds(sink.process.pid)

    begin = time.monotonic()
    _send(server, load, "measured")
    accepted = time.monotonic() - begin
    _arrived(sink, WARM_UP + load.messages)
    through = time.monotonic() - begin
    sink_cpu = tree_seconds(sink.process.pid) - sink_before
    cpu = _cpu_at_rest(server) - cpu_before

    server.stop()
    _check(server, sink, load)
    return {
        "accepted": load.messages / accepted,
        "through": load.messages / through,
        "cpu": cpu * 1000 / load.messages,
        "sink": sink_cpu / through,
    }


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


def _check(server, sink, load):
    addressed = load.messages * load.recipients
    expected = {f"{n}-measured@customer.example" for n in range(1, addressed + 1)}
    expected |= {f"{n}-warm-up@customer.example" for n in range(1, WARM_UP + 1)}
    arrived = collections.Counter(sink.recipients())
    if arrived != dict.fromkeys(expected, 1) or server.waiting():
        raise RuntimeError(
            f"{server.name}: {len(expected - set(arrived))} recipients got no mail, "
            f"{arrived.total() - len(arrived)} got one twice, {server.waiting()} mails wait"
        )
