"""A port that the front process is given: it has no more of it than the socket."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure

from multisendcon_plugin.front.ports import OpenPort


class Greeter(Protocol):
    def connectionMade(self):
        self.transport.write(b"220 hello\r\n")


@pytest.fixture
def opened(tmp_path):
    """A local socket that listens, and that only its owner may use."""
    path = tmp_path / "smtp.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(5)
        listening.setblocking(False)
        yield path, listening


@pytest.fixture
def port(opened):
    _, listening = opened
    ports = OpenPort(MemoryReactor(), listening.fileno(), socket.AF_UNIX)
    return ports.listen(Factory.forProtocol(Greeter))


def test_nobody_else_is_let_in_by_a_local_port(opened, port):
    path, _ = opened
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_local_port_accepts(opened, port):
    path, _ = opened
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        port.doRead()
        [session] = [each for each in port.reactor.writers if each is not port]
        session.doWrite()
        assert client.recv(100) == b"220 hello\r\n"
        session.connectionLost(Failure(ConnectionDone()))


def test_when_a_local_port_is_closed_the_other_process_goes_on_with_it(opened, port):
    path, listening = opened
    port.connectionLost(None)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        accepted, _ = listening.accept()
        with accepted:
            accepted.sendall(b"220 hello\r\n")
            assert client.recv(100) == b"220 hello\r\n"
