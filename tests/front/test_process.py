from __future__ import annotations

import errno
import os
import signal
import socket
import sys

import attrs
import pytest
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from multisendcon_plugin import parse
from multisendcon_plugin.events import FrontProcessEnded, FrontProcessStarted, Publisher
from multisendcon_plugin.front import FrontProcess, Port, setup_of
from multisendcon_plugin.front import process as process_module
from multisendcon_plugin.front.channel import FrameType
from multisendcon_plugin.front.ports import take_over
from multisendcon_plugin.front.process import FIRST_PAUSE, LONGEST_PAUSE, STOPS_WITHIN
from multisendcon_plugin.front.setup import read_setup
from tests.edge.clients import Intake
from tests.front.channels import Pair, frames
from tests.queues import collected, in_the_log, logged

CONFIGURATION = """
[master_relay]
hostname = "relay.example"
allow = ["192.0.2.0/24", "::1"]

[[client]]
addresses = ["192.0.2.7"]
bare_lf = "fix"
minimum_tls = "1.0"
starttls = false
tolerant = true

[ndr]
sender = "mailer-daemon@relay.example"
server = "reports.example"
username = "CANARY-reporter"
password = "CANARY-report"

[[account]]
name = "Sales"
server = "smtp.sales.example"
username = "CANARY-user"
password = "CANARY-password"
senders = ["*@sales.example", "!boss@sales.example"]

[[account]]
name = "Rest"
server = "smtp.rest.example"
"""
PORTS = (Port("tcp:2525", socket.AF_INET), Port("unix:/run/relay", socket.AF_UNIX))


class Process:
    """A front process that was spawned.

    :ivar got: the frames that it was sent.
    """

    def __init__(self, pair, got, protocol, arguments):
        self.pair = pair
        self.got = got
        self.protocol = protocol
        self.arguments = arguments
        self.signals = []
        self.handed_over = os.dup(arguments["childFDs"][4])
        protocol.transport = self

    @property
    def files(self):
        """What was handed over, and not looked at before: the numbers of the files."""
        with socket.socket(fileno=os.dup(self.handed_over)) as where:
            files = take_over(where, len(PORTS))
        numbers = [os.fstat(file).st_ino for file in files]
        for file in files:
            os.close(file)
        return numbers

    def signalProcess(self, name):  # noqa: N802
        self.signals.append(name)

    def kinds(self):
        self.pair.flush()
        return [kind for kind, _, _ in self.got]

    def say(self, *frame):
        self.pair.ends[1].protocol.send(*frame)
        self.pair.flush()

    def end(self, code=1):
        os.close(self.handed_over)
        self.pair.cut()
        self.protocol.processEnded(Failure(ProcessTerminated(code)))


class Reactor(MemoryReactorClock):
    """Spawns nothing, but says what it was asked to.

    :ivar fault: why nothing can be spawned.
    :ivar processes: those that were.
    """

    def __init__(self):
        super().__init__()
        self.fault = None
        self.processes = []
        self.adopted = []

    def adoptStreamConnection(self, descriptor, family, factory):
        assert family == socket.AF_UNIX
        assert not os.get_blocking(descriptor)
        self.adopted.append(descriptor)
        there, got, _ = frames()
        self.joined = Pair(factory.buildProtocol(None), there), got

    def spawnProcess(self, protocol, executable, args, env, **kwargs):  # noqa: N802
        if self.fault:
            raise self.fault
        # Those that it is given are open.
        for descriptor in kwargs["childFDs"].values():
            assert isinstance(descriptor, str) or os.fstat(descriptor)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        arguments = {"executable": executable, "args": args, "env": env, "blocked": blocked}
        arguments |= kwargs
        self.processes.append(Process(*self.joined, protocol, arguments))


class World:
    """A `FrontProcess` with its reactor, started."""

    def __init__(self):
        self.reactor = Reactor()
        self.intake = Intake(Clock())
        self.files = [os.open(os.devnull, os.O_RDONLY) for _ in PORTS]
        self.events = in_the_log(self.reactor)
        self.told = collected(self.events, FrontProcessEnded, FrontProcessStarted)
        self.front = FrontProcess(self.intake, self.events, self.reactor)
        self.ready = []
        self.tell(PORTS)

    def tell(self, ports):
        """Tell it what holds now; `ready` notes when clients are served so."""
        setup = setup_of(parse(CONFIGURATION), ports)
        told = self.front.tell(setup, self.files[: len(ports)])
        told.addCallback(lambda _: self.ready.append(ports))

    @property
    def process(self):
        self.reactor.advance(0)
        return self.reactor.processes[-1]

    @property
    def started(self):
        return len(self.reactor.processes)

    def stop(self):
        stopped = []
        self.front.stop().addCallback(stopped.append)
        return stopped

    def close(self):
        for file in self.files:
            os.close(file)
        for call in self.reactor.getDelayedCalls():
            call.cancel()


@pytest.fixture
def world():
    world = World()
    yield world
    world.close()


# How it is started.


