"""Asks the DNS for the hosts of a destination; what follows from the answers is `next_hops`.

Nothing is kept here: whoever answers keeps each answer for as long as it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ConnectBindError
from twisted.python.failure import Failure

from ...dns import Answer, DnsError, Kind, Mx, Names
from ...routing.account import Account
from ...routing.next_hops import (
    MOST_HOSTS,
    MailHost,
    before_ours,
    candidates,
    no_answer,
    no_such_domain,
    target,
    usable,
)
from ..connect import bind_once

#: In the order in which they are asked for.
_TYPES = {"AAAA": "::", "A": "0.0.0.0"}  # noqa: S104 -- stands for all of its family


@attrs.frozen
class Ourselves:
    """What this relay is known by, to find that mail would loop (RFC 5321 section 5.1).

    :param names: of this host, in lower case.
    :param ports: on which the relay listens.
    """

    names: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()

    def answers_at(self, address: str, port: int) -> bool:
        """Tell whether it is this relay that would answer."""
        if port not in self.ports:
            return False
        try:
            bind_once(address)
        except ConnectBindError:
            return False
        return True


@attrs.frozen
class Routes:
    """Finds the hosts of destinations.

    :param names: answers questions to the DNS.
    :param ourselves: returns what the relay is known by now.
    :param allow_private: tells whether mail may be sent to private addresses.
    :param shuffle: as `random.shuffle`.
    """

    names: Names
    ourselves: Callable[[], Ourselves]
    allow_private: Callable[[], bool]
    shuffle: Callable[[list[MailHost]], object]

    async def hosts(self, destination: str, account: Account) -> tuple[MailHost, ...]:
        """Return the hosts that are tried for mail to a destination, in order.

        :param account: from whose local addresses they have to be reached.
        :raise NoRouteError: there are none, for good or for now.
        """
        name, found = destination, tuple[MailHost, ...]()
        named = target(destination)
        if isinstance(named, MailHost):
            found = (named,)
        else:
            name, found = named, await self._located(named, account)
        ours = self.ourselves()
        addresses = {
            address
            for host in found
            for address in host.addresses
            if ours.answers_at(address, account.port)
        }
        left = before_ours(name, found, (), addresses)
        return usable(name, left, admits=account.hop.admits, allow_private=self.allow_private())

    async def _located(self, domain: str, account: Account) -> tuple[MailHost, ...]:
        answer = await self._mx(domain)
        mx = (
            (record.preference, record.host) for record in answer.records if isinstance(record, Mx)
        )
        hosts = candidates(domain, mx, self.shuffle)
        known_by = self.ourselves().names | {account.helo_domain.lower()}
        hosts = before_ours(domain, hosts, known_by)[:MOST_HOSTS]
        types = [rdtype for rdtype, any_of_it in _TYPES.items() if account.hop.admits(any_of_it)]
        questions = [self.names.query(host.name, rdtype) for host in hosts for rdtype in types]
        answers = await _all(questions)
        return tuple(
            _located(host, answers[n : n + len(types)], secure=answer.secure)
            for host, n in zip(hosts, range(0, len(answers), len(types)), strict=True)
        )

    async def _mx(self, domain: str) -> Answer:
        try:
            answer = await self.names.query(domain, "MX")
        except DnsError as error:
            if error.temporary:
                raise no_answer(str(error)) from None
            raise no_such_domain(domain) from None  # it is no name that the DNS could have
        if answer.kind is Kind.NO_NAME:
            raise no_such_domain(domain)
        return answer


async def _all(questions: Sequence[Deferred[Answer]]) -> list[Answer | DnsError]:
    """Wait for all answers; a `DnsError` stands for one that there is not."""
    asked: Any = DeferredList(cast("Any", questions), consumeErrors=True)
    return list(_results(await asked))


def _results(answered: list[tuple[bool, object]]) -> Iterator[Answer | DnsError]:
    for is_answer, result in answered:
        if is_answer:
            yield cast("Answer", result)
            continue
        failure = cast("Failure", result)
        failure.trap(DnsError)
        yield cast("DnsError", failure.value)


def _located(host: MailHost, answers: Sequence[Answer | DnsError], *, secure: bool) -> MailHost:
    """Return a host with its addresses.

    :param answers: those for each family.
    :param secure: the answer that has named the host was.
    """
    found = [each for each in answers if isinstance(each, Answer)]
    troubles = [str(each) for each in answers if isinstance(each, DnsError) and each.temporary]
    addresses = tuple(str(record) for each in found for record in each.records)
    # RFC 7672 section 2.1.2: where a domain is signed, somebody who keeps one answer back must not
    # make its servers look as though they were not.
    trouble = troubles[0] if troubles and (secure or not addresses) else ""
    return attrs.evolve(
        host,
        addresses=addresses,
        canonical=next((each.canonical for each in found if each.records), host.name),
        secure=secure and len(found) == len(answers) and all(each.secure for each in found),
        trouble=trouble,
    )
