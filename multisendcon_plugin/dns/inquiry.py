"""Asks servers one question until one of them answers, or nobody can.

A server that does not answer is asked again, with more time, after the others; one that says that
it cannot answer is not.  When a server may be out of order, it is asked what each can answer, so
that the silence of one domain's servers is not taken for its own.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred

from ..settings.dns import NameServer
from .answer import DnsError
from .exchange import Exchange
from .faults import NoAnswerError
from .names import normal
from .reading import MOST_ALIASES, Finding, UnusableError, read
from .servers import PROBE, Servers
from .wire import Question

#: Seconds that servers have, each in turn; for all of a question; and for a probe.
WAITS, WITHIN, PROBE_WITHIN = (1.0, 2.0, 4.0), 10.0, 2.0


class Inquiries:
    """Asks questions of some servers.

    :param reactor: is the clock.
    :param trust_ad: servers on other machines are believed that they have verified an answer.
    """

    def __init__(
        self, reactor: Any, exchange: Exchange, servers: Servers, *, trust_ad: bool
    ) -> None:
        self._reactor = reactor
        self._trust_ad = trust_ad
        self._exchange = exchange
        self._servers = servers
        self._probes: dict[NameServer, Deferred[None]] = {}

    @property
    def nobody_left(self) -> DnsError | None:
        """Why nobody can be asked at this time."""
        if self._servers.in_order(self._reactor.seconds()):
            return None
        return DnsError(f"no DNS server can be asked now ({self._servers})", nobody=True)

    def stop(self) -> None:
        """Ask no more."""
        for probe in list(self._probes.values()):
            probe.addErrback(lambda failure: failure.trap(CancelledError))
            probe.cancel()

    async def ask(self, question: Question) -> Finding:
        """Ask, also for the name that the one of the question stands for.

        :return: it is verified only if who says so is believed.
        :raise DnsError: there is no answer.
        """
        until = self._reactor.seconds() + WITHIN
        found = await self._ask(question, until)
        while found.unfinished:
            # Some forwarders say no more than that it stands for another name.
            if found.aliases > MOST_ALIASES:
                raise DnsError(f"{question}: it stands for other names without end (CNAME)")
            try:
                target = Question(normal(found.canonical), question.rdtype)
            except DnsError as error:
                raise DnsError(f"{question}: {error}") from None
            found = found.followed_by(await self._ask(target, until))
        return found

    def _believes(self, server: NameServer) -> bool:
        return self._trust_ad or server.is_loopback

    async def _ask(self, question: Question, until: float) -> Finding:
        reasons: dict[NameServer, str] = {}
        unable: set[NameServer] = set()
        for wait in WAITS:
            for server in self._servers.in_order(self._reactor.seconds()):
                left = until - self._reactor.seconds()
                if server in unable or left <= 0:
                    continue
                try:
                    octets = await self._attempt(server, question, min(wait, left))
                    found = read(question, octets)
                    return attrs.evolve(found, verified=found.verified and self._believes(server))
                except NoAnswerError as error:
                    reasons[server] = str(error)
                except UnusableError as error:
                    reasons[server] = str(error)
                    unable.add(server)
        if not reasons:
            raise self.nobody_left or DnsError(f"{question}: there was no time left to ask")
        said = ", ".join(f"{server} {reason}" for server, reason in reasons.items())
        raise DnsError(f"{question}: {said}")

    async def _attempt(self, server: NameServer, question: Question, within: float) -> bytes:
        begun = self._reactor.seconds()
        try:
            octets = await self._exchange.ask(server, question, within)
        except NoAnswerError:
            if self._servers.silent(server, begun, self._reactor.seconds()):
                self._probe(server)
            raise
        self._servers.heard(server, self._reactor.seconds())
        return octets

    def _probe(self, server: NameServer) -> None:
        if server not in self._probes:
            probe = Deferred.fromCoroutine(self._probed(server))
            if not probe.called:
                self._probes[server] = probe

    async def _probed(self, server: NameServer) -> None:
        try:
            await self._exchange.ask(server, PROBE, PROBE_WITHIN)
        except DnsError:
            pass  # it could not be asked
        except NoAnswerError:
            self._servers.give_up(server, self._reactor.seconds())
        else:
            self._servers.heard(server, self._reactor.seconds())
        finally:
            self._probes.pop(server, None)
