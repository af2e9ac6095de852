"""A client that sends by BDAT, over a real socket, through the relay, to a provider."""

from __future__ import annotations

import smtplib

from twisted.internet.threads import deferToThread

from tests.edge.clients import chunk, chunks
from tests.live_relay import RECIPIENT, SENDER, LiveRelayTestCase, account, without_trace

HEADER = b"From: Author <author@home.example>\r\nSubject: hello\r\n\r\n"
CONTENT = HEADER + b".\r\n..\r\n.a\r\nQUIT\r\n\r\n.\r\nMAIL FROM:<evil@x.example>\r\n\xe4\xff\r\n"


class ChunkingClient(smtplib.SMTP):
    """`smtplib`'s client does not know BDAT."""

    def begin(self):
        self.ehlo()
        assert self.has_extn("chunking")
        assert self.mail(SENDER, ["BODY=8BITMIME"])[0] == 250
        assert self.rcpt(RECIPIENT)[0] == 250

    def send_chunk(self, octets, *, last=False):
        self.send(chunk(octets, last=last))
        return self.getreply()[0]


def one_by_one(client):
    client.begin()
    for octet in CONTENT:
        assert client.send_chunk(bytes([octet])) == 250
    assert client.send_chunk(b"", last=True) == 250


def pipelined(client):
    client.begin()
    cuts = range(0, len(CONTENT), 7)
    client.send(chunks(CONTENT, *cuts))
    assert {client.getreply()[0] for _ in range(len(cuts) + 1)} == {250}


def large(client):
    client.begin()
    assert client.send_chunk(CONTENT) == 250
    assert client.send_chunk(b".\r\n" * 1_000_000, last=True) == 250


def without_the_last_line_end(client):
    client.begin()
    assert client.send_chunk(CONTENT + b"end", last=True) == 250


def refused_and_sent_again(client):
    client.begin()
    assert client.send_chunk(CONTENT) == 250
    assert client.send_chunk(b"\0") == 550
    assert client.send_chunk(CONTENT, last=True) == 550
    one_by_one(client)


class ChunkingLive(LiveRelayTestCase):
    async def check(self, way, expected=CONTENT):
        provider = self.provider()
        self.relay(account("Sales", provider))
        port = self.service.addresses[0].port

        def send():
            with ChunkingClient("127.0.0.1", port, timeout=20) as client:
                way(client)

        await deferToThread(send)
        (mail,) = await provider.wait_for(1)
        assert (mail.reverse_path, mail.recipients) == (SENDER, (RECIPIENT,))
        assert without_trace(mail.content) == expected

    async def test_one_by_one(self):
        await self.check(one_by_one)

    async def test_pipelined(self):
        await self.check(pipelined)

    async def test_large(self):
        await self.check(large, CONTENT + b".\r\n" * 1_000_000)

    async def test_without_the_last_line_end(self):
        await self.check(without_the_last_line_end, CONTENT + b"end\r\n")

    async def test_refused_and_sent_again(self):
        await self.check(refused_and_sent_again)
