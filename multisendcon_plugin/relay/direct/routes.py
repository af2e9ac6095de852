"""Asks the DNS for the hosts of a destination; what follows from the answers is `next_hops`.

Nothing is kept here: whoever answers keeps each answer for as long as it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectBindError

from ...dns import Answer, DnsError, Kind, Mx, Names
from ...routing.account import Account
from ...routing.next_hops import (
    MOST_HOSTS,
    MOST_LOOKED_UP,
    MailHost,
    NoRouteError,
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
    :param listens: addresses and ports on which the relay does; ``""``: on all that there are.
    """

    names: frozenset[str] = frozenset()
    listens: frozenset[tuple[str, int]] = frozenset()

    def answers_at(self, address: str, port: int) -> bool:
        """Tell whether it is this relay that would answer."""
        if (address, port) in self.listens:
            return True
        if ("", port) not in self.listens:
            return False  # whatever else of this machine may be there
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
        named = target(destination)
        if isinstance(named, MailHost):
            return self._usable(
                destination, self._not_ours(destination, (named,), account), account
            )
        answer = await self._mx(named)
        mx = (
            (record.preference, record.host) for record in answer.records if isinstance(record, Mx)
        )
        known_by = self.ourselves().names | {account.helo_domain.lower()}
        hosts = before_ours(named, candidates(named, mx, self.shuffle), known_by)[:MOST_LOOKED_UP]
        found = tuple[MailHost, ...]()
        while True:
            # Some more only where none of the first can be tried: that would be told as final.
            some, hosts = hosts[:MOST_HOSTS], hosts[MOST_HOSTS:]
            found += await self._located(some, account, answer)
            left = self._not_ours(named, found, account)
            try:
                return self._usable(named, left, account)
            except NoRouteError:
                if not hosts or len(left) < len(found):
                    raise

    def _not_ours(
        self, name: str, found: tuple[MailHost, ...], account: Account
    ) -> tuple[MailHost, ...]:
        """Leave out what must not be tried since this relay answers there."""
        ours = self.ourselves()
        addresses = {
            address
            for host in found
            for address in host.addresses
            if ours.answers_at(address, account.port)
        }
        return before_ours(name, found, (), addresses)

    def _usable(
        self, name: str, found: tuple[MailHost, ...], account: Account
    ) -> tuple[MailHost, ...]:
        return usable(name, found, admits=account.hop.admits, allow_private=self.allow_private())

    async def _located(
        self, hosts: Sequence[MailHost], account: Account, named_by: Answer
    ) -> tuple[MailHost, ...]:
        """Look up where hosts are."""
        types = [rdtype for rdtype, any_of_it in _TYPES.items() if account.hop.admits(any_of_it)]
        questions = [self.names.query(host.name, rdtype) for host in hosts for rdtype in types]
        answers = await _all(questions)
        return tuple(
            _located(host, answers[n : n + len(types)], named_by)
            for host, n in zip(hosts, range(0, len(answers), len(types)), strict=True)
        )

    async def _mx(self, domain: str) -> Answer:
        try:
            answer = await self.names.query(domain, "MX")
        except DnsError as error:
            if error.temporary:
                raise no_answer(str(error), any_domain=error.nobody) from None
            raise no_such_domain(domain) from None  # it is no name that the DNS could have
        if answer.kind is Kind.NO_NAME:
            raise no_such_domain(domain)
        return answer


async def _all(questions: Sequence[Deferred[Answer]]) -> list[Answer | DnsError]:
    """Wait for all answers; a `DnsError` stands for one that there is not."""
    answers: list[Answer | DnsError] = []
    try:
        for each in questions:
            try:
                answers.append(await each)
            except DnsError as error:
                if error.nobody:
                    raise no_answer(str(error), any_domain=True) from None
                answers.append(error)
    finally:
        # Who does not wait any more wants none of them.
        for each in questions[len(answers) :]:
            each.addErrback(lambda _: None)
            each.cancel()
    return answers


def _located(host: MailHost, answers: Sequence[Answer | DnsError], named_by: Answer) -> MailHost:
    """Return a host with its addresses.

    :param answers: those for each family.
    :param named_by: the answer that has named the host.
    """
    secure = named_by.secure
    found = [each for each in answers if isinstance(each, Answer)]
    troubles = [str(each) for each in answers if isinstance(each, DnsError) and each.temporary]
    addresses = tuple(str(record) for each in found for record in each.records)
    # RFC 7672 section 2.1.2: where a domain is signed, somebody who keeps one answer back must not
    # make its servers look as though they were not.
    trouble = troubles[0] if troubles and (secure or not addresses) else ""
    return MailHost(
        name=host.name,
        preference=host.preference,
        addresses=addresses,
        canonical=next((each.canonical for each in found if each.records), host.name),
        expanded=named_by.canonical,
        secure=secure and len(found) == len(answers) and all(each.secure for each in found),
        trouble=trouble,
    )
