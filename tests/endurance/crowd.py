"""Many connections at once from one process, each from its own loopback address."""

from __future__ import annotations

import resource
import selectors
import socket
import time


def source(number):
    """Return one of 60,000 loopback addresses that nobody listens on."""
    return f"127.{1 + number // 60_000}.{10 + number // 250 % 240}.{1 + number % 250}"


class Crowd:
    """Connections that are opened all at once, without waiting for any of them.

    :ivar sockets: they do not block.
    """

    def __init__(self, address, count):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.sockets = []
        for number in range(count):
            each = socket.socket()
            self.sockets.append(each)
            each.setblocking(False)
            each.bind((source(number), 0))
            each.connect_ex(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sockets:
            each.close()

    def send(self, octets):
        for each in self.sockets:
            each.send(octets)

    def replies(self, timeout=60.0):
        """Read one reply, or the end, from each; a list of these and of when they were here."""
        begin = time.monotonic()
        texts = dict.fromkeys(self.sockets, b"")
        times = []
        with selectors.DefaultSelector() as selector:
            for each in self.sockets:
                selector.register(each, selectors.EVENT_READ)
            while selector.get_map() and time.monotonic() < begin + timeout:
                for key, _ in selector.select(1.0):
                    texts[key.fileobj] += _received(key.fileobj)
                    if _is_whole(texts[key.fileobj]):
                        selector.unregister(key.fileobj)
                        times.append(time.monotonic() - begin)
        return [text.decode() for text in texts.values()], times


def _received(connection):
    try:
        return connection.recv(4096) or b"closed\n"
    except OSError as error:
        return f"{error}\n".encode()


def _is_whole(text):
    *_, last, rest = b"\n".join([b"", b"", text]).split(b"\n")
    return not rest and last[3:4] != b"-"
