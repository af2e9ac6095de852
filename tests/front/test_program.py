from __future__ import annotations

import io
import socket
from itertools import count, islice
from types import SimpleNamespace

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import (
    LogBeginner,
    Logger,
    LogLevel,
    LogPublisher,
    eventAsText,
    formatEvent,
)
from twisted.protocols.tls import TLSMemoryBIOFactory

from multisendcon_plugin import parse
from multisendcon_plugin.edge import ProxyFactory, RelayESMTPFactory
from multisendcon_plugin.events import CommandRefused, Publisher
from multisendcon_plugin.front import Port, setup_of
from multisendcon_plugin.front import program as program_module
from multisendcon_plugin.front.channel import FrameType
from multisendcon_plugin.front.events import Events
from multisendcon_plugin.front.frames import committed_octets
from multisendcon_plugin.front.process import CHANNEL
from multisendcon_plugin.front.program import Front, run
from multisendcon_plugin.front.server import IntakeServer
from multisendcon_plugin.front.setup import setup_octets
from multisendcon_plugin.spool.numbering import WRITERS
from multisendcon_plugin.testing.authority import Authority
from tests.edge.clients import EXAMPLE_PEER, MAIL, Client, Intake, MemoryTransport
from tests.front.channels import NoClock, Pair
from tests.queues import collected, logged

#: The file descriptors that ports get here.
FIRST_PORT = 100
TCP = Port("tcp:2525", socket.AF_INET)
SIX = Port("tcp6:2526", socket.AF_INET6)
PROXIED = Port("haproxy:tcp6:2526", socket.AF_INET6)
HANDED_OVER = Port("systemd:domain=INET:index=0", socket.AF_INET)

CONFIGURATION = """
[master_relay]
hostname = "relay.example"
[[account]]
name = "All"
server = "192.0.2.1"
"""


class ListeningPort:
    """A port that was adopted.

    :ivar stopped: fires when it does not listen any more; ``None`` while it listens.
    """

    def __init__(self, descriptor, family, factory):
        self.descriptor = descriptor
        self.family = family
        self.factory = factory
        self.stopped = None

    def stopListening(self):  # noqa: N802
        self.stopped = Deferred()
        return self.stopped


class Reactor(MemoryReactorClock):
    """Adopts ports of any family; opens none.

    :ivar ports: those that were adopted.
    """

    def __init__(self):
        super().__init__()
        self.advance(1_700_000_000)
        self.ports = []

    def adoptStreamPort(self, descriptor, family, factory):  # noqa: N802
        self.ports.append(ListeningPort(descriptor, family, factory))
        return self.ports[-1]


class World:
    """A front process in memory, and the server that it hands its messages over to.

    :ivar closed: file descriptors.
    """

    def __init__(self, closed):
        self.closed = closed
        self.reactor = Reactor()
        self.front = Front(self.reactor, None)
        self.intake = Intake(Clock())
        self.ready = []
        self.events = Publisher()
        self.server = IntakeServer(
            self.intake, self.events, lambda: self.ready.append(True), NoClock()
        )
        self.pair = Pair(self.front.channel, self.server.channel)

    def say(self, kind, number=0, octets=b""):
        self.server.channel.send(kind, number, octets)
        self.flush()

    def flush(self):
        for _ in range(2):
            self.pair.flush()
            self.reactor.advance(0)
        self.pair.flush()

    def start(self, *ports):
        self.say(FrameType.SETUP, 0, setup_octets(setup_of(parse(CONFIGURATION), ports)))
        assert self.pair.ends[0].error is None
        return self.reactor.ports

    def stop(self):
        """Tell it to stop; its ports have."""
        self.say(FrameType.STOP)
        for port in self.reactor.ports:
            port.stopped.callback(None)
        self.flush()

    def ask(self, client, octets):
        client.send(octets)
        self.flush()
        return client.replies()