def test_it_is_this_python_with_the_modules_of_this_process(world, monkeypatch):
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setattr(sys, "path", ["", "/some/where", "else"])
    world.process.end()
    world.reactor.advance(FIRST_PAUSE)
    arguments = world.process.arguments
    assert arguments["executable"] == sys.executable
    assert arguments["args"] == [sys.executable, "-P", "-m", "multisendcon_plugin.front"]
    here = os.getcwd()  # noqa: PTH109
    assert arguments["env"]["PYTHONPATH"] == f"{here}:/some/where:{here}/else"
    assert arguments["env"]["LANG"] == "C.UTF-8"


def test_it_gets_no_variable_that_it_does_not_need(world, monkeypatch):
    """Of 6 secrets it had all before, and has none now."""
    secrets = {
        "SALES_PASSWORD": "CANARY-1",
        "CREDENTIALS_DIRECTORY": "/run/CANARY-2",
        "AWS_SECRET_ACCESS_KEY": "CANARY-3",
        "https_proxy": "http://user:CANARY-4@proxy.example",
        "LC_PASSWORD": "CANARY-5",
        "PYTHON_PASSWORD": "CANARY-6",
    }
    needed = {"TZ": "Europe/Berlin", "LD_LIBRARY_PATH": "/opt/lib", "OPENSSL_CONF": "/etc/tls.cnf"}
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in (secrets | needed).items():
        monkeypatch.setenv(name, value)
    world.process.end()
    world.reactor.advance(FIRST_PAUSE)
    environment = world.process.arguments["env"]
    assert str(environment).count("CANARY") == 0
    paths = environment.pop("PYTHONPATH")
    assert paths == os.pathsep.join(map(os.path.abspath, sys.path))
    assert environment == needed


def test_it_gets_the_channel_and_the_ports_and_no_other_file(world):
    descriptors = world.process.arguments["childFDs"]
    channel, ports = descriptors[3], descriptors[4]
    assert descriptors == {0: "w", 1: "r", 2: "r", 3: channel, 4: ports}
    assert world.process.files == [os.fstat(file).st_ino for file in world.files]
    # Each process has its own end.
    (here,) = world.reactor.adopted
    for descriptor in (here, channel, ports):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_signals_are_for_this_process(world):
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}
    assert numbers <= world.process.arguments["blocked"]
    assert not numbers & signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_it_is_told_what_it_has_to_know_first(world):
    assert world.process.kinds() == [FrameType.SETUP]
    [(_, number, octets)] = world.process.got
    setup = read_setup(octets)
    assert number == 0
    assert setup.ports == PORTS
    assert setup.master_relay.hostname == "relay.example"
    assert [attrs.astuple(client) for client in setup.clients] == [
        attrs.astuple(client) for client in parse(CONFIGURATION).clients
    ]
    assert [account.name for account in setup.accounts] == ["Sales", "Rest"]
    assert setup.accounts[0].senders.match("joe@sales.example")
    assert not setup.accounts[0].senders.match("boss@sales.example")


def test_it_is_told_no_login_of_an_account(world):
    world.process.kinds()
    [(_, _, octets)] = world.process.got
    assert b"*@sales.example" in octets
    assert b"smtp.sales.example" not in octets
    assert b"CANARY" not in octets
    assert "CANARY" not in repr(world.process.arguments)


def test_the_next_one_is_told_what_is_so_by_then(world):
    world.process.end()
    world.tell(PORTS[:1])
    world.reactor.advance(FIRST_PAUSE)
    world.process.kinds()
    [(_, _, octets)] = world.process.got
    assert read_setup(octets).ports == PORTS[:1]


def test_its_messages_go_to_the_intake(world):
    world.process.say(FrameType.WRITE, 7, b"x")
    assert [draft.number for draft in world.intake.drafts] == [7]
    with logged():
        world.process.end()
    assert world.intake.drafts[0].discarded


def test_what_it_says_before_it_has_a_log_is_logged(world):
    with logged() as log:
        world.process.protocol.childDataReceived(2, b"Traceback \xff\n")
    assert log.texts(LogLevel.error) == ["front process: Traceback �"]


# When other settings hold.


def test_one_that_runs_is_told_and_given_its_ports(world):
    world.process.say(FrameType.READY)
    files = world.process.files
    world.tell(PORTS)
    assert world.process.kinds() == [FrameType.SETUP, FrameType.SETUP]
    assert world.process.files == files
    assert world.ready == [PORTS]
    world.process.say(FrameType.READY)
    assert world.ready == [PORTS, PORTS]
    assert world.started == 1


def test_its_first_answer_is_not_the_one_to_what_it_was_told_since(world):
    world.tell(PORTS[:1])
    world.process.say(FrameType.READY)
    assert world.ready == []
    world.process.say(FrameType.READY)
    assert world.ready == [PORTS[:1]]


