"""Thousands of connections that say EHLO and then nothing, and a mail that goes through meanwhile.

All are opened in the same moment, so that the backlog is put to the test as well.
"""

from __future__ import annotations

import contextlib
import smtplib
import time

from tests.endurance.crowd import Crowd
from tests.endurance.footprint import Footprint
from tests.interop.clients import CONTENT
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

_SENDER = "boss@sales.example"


def add_options(parser):
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--idle", type=float, default=30, help="seconds")
    parser.add_argument("--kilobytes", type=float, default=25, help="that a connection may take")


def run(folder, options):
    settings = f'max_connections = {options.connections + 10}\nallow = ["127.0.0.0/8"]'
    with contextlib.ExitStack() as running:
        sink = running.enter_context(Sink(folder))
        destination = account("Only", sink.address, sink.port)
        relay = running.enter_context(Relay(folder, destination, settings=settings))
        _send(relay, "first")
        until(lambda: sink.count() == 1, "the first mail is here")
        yield from _measure(relay, options)
        until(lambda: sink.count() == 3, "a mail is here that was sent beside the idle ones")
        if "Traceback" in relay.log.read_text():
            yield "there is a traceback in the log"


def _measure(relay, options):
    count = options.connections
    footprint = Footprint(relay.process.pid)
    with footprint, Crowd((relay.address, relay.port), count) as crowd:
        yield from _ask(crowd, "a greeting", "220 ")
        greeted = footprint.memory()
        crowd.send(b"EHLO idle.example\r\n")
        yield from _ask(crowd, "a reply to EHLO", "250-")
        print(f"a mail was taken after {_send(relay, 'beside'):.3f} s")
        with Footprint(relay.process.pid) as resting:
            time.sleep(options.idle)
        print(f"at rest: {resting.figures}")
        crowd.send(b"NOOP\r\n")
        yield from _ask(crowd, "a reply to NOOP", "250 ")
        served = footprint.memory()
        print(f"a mail was taken after {_send(relay, 'last'):.3f} s")
    figures = footprint.figures
    print(f"{count} connections: {figures}")
    each = (served - figures.before) * 1024 / count
    print(
        f"memory for each: {(greeted - figures.before) * 1024 / count:.1f} KiB when greeted, "
        f"{each:.1f} KiB when served"
    )
    if each > options.kilobytes:
        yield f"a connection takes {each:.1f} KiB"


def _ask(crowd, what, beginning):
    replies, times = crowd.replies()
    right = sum(reply.startswith(beginning) for reply in replies)
    print(f"{right} got {what}, the last one after {max(times):.2f} s")
    if right != len(replies):
        wrong = next(reply for reply in replies if not reply.startswith(beginning))
        yield f"{len(replies) - right} did not get {what}, but e.g. {wrong!r}"


def _send(relay, name):
    """Send a mail as anybody does; return the seconds that it took."""
    begin = time.monotonic()
    with smtplib.SMTP(relay.address, relay.port, timeout=60) as client:
        client.sendmail(_SENDER, [f"{name}@customer.example"], CONTENT.format(name))
    return time.monotonic() - begin
