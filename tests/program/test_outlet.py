"""What is written leaves at once, in order, and waits only for a peer that does not read."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from multisendcon_plugin.network.outlet import Outlet

MUCH = bytes(range(256)) * 8192  # more than the system takes at once


class Reactor:
    """Notes who wants to be told that a socket can be written."""

    def __init__(self):
        self.writers = set()

    def removeReader(self, reader):
        pass

    def addWriter(self, writer):
        self.writers.add(writer)

    def removeWriter(self, writer):
        self.writers.discard(writer)


class Source:
    def __init__(self):
        self.heard = []

    def pauseProducing(self):
        self.heard.append("pause")

    def resumeProducing(self):
        self.heard.append("resume")

    def stopProducing(self):
        self.heard.append("stop")


class Line:
    """A connection that we write to, and its other end."""

    def __init__(self):
        self.ours, self.peer = socket.socketpair()
        self.peer.setblocking(False)
        self.reactor = Reactor()
        self.transport = Connection(self.ours, Protocol(), self.reactor)
        self.transport.connected = 1
        self.source = Source()
        self.outlet = Outlet(self.transport, self.source)

    def read(self):
        """Return all that has been sent so far."""
        read = b""
        try:
            while more := self.peer.recv(1 << 20):
                read += more
        except BlockingIOError:
            pass
        return read

    def write_on(self):
        """Do what the reactor does when the socket can be written."""
        for each in tuple(self.reactor.writers):
            if each.doWrite():
                each.connectionLost(Failure(ConnectionDone()))


@pytest.fixture
def line():
    line = Line()
    yield line
    line.ours.close()
    line.peer.close()


def test_sends_at_once_and_does_not_trouble_the_reactor(line):
    line.outlet.write(b"250 ok\r\n")
    assert line.read() == b"250 ok\r\n"
    assert not line.reactor.writers
    assert line.source.heard == []


def test_what_the_system_does_not_take_follows_in_order(line):
    line.outlet.write(MUCH)
    line.outlet.write(b"the end")
    assert line.source.heard == ["pause"]
    read = b""
    while line.reactor.writers:
        read += line.read()
        line.write_on()
    assert read + line.read() == MUCH + b"the end"
    assert line.source.heard == ["pause", "resume"]
    line.outlet.write(b"at once again")
    assert line.read() == b"at once again"


def test_a_lost_connection_is_the_reactors_to_notice(line):
    line.peer.close()
    line.outlet.write(b"into the void")
    assert line.reactor.writers
    assert line.transport.connected
    line.write_on()
    assert not line.transport.connected
    assert line.source.heard == ["pause", "stop"]
    line.outlet.write(b"is nothing to it")


def test_what_is_written_while_the_connection_closes_is_left_to_it(line):
    line.transport.loseConnection()
    line.outlet.write(b"late")
    assert line.read() == b""


def test_the_rest_leaves_before_the_connection_closes(line):
    line.outlet.write(MUCH)
    line.outlet.let_go()
    line.transport.loseConnection()
    read = b""
    while line.reactor.writers:
        read += line.read()
        line.write_on()
    assert read + line.read() == MUCH
    assert not line.transport.connected


def test_other_transports_write_as_they_do():
    transport, source = StringTransport(), Source()
    outlet = Outlet(transport, source)
    outlet.write(b"250 ok\r\n")
    assert transport.value() == b"250 ok\r\n"
    assert transport.producer is source
    assert transport.streaming
    outlet.let_go()
    assert transport.producer is None


@pytest.mark.parametrize("behind", [False, True])
def test_inside_tls_the_transport_asks_the_source_itself(line, behind):
    if behind:
        line.outlet.write(MUCH)

    def start_tls(context):
        assert line.transport.producer is None
        line.transport.TLS = True
        line.transport.protocol = StringTransport()

    line.transport.startTLS = start_tls
    line.outlet.start_tls(None)
    assert line.transport.protocol.producer is line.source
    assert line.source.heard == ["pause", "resume"] * behind
    line.outlet.write(b"secret")
    assert line.transport.protocol.value() == b"secret"
