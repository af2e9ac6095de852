"""Alarms by HTTP: taken, refused, and by servers that hang, flood, lie or are not there."""

from __future__ import annotations

import json
import re

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial import unittest
from twisted.web.client import ResponseFailed

from multisendcon_plugin.monitoring import webhook
from multisendcon_plugin.monitoring.webhook import PAUSES, TRIES_UNTOLD, Webhook
from multisendcon_plugin.network.web_client import ANSWERS_WITHIN, MOST_SAID, reason
from multisendcon_plugin.operations.values import Alarm, AlarmKind
from multisendcon_plugin.testing import Authority
from multisendcon_plugin.times import Time
from tests.live_relay import Log

CANARY = "t0ken-c4nary"
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


def alarm(text="cannot log in", kind=AlarmKind.LOGIN):
    return Alarm(kind=kind, account="A", text=text, since=Time(1_700_000_000.0))


class Server(Protocol):
    """Reads a request, and lets the test answer."""

    def connectionMade(self):
        self.heard = b""
        self.factory.there.append(self)
        self.answered = False

    def dataReceived(self, data):
        self.heard += data
        head, _, body = self.heard.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        if not self.answered and len(body) == length:
            self.answered = True
            self.factory.requests.append((head.decode(), json.loads(body)))
            self.factory.answer(self)

    def connectionLost(self, reason):
        self.factory.there.remove(self)


class HybridReactor:
    """The real reactor, but the test's clock."""

    def __init__(self, reactor, clock):
        self._reactor = reactor
        self.callLater = clock.callLater
        self.seconds = clock.seconds

    def __getattr__(self, name):
        return getattr(self._reactor, name)


