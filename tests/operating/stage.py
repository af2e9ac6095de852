"""A relay in a process of its own, with its providers, and a terminal: what operating.rst tells of.

What is not a command stands in the document as comments, ``.. act: NAME ...``; see `Stage`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import smtplib
import struct
import subprocess
import sys
import termios
from contextlib import ExitStack, suppress
from email.message import EmailMessage
from itertools import count

from tests.interop.programs import ROOT, until
from tests.interop.provider import ProviderProcess
from tests.interop.relay import Relay, account

#: Of the terminal.
COLUMNS, ROWS = 100, 50
PASSWORD = "correct horse"


class Stage:
    """Plays the parts of all others than the admin.

    :param folder: where everything is.
    """

    def __init__(self, folder):
        self._folder = folder
        self._stack = ExitStack()
        self._numbers = count(1)

    def __enter__(self):
        provider = ProviderProcess(
            self._folder, "127.0.4.1", users={"sales@example.com": PASSWORD}, tls=True
        )
        bulk = ProviderProcess(self._folder, "127.0.4.2", tls=True)
        self._stack.enter_context(provider)
        self._stack.enter_context(bulk)
        self._password("wrong")
        self._relay = Relay(
            self._folder,
            """
            [delivery]
            retry = ["30m"]
            """
            + account(
                "Sales",
                provider.address,
                provider.port,
                tls_ca=f'"{provider.ca}"',
                username='"sales@example.com"',
                password='{ file = "sales.password" }',
                senders='"*@sales.example.com"',
                fixed_sender='"sales@example.com"',
            )
            + account("Newsletter", "127.0.4.9", 25, senders='"news@example.com"')
            + account(
                "Invoices",
                bulk.address,
                bulk.port,
                tls_ca=f'"{bulk.ca}"',
                senders='"invoices@example.com"',
                quota='["2 mails/10m"]',
            )
            + account("All others", bulk.address, bulk.port, senders='"*"', tls_ca=f'"{bulk.ca}"'),
        )
        self._stack.enter_context(self._relay)
        return self

    def __exit__(self, *exc_info):
        self._stack.__exit__(*exc_info)

    def act(self, name, *arguments):
        """Do what a comment says."""
        getattr(self, f"_act_{name}")(*arguments)

    def _act_send(self, sender, recipient, *subject):
        """Hand a mail in."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, recipient, " ".join(subject)
        mail["Message-ID"] = f"<{next(self._numbers)}@{sender.partition('@')[2]}>"
        mail.set_content("Hello!\n")
        with smtplib.SMTP(self._relay.address, self._relay.port, timeout=60) as client:
            client.send_message(mail, sender, recipient)

    def _act_until(self, *words):
        """Wait until a command prints something: COMMAND => TEXT."""
        command, _, text = " ".join(words).partition(" => ")
        until(lambda: text in self.run(f"multisendcon {command}"), f"{command} has {text}")

    def _act_repair(self):
        """Write the right password of Sales."""
        self._password(PASSWORD)

    def _act_stop(self):
        """Stop the relay."""
        self._relay.stop()

    def _act_start(self):
        """Start the relay again."""
        self._relay.start()

    def _password(self, text):
        file = self._folder / "sales.password"
        file.write_text(text)
        file.chmod(0o600)

    def command(self, line):
        """Return what starts a command line, and its environment."""
        program, *words = shlex.split(line)
        assert program == "multisendcon", line
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "MULTISENDCON_CONFIG": str(self._folder / "relay.toml"),
            "PYTHONPATH": str(ROOT),
            "TZ": "Europe/Berlin",
        }
        return [sys.executable, "-m", "multisendcon_plugin", *words], environment

    def run(self, line):
        """Run a command line at a terminal, and return what is seen there."""
        if line == "echo $?":
            return f"{self.status}\n"
        command, environment = self.command(line)
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        seen = b""
        with open(ours, "rb", buffering=0) as terminal, suppress(OSError):  # noqa: PTH123
            # Linux ends with an error where others end with nothing.
            while piece := terminal.read(65536):
                seen += piece
        self.status = process.wait(60)
        return seen.decode().replace("\r\n", "\n").replace(str(self._folder), "/etc/multisendcon")
