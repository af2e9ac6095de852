"""The hosts that an account sends to: the sessions with each, and whether it can be used.

Domains with the same mail server have one host in common.  Sessions are there as long as something
uses them, and for some seconds more; of a host that could not be used, no more is remembered than
that.  So what is here costs memory by what is under way, and not by how many destinations there
are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall

from ...mail.phase import Phase
from ...outcome.attempt import AccountFault
from ...outcome.backoff import rest
from ...outcome.tls import TlsFinding
from ...routing.hop import Hop
from ..broken import SessionBrokenError
from ..factory import AccountSenderFactory
from ..sender import AccountSender

#: Seconds after which what nothing uses is forgotten, at the latest.
SWEEP = 15.0
#: Attempts that use a host at the same time, for each of its places: one that is next for each.
#: Any more of them would wait here, with what the account has for destinations of other hosts.
_IN_HAND = 2
#: Seconds that an attempt uses a host, as long as nothing else is known; and at most.
_USUAL, _LONGEST = 1.0, 30.0
#: Seconds that a host rests at most.  Each destination rests by itself, and for longer; this is so
#: that the next host is tried at once, and that those of one host are not all tried in vain.
LONGEST_REST = 300.0


@attrs.define(eq=False)
class HostHealth:
    """Whether a host can be used.

    :param name: by which it was tried.
    :ivar fault: why it could not be, the last time.
    """

    name: str
    fault: AccountFault
    _failures: int = 0
    _opens_at: float = 0.0
    _failed_at: float = 0.0

    def failed(self, name: str, fault: AccountFault, now: float, jitter: float) -> None:
        """No session could be opened."""
        self.name, self.fault, self._failed_at = name, fault, now
        if now >= self._opens_at:  # attempts that fail together are one failure
            self._failures += 1
            self._opens_at = now + min(rest(self._failures, jitter), LONGEST_REST)

    def rests(self, now: float, asked_for: float) -> bool:
        """Whether it is not to be tried now.

        :param asked_for: an admin wants it to be tried, if it was not since then.
        """
        return now < self._opens_at and asked_for <= self._failed_at

    def is_over(self, now: float) -> bool:
        """Whether it is so long ago that it says nothing any more."""
        return now >= self._opens_at + LONGEST_REST


@attrs.define(eq=False)
class Host:
    """A host in use, by destinations that have as many mails over one connection.

    :param key: what its health is known by.
    :param mails: so many.
    :param met: sessions that were opened, and addresses where none was, that nobody has told yet.
    :ivar users: attempts that are under way.
    :ivar tls_finding: what was wrong with TLS in the last session.
    """

    key: Hashable
    name: str
    mails: int
    sessions: AccountSenderFactory
    met: list[AccountSender | SessionBrokenError]
    users: int = 0
    tls_finding: TlsFinding | None = None
    _lasts: float = _USUAL
    _room_at: float = 0.0

    def has_room(self, places: int) -> bool:
        """Tell whether one attempt more may use it.

        :param places: connections that it may have.
        """
        return self.users < _IN_HAND * places

    def room_at(self, now: float) -> float:
        """Return when an attempt that finds no room is to come again, one after the other."""
        # As fast as those leave that use it now (Little's law).
        self._room_at = max(self._room_at, now) + self._lasts / self.users
        return self._room_at

    def left(self, lasted: float) -> None:
        """An attempt does not use it any more, after so many seconds."""
        self.users -= 1
        self._lasts += (min(lasted, _LONGEST) - self._lasts) / 8

    def news(self) -> list[AccountSender | SessionBrokenError]:
        """Return what was met since the last time."""
        met = list(self.met)
        self.met.clear()
        if met:
            self.tls_finding = met[-1].tls_finding
        return met


#: Makes the sessions with a host, with so many mails over one at most, which tell what they meet.
MakeSessions = Callable[
    [Hop, int, Callable[[AccountSender | SessionBrokenError], object]], AccountSenderFactory
]


class Hosts:
    """Hosts by how they are reached: name, addresses and TLS.

    :param make: makes the sessions with one.
    :param reactor: is the clock.
    """

    def __init__(self, make: MakeSessions, reactor: Any) -> None:
        self._make = make
        self._reactor = reactor
        self._hosts: dict[tuple[Hashable, int], Host] = {}
        #: Of those that could not be used.
        self._healths: dict[Hashable, HostHealth] = {}
        self._timer: IDelayedCall | None = None

    def __iter__(self) -> Iterator[Host]:
        return iter(tuple(self._hosts.values()))

    def __len__(self) -> int:
        return len(self._hosts)

    def resting(self, hop: Hop, asked_for: float) -> AccountFault | None:
        """Return why a host rests; ``None``: it may be tried.

        :param asked_for: see `HostHealth.rests`.
        """
        if not self._healths:
            return None
        now = self._reactor.seconds()
        for key in (_key(hop), _addresses(hop)):
            health = self._healths.get(key)
            if health and health.rests(now, asked_for):
                return _told_of(health, hop.host)
        return None

    def use(self, hop: Hop, mails: int) -> Host:
        """Return a host that an attempt may use, by `Host.users`, until it has `left`.

        :param mails: the most over one connection.
        """
        key = _key(hop)
        host = self._hosts.get((key, mails))
        if host is None:
            met: list[AccountSender | SessionBrokenError] = []
            sessions = self._make(hop, mails, met.append)
            host = self._hosts[key, mails] = Host(key, hop.host, mails, sessions, met)
        self._sweep_later()
        return host

    def works(self, hop: Hop) -> None:
        """There is a session with a host."""
        if self._healths:
            self._healths.pop(_key(hop), None)
            self._healths.pop(_addresses(hop), None)

    def failed(self, hop: Hop, fault: AccountFault, jitter: float) -> None:
        """No session with a host could be opened."""
        # That nobody listens is so whatever the host is called; what is said may be about its name,
        # or the number of sessions that other names have.
        key = _addresses(hop) if fault.phase is Phase.CONNECT else _key(hop)
        health = self._healths.setdefault(key, HostHealth(hop.host, fault))
        health.failed(hop.host, fault, self._reactor.seconds(), jitter)

    def _sweep_later(self) -> None:
        if self._timer is None:
            self._timer = self._reactor.callLater(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        for host in self:
            if not (host.users or host.sessions.connections):
                del self._hosts[host.key, host.mails]
        for key in [key for key, health in self._healths.items() if health.is_over(now)]:
            del self._healths[key]
        if self._hosts or self._healths:
            self._sweep_later()

    def stop(self) -> None:
        """Forget nothing any more, until there is something new."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _key(hop: Hop) -> Hashable:
    """Return what a host is known by: the DNS tells its addresses in any order."""
    return hop.host, hop.port, frozenset(hop.addresses), hop.tls


def _addresses(hop: Hop) -> Hashable:
    """Return what hosts with the same addresses have in common."""
    return hop.port, frozenset(hop.addresses)


def _told_of(health: HostHealth, host: str) -> AccountFault:
    """Return the fault of a host, which may have been met under another name."""
    fault = health.fault
    if host == health.name:
        return fault
    reply = fault.reply
    text = f"{reply.text} ({host} has the same addresses)"
    return attrs.evolve(fault, reply=attrs.evolve(reply, text=text))