def test_when_it_ends_before_it_has_answered_the_next_one_answers(world):
    world.process.say(FrameType.READY)
    world.tell(PORTS[:1])
    with logged():
        world.process.end()
        world.reactor.advance(FIRST_PAUSE)
    assert world.ready == [PORTS]
    world.process.say(FrameType.READY)
    assert world.ready == [PORTS, PORTS[:1]]


def test_what_it_is_told_ends_the_pause_before_the_next_one(world):
    with logged():
        world.process.end()
    world.tell(PORTS[:1])
    world.reactor.advance(0)
    assert world.started == 2


def test_who_waits_for_it_does_not_wait_for_ever_when_it_is_stopped(world):
    world.stop()
    assert world.ready == [PORTS]


def test_its_beginnings_and_ends_are_told_once(world):
    world.process.say(FrameType.READY)
    world.tell(PORTS)
    world.process.say(FrameType.READY)
    with logged():
        world.process.end()
    world.reactor.advance(FIRST_PAUSE)
    world.process.say(FrameType.READY)
    started, ended, again = world.told
    assert started == again == FrontProcessStarted()
    assert ended.why.startswith("ended unexpectedly")
    assert ended.pause == FIRST_PAUSE


# When it ends by itself.


def test_it_is_started_again_after_longer_and_longer_pauses(world):
    pauses = [1, 2, 4, 8, 16, 32, 60, 60]
    with logged() as log:
        for number, pause in enumerate(pauses, 1):
            world.process.end()
            world.reactor.advance(pause - 0.01)
            assert world.started == number
            world.reactor.advance(0.01)
            assert world.started == number + 1
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE, LONGEST_PAUSE)
    assert log.texts(LogLevel.critical)[1] == (
        "the front process ended unexpectedly: A process has ended with a probable error"
        " condition: process ended with exit code 1.; starting a new one in 2 s"
    )


def test_once_clients_were_served_the_pauses_are_short_again(world):
    with logged():
        for pause in (1, 2, 4):
            world.process.end()
            world.reactor.advance(pause)
        world.process.say(FrameType.READY)
        world.process.end()
        world.reactor.advance(1)
        assert world.started == 5
        world.process.end()
        world.reactor.advance(1.99)
        assert world.started == 5


def test_a_process_that_cannot_be_started_is_tried_again(world):
    with logged() as log:
        world.process.end()
        world.reactor.fault = OSError(errno.EAGAIN, "no more processes")
        world.reactor.advance(1)
        world.reactor.advance(2)
        world.reactor.fault = None
        world.reactor.advance(4)
    assert world.started == 2
    assert log.texts(LogLevel.critical)[1:] == [
        f"the front process cannot be started: [Errno {errno.EAGAIN}] no more processes;"
        f" starting a new one in {pause} s"
        for pause in (2, 4)
    ]
    assert world.process.kinds() == [FrameType.SETUP]


def test_a_machine_without_file_descriptors_is_no_end_either(world, monkeypatch):
    def none_left():
        raise OSError(errno.EMFILE, "too many open files")

    with logged() as log:
        world.process.end()
        with monkeypatch.context() as patch:
            patch.setattr(process_module.socket, "socketpair", none_left)
            world.reactor.advance(1)
        world.reactor.advance(2)
    assert world.started == 2
    assert "too many open files" in log.texts(LogLevel.critical)[1]


# How it is stopped.


def test_it_is_asked_to_end_and_that_is_waited_for(world):
    world.process.say(FrameType.READY)
    stopped = world.stop()
    assert world.process.kinds() == [FrameType.SETUP, FrameType.STOP]
    assert stopped == []
    with logged() as log:
        world.process.end(0)
    assert stopped == [None]
    assert log.texts() == []
    assert world.reactor.getDelayedCalls() == []
    assert world.process.signals == []


def test_one_that_does_not_end_is_killed(world):
    stopped = world.stop()
    world.reactor.advance(STOPS_WITHIN - 0.01)
    assert world.process.signals == []
    with logged() as log:
        world.reactor.advance(0.01)
        assert world.process.signals == ["KILL"]
        assert stopped == []
        world.process.end()
    assert stopped == [None]
    assert log.texts() == ["the front process did not exit in time; killing it"]
    assert world.reactor.getDelayedCalls() == []
    assert world.started == 1


@pytest.mark.parametrize("fault", [None, OSError("no")])
def test_none_is_started_after_stop(world, fault):
    with logged():
        world.process.end()
        if fault:
            world.reactor.fault = fault
            world.reactor.advance(1)
    assert world.stop() == [None]
    world.reactor.advance(0)
    assert world.reactor.getDelayedCalls() == []
    world.reactor.advance(100)
    assert world.started == 1


def test_one_that_was_never_started_has_stopped():
    front = FrontProcess(Intake(Clock()), Publisher(), Reactor())
    stopped = []
    front.stop().addCallback(stopped.append)
    assert stopped == [None]


def test_one_whose_connection_is_gone_can_be_stopped(world):
    world.process.pair.cut()
    stopped = world.stop()
    with logged():
        world.process.end(0)
    assert stopped == [None]
