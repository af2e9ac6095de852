"""A whole relay in memory: a client, edge, queue and sender, and one scripted provider."""

from __future__ import annotations

import pytest

from multisendcon_plugin import RelayService, parse
from multisendcon_plugin.testing.memory_spool import MemorySpool
from tests.edge.clients import Client
from tests.relays import Network, Server

CONFIGURATION = """
[master_relay]
hostname = "relay.example"

[[client]]
addresses = ["127.0.0.1"]
bare_lf = "{bare_lf}"
tolerant = {tolerant}

[[account]]
name = "Provider"
server = "192.0.2.1"
max_mails_per_connection = 1_000_000
"""


class MemoryRelay:
    """A relay with its client and its provider.

    :param offers: of the provider.
    :param bare_lf: what it does with the client's bare line feeds.
    :param tolerant: the client's commands need not be quite those of the RFCs.
    """

    def __init__(self, *offers, bare_lf="refuse", tolerant=False):
        self.provider = Server(*offers)
        self._network = Network(self.provider)
        self._service = RelayService(
            parse(CONFIGURATION.format(bare_lf=bare_lf, tolerant=str(tolerant).lower())),
            self._network,
            spool=MemorySpool(self._network),
            wall=self._network.seconds,
        )
        self._service.startService()
        self._client = Client(self._service.edge.sessions)

    def send(self, *segments):
        """Send octets in the session, or in a new one when that has ended.

        :return: the replies; the lines that the provider was told, without EHLO; the contents that
            it has taken.
        """
        if self._client.closed:
            self._client.hang_up()
            self._client = Client(self._service.edge.sessions)
        lines, taken = len(self.provider.lines), len(self.provider.taken)
        for segment in segments:
            if not self._client.closed:
                self._client.send(segment)
        replies = self._client.replies()
        self._network.flush()
        said = [line for line in self.provider.lines[lines:] if line[:5] != b"EHLO "]
        return replies, said, self.provider.taken[taken:]

    def submit(self, envelope, content):
        """Hand a mail in; return the contents that the provider has taken."""
        taken = len(self.provider.taken)
        self._service.submit(envelope, content).addErrback(pytest.fail)
        self._network.flush()
        return self.provider.taken[taken:]


def without_trace(content):
    """Return content without our trace field on top."""
    _from, _by, date_and_rest = content.split(b"\r\n\t", 2)
    return date_and_rest.partition(b"\r\n")[2]