@pytest.fixture
def world(monkeypatch):
    closed = []
    # The numbers of its descriptors are fixed, and in this process they are others'.
    monkeypatch.setattr(program_module, "os", SimpleNamespace(close=closed.append))
    numbers = count(FIRST_PORT)
    monkeypatch.setattr(program_module, "take_over", lambda _, most: list(islice(numbers, most)))
    return World(closed)


# It begins.


def test_when_it_cannot_begin_the_log_says_why_and_it_ends(world):
    with logged() as log:
        world.say(FrameType.SETUP, 0, b"not to be read")
    assert log.texts(LogLevel.critical) == [
        "internal error at the start of the front process (a bug)"
    ]
    assert world.reactor.hasStopped


def test_nothing_listens_before_it_knows_how(world):
    assert world.reactor.ports == []
    assert bytes(world.pair.ends[0].written) == b""


def test_it_takes_the_ports_over_in_their_order_and_says_that_it_is_ready(world):
    ports = world.start(TCP, SIX, PROXIED, HANDED_OVER)
    assert [(port.descriptor, port.family) for port in ports] == [
        (FIRST_PORT, socket.AF_INET),
        (FIRST_PORT + 1, socket.AF_INET6),
        (FIRST_PORT + 2, socket.AF_INET6),
        (FIRST_PORT + 3, socket.AF_INET),
    ]
    # What was adopted was duplicated.
    assert world.closed == [port.descriptor for port in ports]
    assert [type(port.factory) for port in ports] == [
        RelayESMTPFactory,
        RelayESMTPFactory,
        ProxyFactory,
        RelayESMTPFactory,
    ]
    assert world.ready == [True]


def test_told_anew_it_goes_on_with_other_ports_and_ends_no_session(world):
    first, gone = world.start(TCP, SIX)
    client = Client(first.factory, MemoryTransport())
    world.ask(client, b"EHLO client.example\r\n")
    configuration = CONFIGURATION.replace("relay.example", "other.example")
    setup = setup_of(parse(configuration), (TCP, PROXIED))
    world.say(FrameType.SETUP, 0, setup_octets(setup))
    assert world.ready == [True, True]
    again, new = world.reactor.ports[2:]
    assert first.stopped
    assert gone.stopped
    assert again.stopped is new.stopped is None
    # One factory: what it counts and remembers goes on.
    assert again.factory is first.factory
    assert [reply[:3] for reply in world.ask(client, b"NOOP\r\n")] == ["250"]
    client = Client(again.factory, MemoryTransport())
    assert "other.example" in str(world.ask(client, b"EHLO client.example\r\n"))


def test_told_what_it_cannot_do_it_ends_and_the_next_one_tries(world):
    world.start(TCP)
    with logged() as log:
        world.say(FrameType.SETUP, 0, b"not to be read")
    assert len(log.texts(LogLevel.critical)) == 1
    assert world.reactor.hasStopped


def test_it_opens_no_port_itself(world):
    world.start(TCP, SIX, PROXIED)
    reactor = world.reactor
    assert reactor.tcpServers == reactor.unixServers == reactor.sslServers == []


def test_where_sessions_begin_with_tls_they_do(world, tmp_path):
    pem = tmp_path / "relay.pem"
    pem.write_bytes(b"".join(Authority().server_pem("relay.example")))
    ports = world.start(TCP, Port(f"ssl:2465:privateKey={pem}", socket.AF_INET))
    secure = ports[1].factory
    assert (ports[1].descriptor, ports[1].family) == (FIRST_PORT + 1, socket.AF_INET)
    assert isinstance(secure, TLSMemoryBIOFactory)
    server, transport = secure.buildProtocol(EXAMPLE_PEER), MemoryTransport()
    server.makeConnection(transport)
    assert transport.value() == b""  # a client would have said Hello
    assert secure.wrappedFactory is ports[0].factory
    assert world.reactor.sslServers == []
    assert world.ready == [True]
    world.say(FrameType.STOP)
    assert all(port.stopped for port in ports)


