"""Looks up the names of servers, each in a thread of its own, so that a slow one delays no other.

The system's resolver blocks for as long as the DNS is silent, half a minute with some settings.
Twisted asks it in the ten threads in which passwords are hashed, too: ten such names stop all other
look-ups, and all logins.  Here there is one look-up at a time for a name, and its answer is
shared.  So there are no more threads than names of servers, twice as many with local addresses.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from zope.interface import implementer

_FAMILIES = {
    frozenset({IPv4Address}): socket.AF_INET,
    frozenset({IPv6Address}): socket.AF_INET6,
    frozenset({IPv4Address, IPv6Address}): socket.AF_UNSPEC,
}
_TYPES = {socket.AF_INET: IPv4Address, socket.AF_INET6: IPv6Address}


def install_resolver(reactor: Any) -> None:
    """Let a reactor look names up as this module does.

    For the program, not for the service: an application that embeds it may have a resolver of its
    own.
    """
    reactor.installNameResolver(SystemResolver(reactor))


@implementer(IHostnameResolver)
class SystemResolver:
    """Asks the resolver of the system, for addresses of TCP.

    :param reactor: is called from the threads.
    :param getaddrinfo: as that of `socket`; blocks.
    """

    def __init__(self, reactor: Any, getaddrinfo: Callable[..., Any] = socket.getaddrinfo) -> None:
        self._reactor = reactor
        self._getaddrinfo = getaddrinfo
        self._waiting: dict[tuple[str, int], list[tuple[IResolutionReceiver, int]]] = {}

    def resolveHostName(  # noqa: N802
        self,
        resolutionReceiver: IResolutionReceiver,  # noqa: N803
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        addressTypes: Sequence[type[IAddress]] | None = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: ARG002, N803
    ) -> IHostResolution:
        family = _FAMILIES[frozenset(addressTypes or _TYPES.values())]
        question = hostName.lower(), family
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        # The mail for a server asks for it again and again: while the DNS is silent, threads would
        # pile up.
        if question not in self._waiting:
            # A daemon: the program ends although the DNS is silent.
            Thread(target=self._ask, args=(question,), daemon=True).start()
            self._waiting[question] = []
        self._waiting[question].append((resolutionReceiver, portNumber))
        return resolution

    def _ask(self, question: tuple[str, int]) -> None:
        """Look a name up; in a thread."""
        name, family = question
        found: list[Any] = []
        try:
            found = self._getaddrinfo(name, 0, family, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            pass  # which is as good as a name without addresses
        finally:
            self._reactor.callFromThread(self._answer, question, found)

    def _answer(self, question: tuple[str, int], found: list[Any]) -> None:
        for receiver, port in self._waiting.pop(question):
            for family, _, _, _, (host, _, *more) in found:
                receiver.addressResolved(_TYPES[family]("TCP", host, port, *more))
            receiver.resolutionComplete()


@implementer(IHostResolution)
@attrs.define
class _Resolution:
    """A look-up on its way."""

    name: str

    def cancel(self) -> None:
        """The system's resolver cannot be stopped."""
