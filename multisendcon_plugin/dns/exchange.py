"""Asks one server one question, in the way that this server understands.

By UDP first, with EDNS (RFC 6891) and mixed case; by TCP what is truncated (RFC 7766 section 5) or
may be forged; without EDNS where that is refused (RFC 6891 section 7); and without mixed case where
it is lost.  What a server does not understand is remembered for an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import attrs
import dns.rcode
from twisted.internet import defer
from twisted.internet.defer import Deferred

from ..settings.dns import NameServer
from . import tcp, udp
from .faults import NoAnswerError, UnsureError
from .wire import Query, Question, is_truncated, make_query, rcode_of

#: Seconds.
_REMEMBERED_FOR = 3600.0
#: What old servers answer to what they do not know.
_WITHOUT_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP)

Result = TypeVar("Result")


@attrs.define
class _Habits:
    """Until when a server is taken not to understand something."""

    no_edns_until: float = float("-inf")
    no_case_until: float = float("-inf")


class Exchange:
    """Asks servers, and remembers how.

    :param reactor: has sockets, and is the clock.
    :param by_udp: as `udp.ask`.
    :param by_tcp: as `tcp.ask`.
    """

    def __init__(
        self,
        reactor: Any,
        by_udp: Callable[[Any, NameServer, Query], Deferred[bytes]] = udp.ask,
        by_tcp: Callable[[Any, NameServer, Query], Coroutine[Any, Any, tcp.Reply]] = tcp.ask,
    ) -> None:
        self._reactor = reactor
        self._by_udp = by_udp
        self._by_tcp = by_tcp
        self._habits: dict[NameServer, _Habits] = {}

    def keep(self, servers: set[NameServer]) -> None:
        """Forget all other servers."""
        self._habits = {each: it for each, it in self._habits.items() if each in servers}

    async def ask(self, server: NameServer, question: Question, within: float) -> bytes:
        """Ask, and return the octets of a reply that is whole.

        :param within: seconds for each query.
        :raise NoAnswerError: there is none.
        :raise DnsError: nobody can be asked now.
        """
        habits = self._habits.setdefault(server, _Habits())
        octets, query = await self._once(server, question, within, habits)
        if query.edns and rcode_of(octets) in _WITHOUT_EDNS:
            habits.no_edns_until = self._reactor.seconds() + _REMEMBERED_FOR
            octets, _ = await self._once(server, question, within, habits)
        return octets

    async def _once(
        self, server: NameServer, question: Question, within: float, habits: _Habits
    ) -> tuple[bytes, Query]:
        now = self._reactor.seconds()
        query = make_query(
            question,
            edns=now >= habits.no_edns_until,
            mixed_case=now >= habits.no_case_until,
        )
        try:
            octets = await self._in_time(self._by_udp(self._reactor, server, query), within)
        except UnsureError as unsure:
            if unsure.other_case:
                # By TCP nobody can forge it: then it is the server that loses the case.  Until it
                # has shown by TCP that it does not, it is taken to.
                habits.no_case_until = now + _REMEMBERED_FOR
            reply = await self._ask_by_tcp(server, query, within)
            if reply.same_case:
                habits.no_case_until = now
            return reply.octets, query
        if is_truncated(octets):
            octets = (await self._ask_by_tcp(server, query, within)).octets
        return octets, query

    async def _ask_by_tcp(self, server: NameServer, query: Query, within: float) -> tcp.Reply:
        asked = Deferred.fromCoroutine(self._by_tcp(self._reactor, server, query))
        reply = await self._in_time(asked, within)
        if is_truncated(reply.octets):
            raise NoAnswerError("truncates its reply, by TCP too")
        return reply

    async def _in_time(self, asked: Deferred[Result], within: float) -> Result:
        try:
            return await asked.addTimeout(within, self._reactor)
        except defer.TimeoutError:
            raise NoAnswerError("does not answer") from None