def test_a_client_is_served_and_its_mail_handed_over(world):
    (port,) = world.start(TCP)
    client = Client(port.factory)
    client.begin()
    (reply,) = world.ask(client, MAIL + b".\r\n")
    assert reply.startswith("250 2.0.0 ")
    (message,) = world.intake.messages
    assert message.content.endswith(MAIL)
    assert message.accounts == {"All": ["b@y.example"]}


def test_the_numbers_of_messages_are_those_of_a_writer_drawn_at_random(world, monkeypatch):
    monkeypatch.setattr(program_module, "randrange", lambda writers: writers - 1)
    world = World(world.closed)
    (port,) = world.start(TCP)
    client = Client(port.factory)
    client.begin()
    world.ask(client, MAIL + b".\r\n")
    assert world.intake.drafts[0].number % WRITERS == WRITERS - 1


def test_a_mail_that_is_not_stored_is_not_ours(world):
    (port,) = world.start(TCP)
    world.intake.fault = OSError("no")
    client = Client(port.factory)
    client.begin()
    (reply,) = world.ask(client, MAIL + b".\r\n")
    assert reply.startswith("451 ")


@pytest.mark.parametrize(
    ("kind", "octets"), [(FrameType.COMMITTED, committed_octets([7])), (FrameType.FAILED, b"")]
)
def test_an_answer_that_nobody_waits_for_ends_the_connection(world, kind, octets):
    world.start(TCP)
    world.say(kind, 7, octets)
    assert isinstance(world.pair.ends[0].error, KeyError)
    assert world.reactor.hasStopped


# It ends.


def test_it_ends_when_it_is_told_to(world):
    ports = world.start(TCP, SIX)
    world.say(FrameType.STOP)
    ports[0].stopped.callback(None)
    world.flush()
    assert not world.reactor.hasStopped
    ports[1].stopped.callback(None)
    world.flush()
    assert world.reactor.hasStopped
    assert not world.pair.ends[1].connected


def test_before_it_ends_clients_get_the_replies_that_they_are_owed(world):
    (port,) = world.start(TCP)
    world.intake.waits = True
    waiting, idle = Client(port.factory), Client(port.factory)
    waiting.begin()
    world.ask(waiting, MAIL + b".\r\n")
    world.stop()
    (reply,) = idle.replies()
    assert reply.startswith("421 ")
    idle.hang_up()
    world.flush()
    assert not world.reactor.hasStopped
    world.intake.go_on()
    world.flush()
    assert [reply[:3] for reply in waiting.replies()] == ["250", "421"]
    waiting.hang_up()
    world.flush()
    assert world.reactor.hasStopped


@pytest.mark.parametrize("started", [False, True])
def test_it_ends_when_the_other_process_is_gone(world, started):
    if started:
        (port,) = world.start(TCP)
        client = Client(port.factory)
        client.begin()
        client.send(MAIL + b".\r\n")
    world.pair.cut()
    assert world.reactor.hasStopped
    if started:
        (reply,) = client.replies()
        assert reply.startswith("451 ")
    assert world.intake.messages == []


# Its log.


class Speaker:
    log = Logger()

    def fail(self):
        try:
            raise ZeroDivisionError("by möglicherweise nothing")
        except ZeroDivisionError:
            self.log.failure("{who} has a fault", who=self)

    def __repr__(self):
        return "the speaker"


def heard(world, speak):
    """Return the one event that comes out of the other process."""
    speak()
    with logged() as log:
        world.flush()
    (event,) = log.events
    return event


def test_an_event_is_logged_by_the_other_process(world):
    log = Logger(namespace="edge.test", observer=Events(world.front.channel, Clock()))
    host = IPv4Address("TCP", "192.0.2.1", 25)
    event = heard(
        world, lambda: log.warn("{host.host} is sent away: {n} + {text}", host=host, n=3, text="ü")
    )
    assert formatEvent(event) == "192.0.2.1 is sent away: 3 + ü"
    assert event["log_level"] is LogLevel.warn
    assert event["log_namespace"] == "edge.test"
    assert event["log_format"] == "{host.host} is sent away: {n} + {text}"
    assert event["n"] == 3
    assert eventAsText(event, includeTimestamp=False) == (
        "[edge.test#warn] 192.0.2.1 is sent away: 3 + ü"
    )


