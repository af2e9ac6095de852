"""Clients of the control socket who do not behave: mail goes on, and little is kept for them."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest

from multisendcon_plugin.web.local_socket import address
from multisendcon_plugin.web.site import MOST_CONNECTIONS
from tests.benchmarks.growth import fill
from tests.endurance.footprint import Footprint
from tests.interop.clients import Clients
from tests.interop.operators import NOWHERE, Operator
from tests.interop.programs import until
from tests.interop.relay import Relay, account
from tests.interop.watched import WatchedProvider
from tests.web.live import Control

WAITING = 100_000
#: MiB that the relay may grow by while it is attacked and delivers 600 mails.
GROWTH = 40


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    with WatchedProvider(tmp_path_factory.mktemp("provider"), "127.0.3.1") as provider:
        yield provider


@pytest.fixture(scope="module")
def relay(tmp_path_factory, provider):
    """Return a relay in whose queue a hundred thousand wait for a server that is not there."""
    accounts = account("New", provider.address, provider.port, senders='"*@sales.example"')
    relay = Relay(tmp_path_factory.mktemp("relay"), accounts + account("A0", *NOWHERE))
    fill(relay.spool, WAITING, 1)
    with relay:
        until((relay.spool / "control.sock").exists, "the control socket is there")
        yield relay


@pytest.fixture
def open_clients():
    with contextlib.ExitStack() as stack:
        yield stack


def connected(relay, open_clients):
    client = open_clients.enter_context(socket.socket(socket.AF_UNIX))
    client.settimeout(60)
    with address(relay.spool / "control.sock") as name:
        client.connect(name)
    return client


def says(octets):
    """Return an attack by a client who says something, and does not read."""

    def attack(relay, open_clients, count):
        for _ in range(count):
            # Those that are not taken at once: also when too many wait for that.
            with contextlib.suppress(ConnectionError, BlockingIOError):
                connected(relay, open_clients).sendall(octets)

    return attack


def breaks_off(relay, _, count):
    """Close in the middle of a listing."""
    for _ in range(count):
        with contextlib.closing(Control(relay.spool)) as control:
            assert control.ask("GET", "queue").read(100_000)


def request(path, method="GET", more=""):
    return f"{method} /api/v1/{path} HTTP/1.1\r\nHost: relay\r\n{more}\r\n".encode()


ATTACKS = {
    "silent": (says(b""), 200),
    "half a request": (says(b"GET /api/v1/queue HTTP/1.1\r\nHost: re"), 60),
    "half a body": (says(request("queue/hold", "POST", "Content-Length: 99\r\n") + b"{"), 60),
    "reads no listing": (says(request("queue")), 50),
    "reads no answers": (says(request("status") * 200), 20),
    "hears no events": (says(request("events")), 40),
    "breaks off": (breaks_off, 60),
}


def descriptors(relay):
    return len(os.listdir(f"/proc/{relay.process.pid}/fd"))  # noqa: PTH208


def works(relay):
    """Tell whether an operator is answered."""
    try:
        return Operator(relay).ask("GET", "status")
    except OSError:
        return False


@pytest.mark.parametrize("name", ATTACKS)
def test_mail_goes_on_and_little_is_kept(relay, provider, open_clients, name):
    attack, count = ATTACKS[name]
    until(lambda: works(relay), "those of other tests have gone")
    before = descriptors(relay)
    taken = len(provider.taken)
    with Footprint(relay.process.pid) as footprint:
        attack(relay, open_clients, count)
        assert descriptors(relay) <= before + MOST_CONNECTIONS + 20
        recipients = [f"{name.replace(' ', '-')}-{n}@customer.example" for n in range(600)]
        with Clients(relay, recipients, sessions=4) as clients:
            clients.join()
        until(lambda: len(provider.taken) >= taken + 600, "all mail has arrived")
    assert clients.acknowledged == set(recipients)
    assert (clients.refused, sorted(provider.taken[taken:])) == (0, sorted(recipients))
    assert footprint.figures.growth < GROWTH
    open_clients.close()
    until(lambda: works(relay), "an operator is answered again")
    until(lambda: descriptors(relay) <= before + 10, "the connections are gone")


def test_it_stops_in_the_middle_of_a_listing(relay, open_clients):
    says(request("queue"))(relay, open_clients, 10)
    with Control(relay.spool).ask("GET", "queue") as listing:
        assert listing.readline()
        relay.stop()
    assert not (relay.spool / "control.sock").exists()
