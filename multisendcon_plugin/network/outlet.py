"""The writing half of a connection: what the system takes is sent without waiting for the reactor.

A transport of Twisted's keeps what is written, asks the reactor to be told when the socket takes
it, and sends it then: for each short reply two system calls and a round of the reactor more.
Inside TLS, and on transports of other kinds, that stays as it is.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.tcp import Connection
from zope.interface import implementer


@implementer(IPullProducer)
class Outlet:
    """The writing half of a connection.

    :param source: is asked to pause while the other side does not read, and to resume.
    """

    def __init__(self, transport: Any, source: IPushProducer) -> None:
        self._transport = transport
        self._source = source
        self._direct = isinstance(transport, Connection) and not transport.TLS
        self._behind = False
        if not self._direct:
            transport.registerProducer(source, True)

    def write(self, octets: bytes) -> None:
        """Send octets after all that was written before."""
        transport = self._transport
        at_once = self._direct and not self._behind
        if at_once and transport.connected and not transport.disconnecting:
            try:
                sent = transport.socket.send(octets)
            except OSError:
                # It is full; or it is lost, and the reactor learns of that by what is left.
                sent = 0
            if sent == len(octets):
                return
            octets = octets[sent:]
            self._fall_behind()
        transport.write(octets)

    def _fall_behind(self) -> None:
        # One that pulls is called when all has left, and first of all when it is registered.
        self._transport.registerProducer(self, False)
        self._behind = True
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        """All that was written has left."""
        if self._behind:
            self._behind = False
            self._transport.unregisterProducer()
            self._source.resumeProducing()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self._source.stopProducing()

    def start_tls(self, context: Any) -> None:
        """Go on inside TLS, behind what is left."""
        self.resumeProducing()
        self._transport.startTLS(context)
        if self._direct:
            self._direct = False
            self._transport.registerProducer(self._source, True)

    def let_go(self) -> None:
        """Nothing more is asked of the source; a transport that has a producer would not close."""
        if self._behind or not self._direct:
            self._transport.unregisterProducer()
        self._direct = self._behind = False
