"""Domains with policies, without DNS and HTTPS."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from multisendcon_plugin.dns import Txt
from multisendcon_plugin.interfaces.policies import OPPORTUNISTIC, MailServer
from multisendcon_plugin.outcome.tls import TlsResult
from multisendcon_plugin.policy import Discovery, DnsPolicies
from multisendcon_plugin.policy.fetch import NotFetchedError
from multisendcon_plugin.policy.mta_sts import Mode, StsPolicy
from multisendcon_plugin.testing import FakeNames

DOMAIN, MX = "example.com", "mx1.example.com"
FAILED = NotFetchedError(TlsResult.STS_POLICY_FETCH_ERROR, "the policy cannot be fetched: no")


def sts(mode=Mode.ENFORCE, *patterns, max_age=604800):
    return StsPolicy(mode, patterns or (MX,), max_age)


class Fetches:
    """Fetches what a test says.

    :ivar policies: what each domain has: a policy, an error, or a Deferred.
    :ivar asked: the domains, in the order of the requests.
    """

    def __init__(self):
        self.policies = {}
        self.asked = []

    async def fetch(self, domain):
        self.asked.append(domain)
        result = self.policies.get(domain, FAILED)
        if isinstance(result, Deferred):
            result = await result
        if isinstance(result, Exception):
            raise result
        return result


class World:
    """One domain that has MTA-STS, others that a test adds, and who asks for them.

    Time is in seconds since the epoch.
    """

    def __init__(self, store=None, now=1_800_000_000.0):
        self.clock = Clock()
        self.clock.rightNow = now
        self.names = FakeNames(clock=self.clock)
        self.fetches = Fetches()
        self.discovery = Discovery(self.names, self.fetches, self.clock.seconds, store)
        self.policies = DnsPolicies(self.names, self.discovery)

    def publish(self, policy, name="1", domain=DOMAIN):
        """Let a domain have a policy, or an error in place of one; `None`: no record at all."""
        records = {"TXT": [Txt(f"v=STSv1; id={name};")]} if policy else {}
        self.names.zones[f"_mta-sts.{domain}"] = records
        self.fetches.policies[domain] = policy

    def tlsa(self, *records, host=MX, secure=True):
        """Let a mail server have these records."""
        name = f"_25._tcp.{host}"
        self.names.zones[name] = {"TLSA": list(records)}
        (self.names.secure.add if secure else self.names.secure.discard)(name)

    def begin(
        self, domain=DOMAIN, host=MX, base=OPPORTUNISTIC, *, canonical=None, secure=False, **more
    ):
        server = MailServer(name=host, canonical=canonical or host, secure=secure, **more)
        return self.policies.of(domain, server, base)

    def ask(self, *args, **more):
        """Return what applies; it must be known without waiting."""
        return known(self.begin(*args, **more))


def known(deferred):
    results = []
    deferred.addBoth(results.append)
    assert results, "nothing is known yet"
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result
