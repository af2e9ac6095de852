"""What systemd is told, and when: by a socket of its kind that the tests read."""

from __future__ import annotations

import os
import socket
import subprocess

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from multisendcon_plugin.daemon.sd_notify import STATUS_EVERY, Notifier, Systemd, status_text
from multisendcon_plugin.errors import SpoolError
from tests.interop.programs import until
from tests.live_relay import account
from tests.program.test_tap import ENVIRONMENT, TWISTD, write


class Account:
    def __init__(self, name, state):
        from multisendcon_plugin.outcome.condition import State

        self.name, self.state = name, State(state)


class Status:
    """What is looked at of a status."""

    def __init__(self, waiting=0, held=0, accounts=(), *, accepting=True):
        self.waiting, self.held, self.accepting = waiting, held, accepting
        self.accounts = [Account(*each) for each in accounts]


class Manager:
    """The socket that systemd listens on."""

    def __init__(self, address):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def said(self):
        """Return the datagrams that have come since the last time."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self):
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request, tmp_path):
    name = str(tmp_path / "notify")
    return name if request.param == "path" else f"@{name}"


@pytest.fixture
def manager(address):
    manager = Manager("\0" + address[1:] if address.startswith("@") else address)
    yield manager
    manager.close()


class World:
    """A relay that systemd watches.

    :ivar hangs: the writer does not answer.
    :ivar status: what there is to tell.
    """

    def __init__(self, address, watchdog=20.0):
        self.clock = Clock()
        self.hangs = False
        self.unanswered = []
        self.status = Status()
        self.asked = 0
        self.systemd = Systemd(
            Notifier(address, watchdog), self.clock, heartbeat=self.beat, status=self.tell
        )

    def beat(self):
        if not self.hangs:
            return succeed(None)
        self.unanswered.append(Deferred())
        return self.unanswered[-1]

    async def tell(self):
        self.asked += 1
        if isinstance(self.status, Exception):
            raise self.status
        return self.status


@pytest.fixture
def world(address, manager):
    return World(address)


def test_it_is_told_once_that_clients_are_served(world, manager):
    world.systemd.ready()
    assert manager.said() == ["READY=1", "WATCHDOG=1", "STATUS=0 waiting"]
    world.systemd.ready()
    assert manager.said() == []


def test_the_start_gets_time_for_the_spool(world, manager):
    world.systemd.starting()
    assert manager.said() == ["STATUS=opening the spool\nEXTEND_TIMEOUT_USEC=900000000"]


def test_a_reload_is_told_with_the_time_of_its_beginning(world, manager):
    world.systemd.ready()
    manager.said()
    world.systemd.reloading(lambda: 12_345_678_901)
    assert manager.said() == ["RELOADING=1\nMONOTONIC_USEC=12345678"]
    world.systemd.ready()
    assert manager.said() == ["READY=1"]
    world.clock.advance(10)
    assert manager.said() == ["WATCHDOG=1"]


def test_a_stop_is_told_and_nothing_after_it(world, manager):
    world.systemd.ready()
    manager.said()
    world.systemd.stopping()
    assert manager.said() == ["STOPPING=1\nSTATUS=finishing the deliveries in progress"]
    world.clock.pump([10] * 20)
    world.systemd.ready()  # a front process that was just starting
    assert manager.said() == []
    assert world.clock.getDelayedCalls() == []


def test_a_stop_before_it_was_ready_is_told_too(world, manager):
    world.systemd.stopping()
    assert manager.said() == ["STOPPING=1\nSTATUS=finishing the deliveries in progress"]


def test_a_sign_of_life_comes_twice_in_the_time(world, manager):
    world.systemd.ready()
    manager.said()
    signs = []
    for _ in range(40):
        world.clock.advance(1)
        signs.append(manager.said().count("WATCHDOG=1"))
    assert signs == ([0] * 9 + [1]) * 4


def test_there_is_no_sign_of_life_while_the_writer_hangs(world, manager):
    world.systemd.ready()
    manager.said()
    world.hangs = True
    world.clock.pump([1] * 60)
    assert "WATCHDOG=1" not in manager.said()
    # No pile of questions waits for it.
    assert len(world.unanswered) == 1
    world.hangs = False
    world.unanswered.pop().callback(None)
    assert manager.said() == ["WATCHDOG=1"]
    world.clock.pump([1] * 10)
    assert manager.said() == ["WATCHDOG=1"]


def test_without_a_watchdog_there_are_no_signs_of_life(address, manager):
    world = World(address, watchdog=0.0)
    world.systemd.ready()
    world.clock.pump([10] * 10)
    assert manager.said() == ["READY=1", "STATUS=0 waiting"]


def test_the_status_is_told_when_it_is_another_and_looked_at_seldom(address, manager):
    world = World(address, watchdog=0.0)
    world.systemd.ready()
    manager.said()
    world.status = Status(3, accounts=[("Sales", "login"), ("Bulk", "ok")])
    world.clock.advance(STATUS_EVERY - 1)
    assert manager.said() == []
    world.clock.pump([1, STATUS_EVERY, STATUS_EVERY])
    assert manager.said() == ["STATUS=3 waiting; accounts at fault: Sales (login)"]
    assert world.asked == 4
    world.status = SpoolError("disk I/O error")
    world.clock.advance(STATUS_EVERY)
    assert manager.said() == ["STATUS=the spool cannot be read: disk I/O error"]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Status(1200), "1,200 waiting"),
        (Status(1200, 5), "1,200 waiting; 5 held"),
        (
            Status(accounts=[(each, each) for each in ("ok", "slow", "resting", "quota", "off")]),
            "0 waiting; accounts at fault: slow (slow), resting (resting), quota (quota)",
        ),
        (Status(accepting=False), "0 waiting; new mail is not accepted"),
    ],
)
def test_what_the_status_says(status, text):
    assert status_text(status) == text


def test_without_systemd_nothing_is_told_and_nobody_is_asked():
    world = World("")
    world.systemd.starting()
    world.systemd.ready()
    world.systemd.reloading()
    world.systemd.stopping()
    world.clock.pump([60] * 5)
    assert world.asked == 0


def test_a_socket_that_is_gone_or_full_harms_nobody(tmp_path):
    Notifier(str(tmp_path / "gone")).tell("READY=1")
    full = Manager(str(tmp_path / "full"))
    for _ in range(10_000):
        Notifier(str(tmp_path / "full")).tell("STATUS=x")
    full.close()


@pytest.mark.parametrize(
    ("environment", "notifier"),
    [
        ({}, Notifier()),
        ({"NOTIFY_SOCKET": "/run/notify"}, Notifier("/run/notify")),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3000000"}, Notifier("@x", 3.0)),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3", "WATCHDOG_PID": "7"}, Notifier("@x", 3e-6)),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "3", "WATCHDOG_PID": "8"}, Notifier("@x")),
        ({"NOTIFY_SOCKET": "vsock:2:9999", "WATCHDOG_USEC": "soon"}, Notifier()),
    ],
)  # fmt: skip
def test_the_environment_is_read_and_left_without_it(environment, notifier):
    left = environment | {"HOME": "/"}
    assert Notifier.from_environment(left, 7) == notifier
    assert left == {"HOME": "/"}


@pytest.mark.parametrize("own_process", ["true", "false"])
def test_a_relay_tells_it_and_what_it_starts_cannot(tmp_path, own_process):
    manager = Manager(str(tmp_path / "notify"))
    seen = tmp_path / "seen"
    tell = tmp_path / "tell"
    tell.write_text(f'#!/bin/sh\necho "$NOTIFY_SOCKET$WATCHDOG_USEC" > {seen}; echo s3cret\n')
    tell.chmod(0o700)
    login = account("A", server="127.0.0.9", username="u", tls="none")
    write(tmp_path, "tcp:port=0:interface=127.0.0.1", login + 'password = { command = ["./tell"] }')
    path = tmp_path / "relay.toml"
    text = path.read_text().replace(
        "[master_relay]", f"[master_relay]\nown_process = {own_process}"
    )
    path.write_text(text)
    told = []

    def heard(*lines):
        told.extend(line for each in manager.said() for line in each.split("\n"))
        return set(lines) <= set(told)

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*TWISTD, "-n", "multisendcon", "--config=relay.toml"],
            cwd=tmp_path,
            env=ENVIRONMENT
            | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"},
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: heard("READY=1", "WATCHDOG=1"), "it is ready, and lives")
            children = children_of(process.pid)
            for pid in children:
                with open(f"/proc/{pid}/environ", "rb") as environment:  # noqa: PTH123
                    assert b"NOTIFY_SOCKET" not in environment.read()
        finally:
            process.terminate()
            process.wait(60)
    assert heard("STOPPING=1")
    assert told.index("STATUS=opening the spool") < told.index("READY=1") < told.index("STOPPING=1")
    assert seen.read_text() == "\n"
    front = own_process == "true" and len(os.sched_getaffinity(0)) > 1
    assert len(children) == front
    manager.close()


def children_of(pid):
    """Return the numbers of the processes that a process has started."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123
        return children.read().split()
