"""Clients that send all they have, close their direction, and read the replies: on real sockets."""

from __future__ import annotations

import socket

from twisted.internet.threads import deferToThread

from tests.live_relay import CONTENT, RECIPIENT, SENDER, LiveRelayTestCase, account

MAIL = (
    f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n".encode()
    + CONTENT.replace(b"\r\n.", b"\r\n..")
    + b".\r\n"
)
SESSION = b"EHLO client.example\r\n" + 2 * MAIL


class HalfClose(LiveRelayTestCase):
    def start(self, listen):
        self.far = self.provider()
        self.relay(account("All", self.far), listen=(listen,), settings='proxies = ["127.0.0.1"]')

    async def talk(self, family, address, before=b""):
        """Return all replies; the server has closed the connection."""

        def conversation():
            with socket.socket(family) as connection:
                connection.settimeout(20)
                connection.connect(address)
                connection.sendall(before + SESSION)
                connection.shutdown(socket.SHUT_WR)
                replies = b""
                while octets := connection.recv(65536):
                    replies += octets
                return replies

        replies = await deferToThread(conversation)
        assert replies.count(b"\r\n250 2.0.0 queued as ") == 2, replies
        await self.far.wait_for(2)

    async def test_tcp(self):
        self.start("tcp:port=0:interface=127.0.0.1")
        await self.talk(socket.AF_INET, ("127.0.0.1", self.service.addresses[0].port))

    async def test_local_socket(self):
        path = f"{self.folder}/socket"
        self.start(f"unix:{path}")
        await self.talk(socket.AF_UNIX, path)

    async def test_behind_a_proxy(self):
        self.start("haproxy:tcp:port=0:interface=127.0.0.1")
        header = b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 25\r\n"
        await self.talk(socket.AF_INET, ("127.0.0.1", self.service.addresses[0].port), header)
