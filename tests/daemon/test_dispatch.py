"""The reactor calls directly what is readable, and does with everything else what Twisted does."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.abstract import FileDescriptor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.selectreactor import SelectReactor
from twisted.python import log

from multisendcon_plugin.daemon.dispatch import dispatch_directly


class Descriptor(FileDescriptor):
    """One end of a pair of sockets; tells what the reactor has called."""

    def __init__(self, reactor, read=lambda descriptor: None):
        super().__init__(reactor)
        self.socket, self.peer = socket.socketpair()
        self.socket.setblocking(False)
        self.fileno = self.socket.fileno
        self.read = read
        self.calls = []
        self.contexts = []

    def doRead(self):
        self.calls.append("read")
        self.contexts.append(log.context.get(log.ILogContext).get("system"))
        return self.read(self) if self.socket.recv(100) else CONNECTION_DONE

    def doWrite(self):
        self.calls.append("write")
        self.stopWriting()

    def connectionLost(self, reason):
        self.calls.append(reason.type)
        self.close()

    def close(self):
        self.stopReading()
        self.stopWriting()
        self.socket.close()
        self.peer.close()


@pytest.fixture(params=[False, True], ids=["Twisted's", "ours"])
def reactor(request):
    made = EPollReactor()
    if request.param:
        dispatch_directly(made)
    yield made
    for each in made.removeAll():
        each.socket.close()
        each.peer.close()
    made._poller.close()


def reading(reactor, **arguments):
    descriptor = Descriptor(reactor, **arguments)
    descriptor.startReading()
    return descriptor


def test_what_is_readable_is_read(reactor):
    one, other = reading(reactor), reading(reactor)
    one.peer.send(b"x")
    reactor.doIteration(0)
    assert (one.calls, other.calls) == (["read"], [])


def test_what_is_writable_is_written_and_read_first(reactor):
    one = reading(reactor)
    one.startWriting()
    one.peer.send(b"x")
    reactor.doIteration(0)
    assert one.calls == ["read", "write"]


def test_what_an_earlier_event_of_the_turn_has_closed_is_left_alone(reactor):
    pair = []

    def close_the_other(descriptor):
        pair[pair[0] is descriptor].close()

    pair += (reading(reactor, read=close_the_other) for _ in range(2))
    for each in pair:
        each.peer.send(b"x")
    reactor.doIteration(0)
    assert sorted(each.calls for each in pair) == [[], ["read"]]


def test_what_a_read_finds_wrong_ends_the_connection(reactor):
    one = reading(reactor, read=lambda descriptor: CONNECTION_LOST)
    one.peer.send(b"x")
    reactor.doIteration(0)
    assert one.calls == ["read", ConnectionLost]


def test_a_peer_that_has_hung_up_ends_the_connection(reactor):
    one = reading(reactor)
    one.peer.close()
    reactor.doIteration(0)
    assert one.calls == ["read", ConnectionDone]


def test_a_bug_ends_one_connection_and_is_logged(reactor):
    one, other = reading(reactor, read=lambda descriptor: 1 / 0), reading(reactor)
    for each in (one, other):
        each.peer.send(b"x")
    told = []
    log.addObserver(told.append)
    try:
        reactor.doIteration(0)
    finally:
        log.removeObserver(told.append)
    assert one.calls == ["read", ZeroDivisionError]
    assert other.calls == ["read"]
    assert [event["failure"].type for event in told if event["isError"]] == [ZeroDivisionError]


def test_a_descriptor_that_is_no_longer_valid_is_not_read(reactor):
    one = reading(reactor)
    one.peer.send(b"x")
    one.fileno = lambda: -1
    reactor.doIteration(0)
    assert "read" not in one.calls
    one.fileno = one.socket.fileno


def test_no_context_of_the_log_is_made_for_each_event():
    reactor = EPollReactor()
    dispatch_directly(reactor)
    one = reading(reactor)
    one.peer.send(b"x")
    reactor.doIteration(0)
    assert one.contexts == ["-"]
    one.close()
    reactor._poller.close()


def test_another_reactor_stays_as_it_is():
    reactor = SelectReactor()
    before = dict(vars(reactor))
    dispatch_directly(reactor)
    assert vars(reactor) == before
