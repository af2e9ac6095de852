"""The two servers that are compared."""

from __future__ import annotations

from tests.benchmarks.postfix import Postfix
from tests.interop.relay import Relay, account

#: Most connections to the sink, for both.
CONNECTIONS = 20


class Multisendcon(Relay):
    """The relay with one account.

    :param sink: the account's server.
    """

    name = "multisendcon"

    def __init__(self, folder, sink):
        settings = account("Sink", sink.address, sink.port, max_connections=CONNECTIONS)
        super().__init__(folder, settings)


class PrivatePostfix(Postfix):
    """A Postfix with the sink as its relay host."""

    name = "Postfix"

    def __init__(self, folder, sink):
        super().__init__(folder, sink, CONNECTIONS)


SERVERS = {each.name: each for each in (Multisendcon, PrivatePostfix)}
