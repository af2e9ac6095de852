"""A provider comes back from an outage, and thousands of mails wait for it in one account.

While it answers 421 instead of its greeting, it is to see one connection for each of the growing
pauses; when it is back, never more sessions than allowed, a few at first, and each mail once.
"""

from __future__ import annotations

import collections
import itertools
import time

from tests.endurance.footprint import Footprint
from tests.interop.programs import run as run_program
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.watched import BUSY, SERVE, WatchedProvider

#: Seconds of rest after the first fault; each further one is twice as long.
FIRST_REST = 30.0


def add_options(parser):
    parser.add_argument("--mails", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=4096, help="octets of a mail")
    parser.add_argument("--seconds", type=float, default=80, help="of the outage")
    parser.add_argument("--connections", type=int, default=20, help="of the account")
    parser.add_argument("--together", type=int, default=50, help="connections of all accounts")


def run(folder, options):
    with WatchedProvider(folder, "127.0.1.1") as provider:
        provider.behave(BUSY)
        settings = account(
            "A", provider.address, provider.port, max_connections=options.connections
        )
        together = f"[delivery]\nmax_connections = {options.together}\n"
        with Relay(folder, together + settings) as relay:
            back = _suffer(relay, provider, options)
            until(lambda: len(provider.taken) >= options.mails, "all mails are here", timeout=1200)
            print(f"memory at the end: {_memory(relay)}")
            relay.stop()
            left = relay.waiting()
    return [
        *_judge_probes(provider, back),
        *_judge_sessions(provider, back, options),
        *_judge_mails(provider, options, left),
    ]


def _suffer(relay, provider, options):
    """Hand all mail in during the outage; return when it was over."""
    print(f"memory without mail: {_memory(relay)}")
    began = time.monotonic()
    sent = run_program(
        *("smtp-source", "-d", "-s", 10, "-m", options.mails, "-l", options.size),
        *("-N", "-f", "boss@sales.example", "-t", "-@customer.example"),
        f"inet:{relay.address}:{relay.port}",
        timeout=600,
    )
    if sent.returncode:
        raise RuntimeError(f"the mails were not taken: {sent.stdout}")
    print(f"handed in: {options.mails} mails in {time.monotonic() - began:.1f} s")
    print(f"memory with all of them waiting: {_memory(relay)}")
    time.sleep(max(0.0, began + options.seconds - time.monotonic()))
    provider.behave(SERVE)
    return time.monotonic()


def _memory(relay):
    """Return what is in memory of the relay, now and at most."""
    footprint = Footprint(relay.process.pid)
    return f"{footprint.memory():.0f} MiB, {footprint.peak():.0f} MiB at most"


def _judge_probes(provider, back):
    opened = [event.at for event in provider.of("open")]
    first, *probes = (at for at in opened if at < back)
    # The first fault is that of all the sessions that were opened at the same time.
    together = sum(at < first + 1 for at in probes)
    probes = [first, *probes[together:], next(at for at in opened if at >= back)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(probes)]
    print(
        f"connections in the outage of {back - first:.0f} s: {1 + together} at its begin, then "
        f"{len(probes) - 2}; pauses",
        *(f"{pause:.1f} s" for pause in pauses),
    )
    for doublings, pause in enumerate(pauses):
        if pause < FIRST_REST * 2**doublings:
            yield f"a probe after {pause:.1f} s instead of {FIRST_REST * 2**doublings:.0f} s"


def _judge_sessions(provider, back, options):
    taken = [event.at for event in provider.of("taken")]
    ramp = [event.at - taken[0] for event in provider.of("open") if event.at > back]
    print(
        f"back after {taken[0] - back:.1f} s; sessions 1 to {options.connections} began",
        *(f"{at * 1000:.0f}" for at in ramp[: options.connections]),
        "ms after the first mail was taken",
    )
    # The mails that probed the account have pauses of their own.
    most = len(taken) * 99 // 100
    drained = taken[most] - taken[0]
    print(
        f"99 % drained in {drained:.1f} s, {most / drained:.0f} mails/s, the last one after "
        f"{taken[-1] - taken[0]:.1f} s; {len(ramp)} connections"
    )
    limit = min(options.connections, options.together)
    print(f"at most {provider.most_sessions} sessions at a time, of {limit} allowed")
    if provider.most_sessions > limit:
        yield f"{provider.most_sessions} sessions at a time"
    if len(ramp) > 1 and ramp[1] < 0:
        yield "there was more than one session before the first mail was taken"


def _judge_mails(provider, options, left):
    arrived = collections.Counter(provider.taken)
    duplicates = arrived.total() - len(arrived)
    print(f"{len(arrived)} mails arrived, {duplicates} twice")
    if len(arrived) != options.mails or duplicates or left:
        yield f"{options.mails - len(arrived)} are missing, {duplicates} twice, {left} rows wait"