class Webhooks(unittest.TestCase):
    timeout = 30

    def setUp(self):
        from twisted.internet import reactor

        self.reactor = reactor
        self.clock = Clock()
        self.server = Factory.forProtocol(Server)
        self.server.noisy = False
        self.server.there, self.server.requests = [], []
        self.says(TAKEN)
        self.reports = []
        self.log = Log()
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)

    def says(self, *pieces):
        def answer(connection):
            for piece in pieces:
                connection.transport.write(piece)

        self.server.answer = answer

    def webhook(self, tls=None, host="127.0.0.1", port=None, path=f"/hook/{CANARY}"):
        if tls is None:
            self.port = self.reactor.listenTCP(0, self.server, interface="127.0.0.1")
        else:
            self.port = self.reactor.listenSSL(0, self.server, tls, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        address = f"http{'s' * (tls is not None)}://{host}:{port or self.port.getHost().port}{path}"
        made = Webhook(address, HybridReactor(self.reactor, self.clock), self.reports.append)
        self.addCleanup(self.gone)
        self.addCleanup(made.stop)
        return made

    async def until(self, true):
        while not true():
            await deferLater(self.reactor, 0.001)

    async def gone(self):
        await self.until(lambda: not self.server.there)

    async def failing(self, made, times=TRIES_UNTOLD):
        """Let so many tries fail."""
        for number in range(times):
            before = made._failures
            await self.until(lambda before=before: made._failures > before)
            if number < times - 1:
                self.clock.advance(PAUSES[min(number, len(PAUSES) - 1)])

    def texts(self, key=1):
        return [request[key]["text"] for request in self.server.requests]

    async def test_an_alarm_is_posted_as_json(self):
        made = self.webhook()
        made.tell(alarm())
        await self.until(lambda: made._sending is None)
        [(head, body)] = self.server.requests
        assert head.startswith(f"POST /hook/{CANARY} HTTP/1.1\r\n")
        assert "content-type: application/json" in head.lower()
        assert body == {
            "kind": "login",
            "account": "A",
            "text": "cannot log in",
            "since": 1_700_000_000.0,
            "since_at": "2023-11-14T22:13:20.000Z",
            "over": False,
        }
        assert self.reports == []

    async def test_alarms_come_one_after_the_other_in_their_order(self):
        made = self.webhook()
        for n in range(20):
            made.tell(alarm(str(n)))
        await self.until(lambda: made._sending is None)
        assert self.texts() == [str(n) for n in range(20)]
        assert len(self.server.there) <= 1

    async def test_it_is_not_told_that_it_does_not_work(self):
        made = self.webhook()
        made.tell(alarm(kind=AlarmKind.WEBHOOK))
        assert made._sending is None

    async def test_what_is_not_taken_is_sent_again_after_pauses_and_reported(self):
        made = self.webhook()
        self.says(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
        made.tell(alarm("first"))
        made.tell(alarm("second"))
        await self.failing(made, TRIES_UNTOLD - 1)
        assert self.reports == []
        self.clock.advance(PAUSES[TRIES_UNTOLD - 2])
        await self.until(lambda: self.reports)
        assert self.reports == ["the webhook at 127.0.0.1 does not take alarms: it answers 500"]
        self.says(TAKEN)
        self.clock.advance(PAUSES[TRIES_UNTOLD - 1])
        await self.until(lambda: made._sending is None)
        assert self.texts() == ["first"] * (TRIES_UNTOLD + 1) + ["second"]
        assert self.reports[1:] == [""]

    async def test_redirects_are_not_followed(self):
        made = self.webhook()
        self.says(b"HTTP/1.1 307 No\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
        made.tell(alarm())
        await self.failing(made)
        assert "it answers 307" in self.reports[0]
        assert all("elsewhere" not in head for head, _ in self.server.requests)

    async def test_a_server_that_hangs_costs_a_connection_for_a_while(self):
        made = self.webhook()
        self.says()
        made.tell(alarm())
        for n in range(TRIES_UNTOLD):
            await self.until(lambda n=n: len(self.server.requests) == n + 1)
            assert len(self.server.there) == 1
            self.clock.advance(ANSWERS_WITHIN)
            await self.until(lambda: not self.server.there)
            self.clock.advance(PAUSES[n])
        assert self.reports == [
            "the webhook at 127.0.0.1 does not take alarms: it gives no answer within 30 s"
        ]

    async def test_a_server_that_floods_is_hung_up_on(self):
        for flood in (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MOST_SAID, b"x" * 2 * MOST_SAID):
            self.server.requests.clear()
            self.reports.clear()
            made = self.webhook()
            self.says(flood)
            made.tell(alarm())
            await self.failing(made)
            await self.until(lambda: not self.server.there)
            assert len(self.reports) == 1
            assert len(self.reports[0]) < 500
            made.stop()

    async def test_a_body_without_end_is_not_read(self):
        made = self.webhook()
        self.says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        made.tell(alarm())
        await self.until(lambda: made._sending is None)
        await self.until(lambda: not self.server.there)
        assert self.reports == []

    async def test_a_server_that_is_not_there(self):
        made = self.webhook(port=1)
        made.tell(alarm())
        while not self.reports:
            # Twisted looks for further addresses of a name before it gives up.
            await deferLater(self.reactor, 0.001)
            self.clock.advance(1)
        assert self.reports[0].startswith("the webhook at 127.0.0.1 does not take alarms: ")
        assert "refused" in self.reports[0].lower()

    async def test_its_certificate_has_to_be_valid(self):
        made = self.webhook(tls=Authority().server("127.0.0.1"))
        made.tell(alarm())
        await self.failing(made)
        assert "certificate verify failed" in self.reports[0]
        assert self.server.requests == []

    async def test_alarms_that_are_too_many_to_wait_are_dropped_the_oldest_first(self):
        self.patch(webhook, "MOST_WAITING", 3)
        made = self.webhook()
        self.says()
        for n in range(6):
            made.tell(alarm(str(n)))
        await self.until(lambda: self.server.requests)
        assert self.texts() == ["0"]
        assert [each.text for each in made._waiting] == ["3", "4", "5"]
        assert len(self.log.having("too many alarms wait")) == 2

    async def test_after_its_stop_nothing_is_sent_whatever_it_was_doing(self):
        made = self.webhook()
        self.says()
        made.tell(alarm())
        await self.until(lambda: self.server.requests)
        made.stop()
        await self.until(lambda: not self.server.there)
        made.tell(alarm())
        self.clock.advance(10_000)
        assert len(self.server.requests) == 1
        self.server.requests.clear()
        made = self.webhook()
        self.says(b"HTTP/1.1 500 No\r\n\r\n")
        made.tell(alarm())
        await self.failing(made, 1)
        made.stop()
        self.clock.advance(10_000)
        assert len(self.server.requests) == 1
        assert self.reports == []

    async def test_its_address_is_nowhere_to_be_read(self):
        made = self.webhook()
        self.says(b"garbage\r\n\r\n")
        made.tell(alarm())
        await self.failing(made, 5)
        assert not self.log.having(CANARY)
        assert CANARY not in str(self.reports)
        assert self.reports


def test_nothing_that_a_server_repeats_is_told():
    repeated = ValueError("non-integer status code", b"HTTP/1.1 POST /s3cret HTTP/1.1")
    assert reason(ResponseFailed([Failure(repeated)])) == "cannot be asked: ValueError"
