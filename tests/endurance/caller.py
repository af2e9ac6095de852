"""A client that says what it is told to, octet by octet, and gives back what it hears."""

from __future__ import annotations

import contextlib
import math
import socket
import time


class Caller:
    """One connection; one that was cut off, or has lasted too long, answers with nothing.

    :param source: its own address.
    :param before: octets to send before the greeting.
    :ivar greeting: the first reply.
    """

    def __init__(self, address, source, *, before=b"", timeout=30):
        self._socket = socket.create_connection(address, timeout, (source, 0))
        self._replies = self._socket.makefile("rb")
        self.send(before)
        self.greeting = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._replies.close()
        self._socket.close()

    def send(self, octets):
        with contextlib.suppress(OSError):
            self._socket.sendall(octets)

    def reply(self):
        """Return the next reply, as one text; an empty one at the end of the connection."""
        lines = []
        try:
            while line := self._replies.readline():
                lines.append(line.decode("latin-1"))
                if line[3:4] != b"-":
                    break
        except OSError:
            return ""
        return "".join(lines)

    def ask(self, *commands):
        """Send commands, each when the one before is answered; return the last reply."""
        reply = ""
        for command in commands:
            self.send(command.encode("utf-8") + b"\r\n")
            reply = self.reply()
        return reply

    def pipeline(self, commands, end=math.inf):
        """Send commands at once; return their replies, as far as there are any until then."""
        commands = list(commands)
        self.send(b"".join(command.encode() + b"\r\n" for command in commands))
        replies = []
        while len(replies) < len(commands) and time.monotonic() < end and (reply := self.reply()):
            replies.append(reply)
        return replies

    def mail(self, sender, recipients, content):
        """Send a mail; return the reply to it, or to what was refused before."""
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients)]
        for command in [*commands, "DATA"]:
            reply = self.ask(command)
            if reply[:1] not in "23" or not reply:
                return reply
        self.send(content + b"\r\n.\r\n")
        return self.reply()
