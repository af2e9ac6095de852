"""The row that shows what it costs the mail that people look at the page.

Twenty pages are open and hear of everything, as browsers do, at a relay with a hundred accounts;
beside it the same relay, at which nobody looks.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import threading
import time

from tests.benchmarks.growth import ended, fill, subfolder
from tests.benchmarks.measurement import Load, measure_in_turns
from tests.benchmarks.row import Figure, Row, one_by_one
from tests.interop.programs import free_port
from tests.interop.relay import Relay, account
from tests.interop.sink import Sink

PAGES, ACCOUNTS = 20, 100
_WITH, _WITHOUT = "20 pages open", "none open"
_BURSTS = 20
#: Waiting mails, by the number of accounts, at which the first page is looked at.
_SIZES = {"first": (100, 10_000), "many": (10_000, 1_000_000)}
#: The best of so many, since the machine may do something else meanwhile.
_TIMES = 5


class Shown(Relay):
    """A relay that has a page, for one admin, whom a proxy on this machine signs in.

    :param accounts: in TOML.
    """

    name = "multisendcon"

    def __init__(self, folder, accounts, settings=""):
        self.web = free_port(self.address)
        users = folder / "admins"
        users.write_text("ann:*:view\n")
        users.chmod(0o600)
        table = {
            "listen": [f"tcp:port={self.web}:interface={self.address}"],
            "users": str(users),
            "proxies": ["127.0.0.0/8"],
        }
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
        super().__init__(folder, f"[web]\n{lines}\n{accounts}", settings=settings)

    def ask(self, path):
        """Open a connection, and ask for a page."""
        connection = socket.create_connection((self.address, self.web), 60)
        host = f"{self.address}:{self.web}"
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Remote-User: ann\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode())
        return connection

    def milliseconds(self, path):
        """Return how long a page takes until it is there."""
        began = time.monotonic()
        with self.ask(path) as connection:
            octets = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        if not octets.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{path}: {octets[:500]!r}")
        return 1000 * (time.monotonic() - began)


class Pages(threading.Thread):
    """Open pages, which read all that they hear until the relay stops.

    :ivar heard: octets.
    """

    def __init__(self, relay, count=PAGES):
        super().__init__(daemon=True)
        self._relay = relay
        self._count = count
        self._stopping = False
        self.heard = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopping = True
        self.join()

    def run(self):
        with contextlib.ExitStack() as opened, selectors.DefaultSelector() as selector:
            for _ in range(self._count):
                selector.register(
                    opened.enter_context(self._relay.ask("/live")), selectors.EVENT_READ
                )
            while not self._stopping:
                for key, _ in selector.select(0.2):
                    octets = b""
                    with contextlib.suppress(ConnectionResetError):
                        octets = key.fileobj.recv(1 << 16)
                    if not octets:
                        selector.unregister(key.fileobj)
                    self.heard += len(octets)


def _accounts(count, server, port):
    return "".join(
        account(f"A{n}", server, port, senders=f'["*@{n}.example"]') for n in range(1, count)
    ) + account("A0", server, port, max_connections=20)


def _side_by_side(sides, bench):
    """Measure relays that run at the same time: what is to be seen is small."""
    load = Load(messages=bench.scaled(20_000) // _BURSTS)
    with contextlib.ExitStack() as running:
        pairs = []
        for side in sides:
            disk, memory = running.enter_context(bench.folders())
            sink = running.enter_context(Sink(disk, memory / "mails"))
            relay = Shown(disk, _accounts(ACCOUNTS, sink.address, sink.port))
            pairs.append((running.enter_context(relay), sink))
            if side == _WITH:
                pages = running.enter_context(Pages(relay))
        measured = measure_in_turns(pairs, load, _BURSTS)
    if not pages.heard:
        raise RuntimeError("the pages have heard nothing")
    return {
        side: {key: figures[key] for key in ("through", "cpu")}
        for side, figures in zip(sides, measured, strict=True)
    }


def _first_looks(bench):
    figures = {}
    for name, (accounts, mails) in _SIZES.items():
        with bench.folders() as (disk, _):
            count = bench.scaled(accounts)
            nowhere = _accounts(count, Relay.address, free_port(Relay.address))
            with ended(Shown(subfolder(disk, "relay"), nowhere)) as relay:
                fill(relay.spool, bench.scaled(mails), count)
                relay.start()
                time.sleep(5)
                looks = [_look(relay) for _ in range(_TIMES)]
                figures[name] = min(looks)
    return figures


def _look(relay):
    # What was found before is good for a while.
    time.sleep(2)
    return relay.milliseconds("/")


ROWS = (
    Row(
        name="pages",
        about="20,000 mails of 4 KiB over 10 sessions, while the page is looked at, and while not",
        sides=(_WITH, _WITHOUT),
        figures={
            "through": Figure(unit="messages/s through", limit=0.95),
            "cpu": Figure(unit="ms CPU per message", limit=1.05, better="less"),
        },
        measure=_side_by_side,
    ),
    Row(
        name="first-look",
        about="the page Overview is loaded, with 100 accounts and 10,000 waiting mails, and with"
        " 10,000 and 1,000,000",
        sides=("multisendcon",),
        figures={
            "first": Figure(unit="ms with 10,000 waiting", limit=300, better="less"),
            "many": Figure(unit="ms with 1,000,000 waiting", limit=300, better="less"),
        },
        measure=one_by_one(lambda _, bench: _first_looks(bench)),
    ),
)

CURVES = ()
