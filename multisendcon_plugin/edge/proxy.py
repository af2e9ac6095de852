"""Connections through a proxy, which names the client in a header.

The PROXY protocol of HAProxy, versions 1 and 2.  With Twisted's own wrapper the session begins
before the header is here; here it is built for the client that the header names, since what a
client is told depends on its address.  Only proxies may connect, since they can name any client.

`proxies` is not `allow`: a proxy need not be a client itself.  When it names none (``UNKNOWN``,
``LOCAL``), the session is greeted, for health checks, but every MAIL is refused, whatever `allow`
says of the proxy: else a load balancer that does not know its clients would be an open relay.
Without any header the connection is closed.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, cast

from twisted.internet import address, protocol
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ..events import ProxyRefused
from .factory import RelayESMTPFactory

#: Seconds that the header may take.
HEADER_WITHIN = 10.0
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_LONGEST_V1 = 107
#: By address family and transport: the octets of an address.
_V2_ADDRESSES = {0x11: 4, 0x21: 16}


class ProxyFactory(protocol.Factory):
    """What listens where a proxy connects."""

    noisy = False

    def __init__(self, sessions: RelayESMTPFactory, clock: IReactorTime) -> None:
        self._sessions = sessions
        self._clock = clock

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the reader of the header, or a protocol that says why there is none."""
        if not self._sessions.is_proxy(addr):
            return self._sessions.not_allowed(addr, "proxies")
        return _HeaderReader(self._sessions, addr, self._clock)


class _HeaderReader(protocol.Protocol):
    """A connection until its header has been read."""

    transport: Any

    def __init__(
        self, sessions: RelayESMTPFactory, proxy: IAddress | None, clock: IReactorTime
    ) -> None:
        self._sessions = sessions
        self._proxy = proxy
        self._clock = clock
        self._input = b""

    def connectionMade(self) -> None:
        self._too_late = self._clock.callLater(
            HEADER_WITHIN, self._hang_up, f"not received within {HEADER_WITHIN:.0f} s"
        )

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        if self._too_late.active():
            self._too_late.cancel()

    def dataReceived(self, data: bytes) -> None:
        self._input += data
        try:
            found = read_header(self._input)
        except ValueError as error:
            self._hang_up(str(error))
            return
        if found:
            client, size = found
            self._too_late.cancel()
            session = self._sessions.session_behind(self._proxy, client)
            self.transport.protocol = session
            session.makeConnection(self.transport)
            if self._input[size:]:
                session.dataReceived(self._input[size:])

    def _hang_up(self, why: str) -> None:
        proxy = str(getattr(self._proxy, "host", "local"))
        self._sessions.events.publish(ProxyRefused(proxy, why))
        self.transport.abortConnection()


def read_header(octets: bytes) -> tuple[IAddress | None, int] | None:
    """Read a header at the start of a connection.

    :return: the client and the size of the header, or ``None`` when more octets are needed.  The
        client is ``None`` when the proxy names none.
    :raise ValueError: it is none, or cannot be read.
    """
    if octets.startswith(_SIGNATURE):
        return _read_v2(octets)
    if octets.startswith(b"PROXY "):
        return _read_v1(octets)
    if _SIGNATURE.startswith(octets) or b"PROXY ".startswith(octets):
        return None
    raise ValueError("missing: the connection begins with something else")


def _read_v1(octets: bytes) -> tuple[IAddress | None, int] | None:
    line, end, _ = octets[:_LONGEST_V1].partition(b"\r\n")
    if not end:
        if len(octets) >= _LONGEST_V1:
            raise ValueError("too long")
        return None
    size = len(line) + len(end)
    match line.decode("ascii").split(" "):
        case ["PROXY", "UNKNOWN", *_]:
            return None, size
        case ["PROXY", "TCP4" | "TCP6" as family, source, _, port, _] if port.isdecimal():
            client = ip_address(source)
            if client.version == int(family[-1]) and "%" not in source:
                return _address(client, int(port)), size
    raise ValueError("cannot be read")


def _read_v2(octets: bytes) -> tuple[IAddress | None, int] | None:
    if len(octets) < 16:
        return None
    command, family = octets[12:14]
    size = 16 + int.from_bytes(octets[14:16])
    if command not in (0x20, 0x21):
        raise ValueError("has an unknown version or command")
    if len(octets) < size:
        return None
    width = _V2_ADDRESSES.get(family)
    if command == 0x20 or width is None:
        # LOCAL, or no address of TCP: a health check, or nobody knows whose it is.
        return None, size
    if size < 16 + 2 * width + 4:
        raise ValueError("too short")
    client = ip_address(octets[16 : 16 + width])
    port = int.from_bytes(octets[16 + 2 * width : 18 + 2 * width])
    return _address(client, port), size


def _address(client: IPv4Address | IPv6Address, port: int) -> IAddress:
    client = getattr(client, "ipv4_mapped", None) or client
    kind = address.IPv4Address if client.version == 4 else address.IPv6Address
    return cast("IAddress", kind("TCP", str(client), port))
