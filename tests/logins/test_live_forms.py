"""Forms over real connections: an answer of any length, and none that is too long."""

from __future__ import annotations

import time

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial import unittest

from multisendcon_plugin.logins.http import Forms, NotAnsweredError
from multisendcon_plugin.network.web_client import MOST_SAID

HEADER = b"HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n"


class Server(Protocol):
    """Answers one request with the octets of its factory, then closes the connection or not."""

    def connectionMade(self):
        self.heard = b""

    def dataReceived(self, data):
        self.heard += data
        if self.heard.endswith(b"\r\n\r\ngrant_type=x"):
            self.factory.heard.append(self.heard)
            self.transport.write(self.factory.answer)
            if self.factory.closes:
                self.transport.loseConnection()

    def connectionLost(self, reason):
        self.factory.lost.callback(None)


class FormsOverConnections(unittest.TestCase):
    """What a provider may answer."""

    async def post(self, answer, *, closes=False):
        """Return what a form is answered, or why it is not, when the connection has ended."""
        from twisted.internet import reactor

        factory = Factory.forProtocol(Server)
        factory.noisy = False
        factory.answer, factory.closes = answer, closes
        factory.heard, factory.lost = [], Deferred()
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"http://127.0.0.1:{port.getHost().port}/token?a=b"
        try:
            return await Forms(reactor, time.time).post(url, b"grant_type=x")
        except NotAnsweredError as error:
            return str(error)
        finally:
            await factory.lost
            [self.heard] = factory.heard

    async def test_a_form(self):
        dated = await self.post(HEADER + b"Retry-After: 7\r\nContent-Length: 2\r\n\r\n{}")
        assert (dated.answer.status, dated.answer.body) == (200, b"{}")
        assert dated.answer.retry_after == 7
        assert dated.ahead < -86400
        begin, *fields = self.heard.decode().partition("\r\n\r\n")[0].split("\r\n")
        assert begin == "POST /token?a=b HTTP/1.1"
        names = {field.partition(":")[0].lower() for field in fields}
        # Nothing that has it packed, which would undo limits.
        assert names == {"host", "connection", "content-type", "content-length", "accept"} | {
            "user-agent"
        }

    async def test_nothing_is_logged_of_its_connection(self):
        logged = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        await self.post(HEADER + b"Content-Length: 2\r\n\r\n{}")
        texts = [formatEvent(event) for event in logged]
        assert [text for text in texts if " factory " in text] == []

    async def test_an_answer_that_ends_with_its_connection(self):
        dated = await self.post(HEADER + b"\r\n{}", closes=True)
        assert dated.answer.body == b"{}"

    async def test_an_answer_that_is_cut_off_is_none(self):
        said = await self.post(HEADER + b"Content-Length: 50\r\n\r\n{}", closes=True)
        assert said.startswith("127.0.0.1 cannot be asked")

    async def test_too_much(self):
        length = f"Content-Length: {10 * MOST_SAID}\r\n\r\n".encode()
        for flood in (b"X: y\r\n" * MOST_SAID, length + b"x" * 2 * MOST_SAID):
            said = await self.post(HEADER + flood)
            assert said == "127.0.0.1 says more than an answer"

    async def test_something_else_than_http(self):
        said = await self.post(b"220 smtp.example ESMTP\r\n", closes=True)
        assert said.startswith("127.0.0.1 cannot be asked")
