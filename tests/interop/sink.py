"""Postfix's smtp-sink: takes all mail, each into a file."""

from __future__ import annotations

import os
import pwd
import re

from tests.interop.programs import Program, free_port, program

_RECIPIENT = re.compile(r"^X-Rcpt-Args: <([^>]*)>", re.MULTILINE)


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
        texts = (file.read_text("latin-1") for file in self.mails.iterdir())
        return [recipient for text in texts for recipient in _RECIPIENT.findall(text)]
