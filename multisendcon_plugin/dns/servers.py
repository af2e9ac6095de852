"""Which server is asked first, and which none: by what was last heard of each.  Pure.

A server that leaves one question unanswered may be well: the servers of one domain may be silent,
and it waits for them.  So it is asked last for a while, no more.  It is given up for some seconds
when it has not answered a question either that each server can answer at once (`PROBE`).
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from ..settings.dns import NameServer
from .wire import Question

#: Full resolvers answer it themselves, without a network (RFC 6761 section 6.3); others refuse.
PROBE = Question("localhost", "A")
#: Seconds.
ASKED_LAST_FOR, GIVEN_UP_FOR = 30.0, 5.0


@attrs.define
class _Standing:
    heard: float = float("-inf")
    last_until: float = float("-inf")
    given_up_until: float = float("-inf")


class Servers:
    """The servers that there are, in the order of the configuration.

    All times are in seconds of one clock.
    """

    def __init__(self, servers: Iterable[NameServer]) -> None:
        self._standings = {server: _Standing() for server in servers}

    def __str__(self) -> str:
        return ", ".join(map(str, self._standings))

    def of(self, servers: Iterable[NameServer]) -> Servers:
        """Return these servers, with what is known of those that are here."""
        others = Servers(servers)
        others._standings |= {
            server: self._standings[server]
            for server in others._standings.keys() & self._standings.keys()
        }
        return others

    def in_order(self, now: float) -> list[NameServer]:
        """Return those that may be asked, the first one first; none: all are given up."""
        usable = [each for each, it in self._standings.items() if it.given_up_until <= now]
        return sorted(usable, key=lambda each: self._standings[each].last_until > now)

    def heard(self, server: NameServer, now: float) -> None:
        """Take down that a server has answered, whatever it says."""
        if server in self._standings:
            self._standings[server] = _Standing(heard=now)

    def silent(self, server: NameServer, since: float, now: float) -> bool:
        """Take down that a server has left a question unanswered.

        :return: it may be out of order: nothing was heard of it since then.
        """
        standing = self._standings.get(server)
        if standing is None or standing.heard >= since:
            return False
        standing.last_until = now + ASKED_LAST_FOR
        return standing.given_up_until <= now

    def give_up(self, server: NameServer, now: float) -> None:
        """Take down that a server is out of order."""
        if standing := self._standings.get(server):
            standing.given_up_until = now + GIVEN_UP_FOR
