"""multisendcon as its users run it: a process of twistd with a configuration file."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3

from tests.interop.programs import Program, free_port, python_program


class Relay(Program):
    """A relay in a folder of its own; it can be started again on the same spool and port.

    :param configuration: the accounts, and whatever else is to be set, in TOML.
    :param spool: its spool's folder.
    :param listen: where it listens besides, as endpoint strings.
    :param settings: further keys of `[master_relay]`.
    """

    address = "127.0.2.1"

    def __init__(self, folder, configuration, spool="spool", *, listen=(), settings=""):
        super().__init__("relay", folder)
        self.port = free_port(self.address)
        self.spool = self.folder / spool
        self._configuration = self.folder / "relay.toml"
        self.configure(configuration, listen=listen, settings=settings)

    def configure(self, configuration, *, listen=(), settings=""):
        """Write the configuration file; a relay that runs notices nothing of it."""
        listen = [f"tcp:port={self.port}:interface={self.address}", *listen]
        self._configuration.write_text(
            f"""
            [master_relay]
            listen = {json.dumps(listen)}
            hostname = "relay.example.com"
            {settings}

            [spool]
            path = "{self.spool}"

            {configuration}
            """,
            "utf-8",
        )

    def command(self):
        options = ["--nodaemon", "--pidfile=", "multisendcon", f"--config={self._configuration}"]
        return [python_program("twistd"), *options]

    def start(self):
        """Start it, and wait until it serves.

        :raise OSError: something listens at its port already; that would answer in its place.
        """
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.address, self.port))
        super().start()
        # It may listen before all its processes are there; it greets only then.
        self.listens_at((self.address, self.port), greets=True)

    def waiting(self):
        """Count what is in the spool."""
        tables = ("delivery", "content")
        return sum(self.value(f"SELECT count(*) FROM {table}") for table in tables)

    def value(self, question):
        """Ask the spool's database for one value."""
        with contextlib.closing(sqlite3.connect(self.spool / "spool.db")) as database:
            return database.execute(question).fetchone()[0]


def account(name, server, port, **settings):
    """Return an account in TOML; the values of settings are TOML too."""
    lines = [f"{key} = {value}" for key, value in settings.items()]
    head = ["[[account]]", f'name = "{name}"', f'server = "{server}"', f"port = {port}"]
    return "\n".join([*head, *lines, ""])
