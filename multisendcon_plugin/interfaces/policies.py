"""What TLS the mail servers of a domain have to have: the contract between rooms.

Between those who deliver by the DNS and those who know what domains publish (MTA-STS, RFC 8461;
DANE, RFC 7672).
"""

from __future__ import annotations

import enum
from typing import Protocol

import attrs
from twisted.internet.defer import Deferred

from ..outcome.tls import TlsFinding
from ..routing.hop import Tls, TlsPolicy

#: How a mail server is spoken to of which nothing is known: TLS with anybody, else in the clear.
OPPORTUNISTIC = TlsPolicy(mode=Tls.OPPORTUNISTIC, verify=False)


class PolicyName(enum.StrEnum):
    """Where the demands come from."""

    DANE = "dane"
    MTA_STS = "mta-sts"
    OPPORTUNISTIC = "opportunistic"


class AppliedPolicy(enum.StrEnum):
    """What sessions were held to, as logs and the history have it."""

    DANE = "dane"
    MTA_STS = "mta-sts"
    TESTING = "testing"
    """MTA-STS that is only tried out by the domain: the mail is sent all the same."""
    OPPORTUNISTIC = "opportunistic"
    NONE = "none"
    """The account has no TLS at all."""


@attrs.frozen(kw_only=True)
class MailServer:
    """A mail server of a domain, as the DNS has it.

    :param name: the MX host, or the domain itself where it has none; an A-label.
    :param canonical: the name that has its addresses: another one if `name` is an alias (CNAME).
    :param expanded: the name that has the MX of the domain: another one if that is an alias.
    :param secure: the answers that led to it were, all of them (DNSSEC): those for the MX and
        those for each of its families of addresses, also one that it does not have.
    """

    name: str
    canonical: str
    expanded: str = ""
    secure: bool = False


@attrs.frozen(kw_only=True)
class HostPolicy:
    """What sessions with one mail server of a domain have to be like.

    :param tls: of the hop; ``None``: this server must not be used now, and mail for which there is
        no other waits.
    :param why: one sentence for people: who demands what, or why the server must not be used.
    :param domain: whose policy it is (``policy-domain`` of RFC 8460): of the recipients, or for
        DANE the server's TLSA base domain.
    :param strings: the policy as it was published (``policy-string``): lines of MTA-STS, or TLSA
        records.
    :param patterns: of the servers that MTA-STS lets have mail (``mx-host``).
    :param testing: failures are to be told, not to be obeyed.
    :param finding: what is wrong with the policy, also where another one applies in its place;
        ``None``: nothing.
    """

    name: PolicyName
    tls: TlsPolicy | None
    why: str
    domain: str
    strings: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    testing: bool = False
    finding: TlsFinding | None = None

    @property
    def applied(self) -> AppliedPolicy:
        """What sessions are held to by it."""
        if self.testing:
            return AppliedPolicy.TESTING
        if self.tls is not None and self.tls.mode is Tls.NONE:
            return AppliedPolicy.NONE
        return AppliedPolicy(self.name.value)

    def told(self, finding: TlsFinding | None = None) -> str:
        """Return the words for logs and reports, to follow the ends of a session.

        :param finding: what was wrong with the session.
        """
        found = finding or self.finding
        if self.testing and found:
            return f"{self.name} in testing mode: {found.text}"
        return f"{self.name} in testing mode" if self.testing else str(self.name)


class Policies(Protocol):
    """Knows the policies of domains."""

    def of(
        self, domain: str, server: MailServer, base: TlsPolicy = OPPORTUNISTIC
    ) -> Deferred[HostPolicy]:
        """Return what applies to sessions with one mail server for a domain.

        It is asked for when the server is about to be tried, each time: what is known is kept.
        It may take a minute, when a policy has to be fetched.  Never fails.  The Deferred may be
        cancelled.

        :param domain: of the recipients, an A-label in lower case.
        :param base: what the account says; its demands stay, and more may come.
        """
