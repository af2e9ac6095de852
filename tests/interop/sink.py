"""Postfix's smtp-sink: takes all mail, each into a file."""

from __future__ import annotations

import collections
import os
import pwd
import re
import socket
import struct
from pathlib import Path

from tests.interop.programs import Program, free_port, program

_RECIPIENT = re.compile(r"^X-Rcpt-Args: <([^>]*)>", re.MULTILINE)
#: States of a connection on which there may still be something to read, as proc(5) writes them.
_ESTABLISHED, _CLOSE_WAIT = "01", "08"


class Sink(Program):
    """An smtp-sink.

    :param mails: the folder for the files; it may be on a faster disk.
    :param options: further ones of the program.
    """

    address = "127.0.2.2"

    def __init__(self, folder, mails=None, options=()):
        super().__init__("sink", folder)
        self.port = free_port(self.address)
        self.options = options
        self.mails = mails or self.folder / "mails"
        self.mails.mkdir()

    def command(self):
        # It has to be told which user to become, but only when it is root that runs it.
        user = ["-u", pwd.getpwuid(0).pw_name] if os.getuid() == 0 else []
        target = f"inet:{self.address}:{self.port}"
        return [
            program("smtp-sink"),
            *user,
            *self.options,
            "-d",
            f"{self.mails}/mail.",
            target,
            "200",
        ]

    def start(self):
        super().start()
        self.listens_at((self.address, self.port))

    def count(self):
        """Return how many mails are here; the last ones may not be whole yet."""
        return len(os.listdir(self.mails))  # noqa: PTH208 -- asked often, must be cheap

    def recipients(self):
        """Return the recipients of all mails, as often as they got one."""
        return [recipient for recipient, times in self.arrivals().items() for _ in times]

    def arrivals(self):
        """Return for each recipient when its mails have come.

        A mail that is broken off leaves nothing behind; it is here for as long as its session.
        """
        arrivals = collections.defaultdict(list)
        for file in self.mails.iterdir():
            for recipient in _RECIPIENT.findall(file.read_text("latin-1")):
                arrivals[recipient].append(file.stat().st_mtime)
        return arrivals

    def sessions(self):
        """Return how many sessions clients have with it."""
        (address,) = struct.unpack("=I", socket.inet_aton(self.address))
        here = f"{address:08X}:{self.port:04X}"
        connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        return sum(
            local == here and state in (_ESTABLISHED, _CLOSE_WAIT)
            for _, local, _, state, *_ in connections
        )
