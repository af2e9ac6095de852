"""Policies of domains that a test writes: `Policies`, without DNS and HTTPS."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed

from ..interfaces.policies import OPPORTUNISTIC, HostPolicy, MailServer, PolicyName
from ..routing.hop import TlsPolicy


@attrs.define(eq=False, kw_only=True)
class FakePolicies:
    """Answers what it was told to.

    :param hosts: what applies to mail servers by their names, whatever the domain; to others,
        nothing does.
    :param asked: what was asked for: domain and server.
    """

    hosts: dict[str, HostPolicy] = attrs.field(factory=dict)
    asked: list[tuple[str, MailServer]] = attrs.field(factory=list, init=False)

    def of(
        self, domain: str, server: MailServer, base: TlsPolicy = OPPORTUNISTIC
    ) -> Deferred[HostPolicy]:
        self.asked.append((domain, server))
        nothing = HostPolicy(
            name=PolicyName.OPPORTUNISTIC,
            tls=base,
            why=f"{domain} demands nothing",
            domain=domain,
        )
        return succeed(self.hosts.get(server.name, nothing))
