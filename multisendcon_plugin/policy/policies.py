"""Says what sessions with a mail server have to be like: by DANE, else by MTA-STS, else by nobody.

DANE comes first (RFC 8461 section 2): what it demands, no policy of MTA-STS lets go.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from ..dns import Answer, DnsError, Names, Tlsa
from ..interfaces.policies import OPPORTUNISTIC, HostPolicy, MailServer, PolicyName
from ..outcome.tls import TlsFinding, TlsResult
from ..routing.dane import Dane, owner_of
from ..routing.hop import Demand, Tls, TlsPolicy
from .discovery import Discovery, Found
from .mta_sts import Mode, StsPolicy
from .tlsa import usable, written

#: Records, and names of servers, that are told in reports.
_MOST_TOLD = 100


class DnsPolicies:
    """Knows the policies of domains: see `Policies`.

    :param names: answers what servers' certificates are.
    :param discovery: finds the policies of MTA-STS.
    """

    def __init__(self, names: Names, discovery: Discovery) -> None:
        self._names = names
        self._discovery = discovery

    def start(self) -> None:
        """Read what is kept; whoever asks before it is there waits."""
        self._discovery.start()

    def stop(self) -> Deferred[None]:
        """End all that is under way: see `Discovery.stop`."""
        return self._discovery.stop()

    def of(
        self, domain: str, server: MailServer, base: TlsPolicy = OPPORTUNISTIC
    ) -> Deferred[HostPolicy]:
        return Deferred.fromCoroutine(self._of(domain, server, base))

    async def _of(self, domain: str, server: MailServer, base: TlsPolicy) -> HostPolicy:
        if domain.startswith("["):
            return _nothing(domain, base, f"{domain} is an address, and has no policy")
        by_dane = await self._dane(domain, server, base)
        if by_dane and (by_dane.tls is None or by_dane.tls.dane):
            return by_dane
        by_sts = _by_sts(domain, server, base, await self._discovery.of(domain))
        # Records that cannot be used demand TLS with anybody; MTA-STS may demand more.
        enforced = by_sts.name is PolicyName.MTA_STS and not by_sts.testing
        return by_sts if enforced or by_dane is None else by_dane

    async def _dane(self, domain: str, server: MailServer, base: TlsPolicy) -> HostPolicy | None:
        """Return what DANE demands; ``None``: nothing."""
        if not server.secure:
            return None
        for name in dict.fromkeys((server.canonical, server.name)):
            try:
                answer = await self._names.query(owner_of(name), "TLSA")
            except DnsError as error:
                if error.temporary:
                    return _unknown(server, name, error)
                continue  # too long to be a name, so there is none
            if answer.secure and answer.records:
                return _by_dane(domain, server, base, name, answer)
        return None


def _unknown(server: MailServer, name: str, error: DnsError) -> HostPolicy:
    """Without an answer, somebody may have taken it away (RFC 7672 section 2.1.2)."""
    text = f"the DANE records of {server.name} cannot be looked up: {error}"
    return HostPolicy(
        name=PolicyName.DANE,
        tls=None,
        why=f"{text}; until they can, it gets no mail",
        domain=name,
        finding=TlsFinding(TlsResult.DNSSEC_INVALID, text),
    )


def _by_dane(
    domain: str, server: MailServer, base: TlsPolicy, name: str, answer: Answer
) -> HostPolicy:
    owner = owner_of(name)
    found = [each for each in answer.records if isinstance(each, Tlsa)]
    records = usable(found)
    policy = HostPolicy(
        name=PolicyName.DANE,
        tls=attrs.evolve(base, mode=Tls.STARTTLS, verify=False, name=name),
        why=f"DANE says which certificate {server.name} has (TLSA {owner})",
        domain=name,
        strings=tuple(written(each) for each in found[:_MOST_TOLD]),
    )
    if not records:
        text = f"none of the DANE records of {server.name} can be used (TLSA {owner})"
        return attrs.evolve(
            policy,
            why=f"{text}, but it has some, so TLS is required, with any certificate",
            finding=TlsFinding(TlsResult.TLSA_INVALID, text),
        )
    # RFC 7672 section 3.2.2.
    known = (name, server.name, server.canonical, domain, server.expanded)
    names = tuple(dict.fromkeys(filter(None, known)))
    dane = Dane(base=name, names=names, records=records)
    return attrs.evolve(
        policy, tls=attrs.evolve(base, mode=Tls.STARTTLS, verify=True, name=name, dane=dane)
    )


def _by_sts(domain: str, server: MailServer, base: TlsPolicy, found: Found) -> HostPolicy:
    sts = found.policy
    if sts is None or sts.mode is Mode.NONE:
        why = found.finding.text if found.finding else f"{domain} demands nothing"
        return _nothing(domain, base, why, found.finding)
    testing = sts.mode is Mode.TESTING
    policy = HostPolicy(
        name=PolicyName.MTA_STS,
        tls=_with_a_valid_certificate(base, testing=testing),
        why=f"the MTA-STS policy of {domain} wants a valid certificate for {server.name}",
        domain=domain,
        strings=sts.lines[:_MOST_TOLD],
        patterns=sts.patterns[:_MOST_TOLD],
        testing=testing,
        finding=found.finding,
    )
    if sts.admits(server.name):
        return policy
    text = _not_admitted(domain, server, sts)
    return attrs.evolve(
        policy,
        tls=base if testing else None,
        why=text,
        finding=TlsFinding(TlsResult.VALIDATION_FAILURE, text),
    )


def _with_a_valid_certificate(base: TlsPolicy, *, testing: bool) -> TlsPolicy:
    if not testing:
        return attrs.evolve(
            base,
            mode=Tls.STARTTLS,
            verify=True,
            name=None,
            fingerprint=None,
            demand=Demand.MTA_STS,
        )
    if base.mode is Tls.OPPORTUNISTIC:
        return attrs.evolve(base, demand=Demand.MTA_STS_TESTING)
    return base  # what the account demands is no test


def _not_admitted(domain: str, server: MailServer, sts: StsPolicy) -> str:
    names = ", ".join(sts.patterns[:5])
    return (
        f"the MTA-STS policy of {domain} does not name {server.name} as a mail server, only {names}"
    )


def _nothing(
    domain: str, base: TlsPolicy, why: str, finding: TlsFinding | None = None
) -> HostPolicy:
    return HostPolicy(
        name=PolicyName.OPPORTUNISTIC, tls=base, why=why, domain=domain, finding=finding
    )
