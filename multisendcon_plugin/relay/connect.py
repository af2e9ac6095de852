"""Connects to a hop, from its local address of the family of the server's address.

An address that is not on this machine is an error, never a reason to use another one.  RFC 6724
leaves the choice between a server's addresses to us; without a local address it is that of
RFC 8305 (happy eyeballs).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from twisted.internet.address import IPv4Address as TCP4Address
from twisted.internet.address import IPv6Address as TCP6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import (
    ConnectBindError,
    ConnectError,
    DNSLookupError,
    TimeoutError,  # noqa: A004
)
from twisted.internet.interfaces import (
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from ..routing.hop import Hop
from ..settings.endpoints import address_of
from .tls import ClientTLS

#: Seconds that the TCP handshake with one address of a server may take.
CONNECT_TIMEOUT = 30.0


def connect(
    reactor: Any, hop: Hop, tls: ClientTLS, factory: IProtocolFactory, address: str | None = None
) -> Deferred[IProtocol]:
    """Begin a session with a hop, TLS included where it begins with it.

    :param address: of the host; ``None``: the first one that can be connected.
    :raise ConnectBindError: the host's address cannot be reached from the local address.
    """
    if address is None and len(hop.addresses) == 1:
        [address] = hop.addresses
    host = address or hop.host
    target: IStreamClientEndpoint
    if address or address_of(host):
        version = 6 if ":" in host else 4
        local = hop.local_address(version)
        if hop.local_addresses and local is None:
            raise ConnectBindError(string=f"{host} is an IPv{version} address")
        bind = (local, 0) if local else None
        kind = TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint
        target = kind(reactor, host, hop.port, CONNECT_TIMEOUT, bindAddress=bind)
    elif hop.local_addresses or hop.addresses:
        return Deferred.fromCoroutine(_connect_in_turn(reactor, hop, tls, factory))
    else:
        target = HostnameEndpoint(reactor, host, hop.port, CONNECT_TIMEOUT)
    return (wrapClientTLS(tls, target) if hop.implicit_tls else target).connect(factory)


async def _connect_in_turn(
    reactor: Any, hop: Hop, tls: ClientTLS, factory: IProtocolFactory
) -> IProtocol:
    """Try the addresses of a host that are of the family of a local address, in turn."""
    failure: Exception = no_address(hop)
    for address in await resolve(reactor, hop):
        try:
            return await connect(reactor, hop, tls, factory, address)
        except ConnectBindError as error:
            # From the other one of a pair, an address of the other family may be reached.
            if len(hop.local_addresses) < 2:
                raise
            failure = error
        except ConnectError as error:
            failure = error
    raise failure


def no_address(hop: Hop) -> DNSLookupError:
    """Return the error of a host that has no address which can be reached from a local one."""
    if len(hop.local_addresses) != 1:
        return DNSLookupError("the DNS knows no address of it")
    [local] = hop.local_addresses
    version = ip_address(local).version
    return DNSLookupError(f"it has no IPv{version} address, which the local address {local} needs")


def bind_once(local_address: str) -> None:
    """Look whether connections can come from an address, without one.

    :raise ConnectBindError: they cannot.
    """
    family = socket.AF_INET if ip_address(local_address).version == 4 else socket.AF_INET6
    try:
        with socket.socket(family) as probe:
            probe.bind((local_address, 0))
    except OSError as error:
        raise ConnectBindError(error.errno, error.strerror) from None


def gone_addresses(hop: Hop) -> tuple[str, ...]:
    """Return the local addresses from which no connection can come, when one of them could not."""
    if len(hop.local_addresses) < 2:
        return hop.local_addresses
    return tuple(each for each in hop.local_addresses if not _can_be_bound(each))


def _can_be_bound(local_address: str) -> bool:
    try:
        bind_once(local_address)
    except ConnectBindError:
        return False
    return True


def source_address(version: int) -> str | None:
    """Return the address from which the system connects to the Internet, where nobody says which.

    Nothing is sent.

    :param version: of IP: 4 or 6.
    :return: ``None``: it has no way there.
    """
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    # Of the networks for documentation: any address that is not a neighbour would do.
    far = "192.0.2.1" if version == 4 else "2001:db8::1"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 25))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def other_addresses(reactor: Any, hop: Hop, address: str) -> Deferred[Sequence[str]]:
    """Return the addresses of a hop's host besides one that could be connected.

    Those of its family come first: the other one may lead nowhere from here.
    """
    if address_of(hop.host):
        return succeed(())
    version = ip_address(address).version

    def in_order(found: Sequence[str]) -> Sequence[str]:
        others = [each for each in dict.fromkeys(found) if each != address]
        return sorted(others, key=lambda each: ip_address(each).version != version)

    return resolve(reactor, hop).addCallback(in_order)


def resolve(reactor: Any, hop: Hop) -> Deferred[Sequence[str]]:
    """Look up the host's addresses, those that can be reached from a local address."""
    if hop.addresses:
        return succeed([each for each in hop.addresses if hop.admits(each)])
    kinds: dict[int, type] = {4: TCP4Address, 6: TCP6Address}
    wanted = [
        kind
        for version, kind in kinds.items()
        if not hop.local_addresses or hop.local_address(version)
    ]
    found = _Addresses()
    reactor.nameResolver.resolveHostName(found, hop.host, hop.port, wanted)
    return found.complete


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects what the resolver finds."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self.complete: Deferred[Sequence[str]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803
        """Do nothing."""

    def addressResolved(self, address: Any) -> None:  # noqa: N802
        self._found.append(address.host)

    def resolutionComplete(self) -> None:  # noqa: N802
        self.complete.callback(self._found)


def connect_problem(failure: Failure, hop: Hop) -> str:
    """Say in an admin's words why there is no connection."""
    error: Any = failure.value
    known = failure.check(ConnectError, DNSLookupError) and error.args and error.args[0]
    text = known or failure.getErrorMessage()
    if failure.check(ConnectBindError) and hop.local_addresses:
        if error.osError == errno.EADDRNOTAVAIL:
            text = "it is not an address of this machine"
        gone = gone_addresses(hop) or hop.local_addresses
        return f"local_address {' or '.join(gone)} cannot be used: {text}"
    if failure.check(DNSLookupError):
        return f"{hop.host} cannot be resolved: {text}"
    if failure.check(TimeoutError):
        text = f"no answer for {CONNECT_TIMEOUT:.0f} s"
    return f"{hop.host} port {hop.port} cannot be reached: {text}"