@pytest.mark.parametrize("level", list(LogLevel.iterconstants()))
def test_an_event_keeps_its_level_and_its_time(world, level):
    said = []
    log = Logger(
        namespace="edge", observer=LogPublisher(said.append, Events(world.front.channel, Clock()))
    )
    event = heard(world, lambda: log.emit(level, "x"))
    assert event["log_level"] is level
    assert event["log_time"] == said[0]["log_time"]


def test_a_failure_keeps_its_text(world, monkeypatch):
    observer = Events(world.front.channel, Clock())
    monkeypatch.setattr(Speaker, "log", Logger(namespace="edge", observer=observer))
    event = heard(world, Speaker().fail)
    assert formatEvent(event) == "the speaker has a fault"
    assert event["log_failure"].getErrorMessage() == "by möglicherweise nothing"
    text = eventAsText(event)
    assert "Traceback (most recent call last)" in text
    assert 'raise ZeroDivisionError("by möglicherweise nothing")' in text
    assert "ZeroDivisionError: by möglicherweise nothing" in text


def test_what_happens_to_its_clients_is_published_by_the_other_process(world):
    events = collected(world.events)
    (port,) = world.start(TCP)
    world.ask(Client(port.factory), b"FOO\r\n")
    (refused,) = events
    assert isinstance(refused, CommandRefused)
    assert (refused.address, refused.command) == ("127.0.0.1", "FOO")


def test_an_event_that_cannot_be_read_ends_the_connection(world):
    world.start(TCP)
    world.front.channel.send(FrameType.EVENT, octets=b'["Nothing", {}]')
    world.flush()
    assert isinstance(world.pair.ends[1].error, KeyError)


# The whole program.


class WholeReactor(Reactor):
    """Joins the channel to a server, and notes what it was asked for.

    :ivar done: in order.
    """

    def __init__(self, server):
        super().__init__()
        self.server = server
        self.done = []

    def adoptStreamConnection(self, descriptor, family, factory):
        assert not factory.noisy
        self.pair = Pair(factory.buildProtocol(None), self.server.channel)
        self.done.append(("adopt", descriptor, family))

    def run(self, **how):
        self.done.append(("run", how))


@pytest.fixture
def program(monkeypatch):
    """Run the program over a server; return its reactor and its log."""
    reactor = WholeReactor(IntakeServer(Intake(Clock()), Publisher(), lambda: None, NoClock()))
    publisher = LogPublisher()
    beginner = LogBeginner(
        publisher, io.StringIO(), SimpleNamespace(), SimpleNamespace(showwarning=None)
    )
    monkeypatch.setattr(program_module, "globalLogBeginner", beginner)
    monkeypatch.setattr(
        program_module, "os", SimpleNamespace(close=lambda n: reactor.done.append(("close", n)))
    )
    sockets = SimpleNamespace(socket=lambda fileno: fileno, AF_UNIX=socket.AF_UNIX)
    monkeypatch.setattr(program_module, "socket", sockets)
    log = Logger(namespace="early", observer=publisher)
    log.info("before anything else")
    run(reactor)
    return SimpleNamespace(reactor=reactor, log=log)


def test_it_has_its_end_of_the_channel_and_runs(program):
    assert program.reactor.done == [
        ("adopt", CHANNEL, socket.AF_UNIX),
        ("close", CHANNEL),
        ("run", {"installSignalHandlers": False}),
    ]


def test_its_whole_log_goes_to_the_other_process(program):
    program.log.info("and after")
    program.reactor.advance(0)
    with logged() as log:
        program.reactor.pair.flush()
    assert log.texts(LogLevel.info) == ["before anything else", "and after"]


def test_its_timers_run_on_a_clock_that_nobody_can_set(program):
    assert "seconds" in vars(program.reactor)
