"""The hosts that an account sends to: the sessions with each, and whether it can be used.

Domains with the same mail server have one host in common.  A host is remembered as long as
something uses it, or it rests, and for some seconds more: what is here costs memory by what is
under way, and not by how many destinations there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall

from ...outcome.attempt import AccountFault
from ...outcome.backoff import rest
from ...outcome.tls import TlsFinding
from ...routing.hop import Hop
from ..broken import SessionBrokenError
from ..factory import AccountSenderFactory
from ..sender import AccountSender

#: Seconds after which hosts that nothing uses are forgotten, at the latest.
SWEEP = 15.0
#: Seconds that a host rests at most.  Each destination rests by itself, and for longer; this is so
#: that the next host is tried at once, and that those of one host are not all tried in vain.
LONGEST_REST = 300.0


@attrs.define(eq=False)
class Host:
    """One host.

    :param sessions: with it.
    :ivar users: attempts that are under way.
    :ivar fault: why it rests; ``None``: it could be used, as far as anybody knows.
    :ivar opens_at: the end of its rest.
    :ivar met: sessions that were opened, and addresses where none was, that nobody has told yet.
    :ivar tls_finding: what was wrong with TLS in the last session.
    """

    hop: Hop
    sessions: AccountSenderFactory
    users: int = 0
    fault: AccountFault | None = None
    opens_at: float = 0.0
    met: list[AccountSender | SessionBrokenError] = attrs.field(factory=list)
    tls_finding: TlsFinding | None = None
    _failures: int = 0

    def rests(self, now: float) -> bool:
        """Whether it is not to be tried now."""
        return now < self.opens_at

    def failed(self, fault: AccountFault, now: float, jitter: float) -> None:
        """No session could be opened."""
        if not self.rests(now):  # attempts that fail together are one failure
            self._failures += 1
            self.opens_at = now + min(rest(self._failures, jitter), LONGEST_REST)
        self.fault = fault

    def works(self) -> None:
        """There is a session."""
        if self.fault is not None:
            self.fault, self.opens_at, self._failures = None, 0.0, 0

    def news(self) -> list[AccountSender | SessionBrokenError]:
        """Return what was met since the last time."""
        met = list(self.met)
        self.met.clear()
        if met:
            self.tls_finding = met[-1].tls_finding
        return met

    def is_over(self, now: float) -> bool:
        """Whether nothing is lost when it is forgotten."""
        return not (self.users or self.sessions.connections or self.rests(now))


class Hosts:
    """Hosts by how they are reached: name, addresses and TLS.

    :param make: makes a new one.
    :param reactor: is the clock.
    """

    def __init__(self, make: Callable[[Hop], Host], reactor: Any) -> None:
        self._make = make
        self._reactor = reactor
        self._hosts: dict[object, Host] = {}
        self._timer: IDelayedCall | None = None

    def __iter__(self) -> Any:
        return iter(tuple(self._hosts.values()))

    def __len__(self) -> int:
        return len(self._hosts)

    def use(self, hop: Hop) -> Host:
        """Return a host, and let it be in use until `leave`."""
        # In whichever order they are: the DNS tells them in turn.
        key = attrs.evolve(hop, addresses=tuple(sorted(hop.addresses)))
        host = self._hosts.get(key)
        if host is None:
            host = self._hosts[key] = self._make(hop)
        self._sweep_later()
        host.users += 1
        return host

    def leave(self, host: Host) -> None:
        """An attempt does not use it any more."""
        host.users -= 1

    def _sweep_later(self) -> None:
        if self._timer is None:
            self._timer = self._reactor.callLater(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        for key in [key for key, host in self._hosts.items() if host.is_over(now)]:
            del self._hosts[key]
        if self._hosts:
            self._sweep_later()

    def stop(self) -> None:
        """Forget nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
