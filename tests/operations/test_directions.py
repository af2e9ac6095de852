"""Where the mail of direct accounts goes, as an explanation says it."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from multisendcon_plugin.dns import Mx
from multisendcon_plugin.events import Publisher
from multisendcon_plugin.interfaces.policies import HostPolicy, PolicyName
from multisendcon_plugin.operations.directions import ANSWERS_WITHIN, MOST_DOMAINS, Directions
from multisendcon_plugin.operations.explained import ExplainedHost
from multisendcon_plugin.operations.explanation import explain
from multisendcon_plugin.operations.json_form import to_json
from multisendcon_plugin.operations.values import Question
from multisendcon_plugin.relay.direct import MailServers, Ourselves, Routes
from multisendcon_plugin.routing.account import Account, AccountType
from multisendcon_plugin.routing.hop import Tls, TlsPolicy
from multisendcon_plugin.routing.registry import AccountRegistry
from multisendcon_plugin.settings.destinations import Destinations
from multisendcon_plugin.settings.values import MasterRelay
from multisendcon_plugin.testing import FakeNames, FakePolicies

ZONES = {
    "b.example": {"MX": [Mx(20, "mx2.b.example"), Mx(10, "mx1.b.example")]},
    "mx1.b.example": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "mx2.b.example": {"A": ["192.0.2.2"]},
    "null.example": {"MX": [Mx(0, ".")]},
    "loop.example": {"MX": [Mx(10, "relay.example")]},
}
DIRECT = Account(name="Directly", type=AccountType.DIRECT, helo_domain="out.example")


class SilentPolicies(FakePolicies):
    """Never knows."""

    def of(self, *_):
        return Deferred()


class Guide:
    """Directions in a DNS that the test writes."""

    def __init__(self, *accounts, policies=None):
        self.clock = Clock()
        self.names = FakeNames(zones=dict(ZONES), clock=self.clock)
        self.policies = policies or FakePolicies()
        self.registry = AccountRegistry(accounts or (DIRECT,))
        ours = Ourselves(names=frozenset({"relay.example"}))
        servers = MailServers(
            routes=Routes(self.names, lambda: ours, lambda: True, list.reverse),
            policies=self.policies,
            destinations=Destinations,
            events=Publisher(),
            jitter=lambda: 0.0,
        )
        self.made = []

        def make():
            self.made.append(servers)
            return servers

        self.directions = Directions(make, lambda: self.registry, self.clock)

    def begin(self, *recipients):
        question = Question(sender="a@a.example", recipients=recipients)

        async def ask():
            settings = MasterRelay(hostname="relay.example")
            explanation = await explain(settings, self.registry, question, 0.0)
            return await self.directions.added_to(explanation)

        results = []
        Deferred.fromCoroutine(ask()).addBoth(results.append)
        return results

    def ask(self, *recipients):
        """Return the one account of an explanation."""
        (explanation,) = self.begin(*recipients)
        (departure,) = explanation.accounts
        return departure


def test_the_servers_are_named_in_order_with_addresses_and_policy():
    departure = Guide().ask("r@b.example", "s@B.example")
    assert departure.type == "direct"
    (route,) = departure.routes
    assert (route.destination, route.problem) == ("b.example", "")
    first, second = route.hosts
    assert first == ExplainedHost(
        name="mx1.b.example",
        preference=10,
        addresses=("2001:db8::1", "192.0.2.1"),
        policy="opportunistic",
        testing=False,
        tls="opportunistic",
        tls_required=False,
        why="b.example demands nothing",
    )
    assert (second.name, second.preference) == ("mx2.b.example", 20)


def test_the_policy_is_that_of_the_server():
    guide = Guide()
    guide.policies.hosts = {
        "mx1.b.example": HostPolicy(
            name=PolicyName.MTA_STS,
            tls=TlsPolicy(mode=Tls.STARTTLS),
            why="a certificate is wanted",
            domain="b.example",
        ),
        "mx2.b.example": HostPolicy(
            name=PolicyName.DANE, tls=None, why="nobody knows its records", domain="b.example"
        ),
    }
    first, second = guide.ask("r@b.example").routes[0].hosts
    assert (first.policy, first.tls, first.tls_required) == ("mta-sts", "starttls", True)
    assert (second.policy, second.tls, second.why) == ("dane", None, "nobody knows its records")


@pytest.mark.parametrize(
    ("recipient", "problem", "temporary"),
    [
        ("r@null.example", "556 5.1.10 the domain null.example takes no mail (null MX)", False),
        ("r@no.example", "5.1.2 the domain no.example does not exist", False),
        ("r@loop.example", "5.4.6 mail for loop.example loops back to this relay", False),
        ("r@broken.example", "4.4.3 MX of broken.example: SERVFAIL", True),
    ],
)
def test_it_is_said_why_there_is_no_way(recipient, problem, temporary):
    guide = Guide()
    guide.names.failures["broken.example"] = "SERVFAIL"
    (route,) = guide.ask(recipient).routes
    assert (route.hosts, route.temporary) == ((), temporary)
    assert problem in route.problem


def test_a_dns_that_does_not_answer_is_waited_for_only_so_long():
    guide = Guide()
    guide.names.held = True
    results = guide.begin("r@b.example", "r@null.example")
    guide.clock.advance(ANSWERS_WITHIN - 0.1)
    assert results == []
    guide.clock.advance(0.1)
    routes = results[0].accounts[0].routes
    assert [each.problem for each in routes] == ["no answer of the DNS for 10 s"] * 2


def test_a_policy_that_does_not_come_is_waited_for_only_so_long():
    guide = Guide(policies=SilentPolicies())
    results = guide.begin("r@b.example")
    guide.clock.advance(ANSWERS_WITHIN)
    host = results[0].accounts[0].routes[0].hosts[0]
    assert (host.tls, host.why) == (None, "its policy is not known after 10 s")


def test_only_so_many_domains_are_looked_up():
    guide = Guide()
    routes = guide.ask(*(f"r@d{n}.example" for n in range(MOST_DOMAINS + 2))).routes
    assert [each.problem for each in routes[MOST_DOMAINS - 1 :]] == [
        f"5.1.2 the domain d{MOST_DOMAINS - 1}.example does not exist",
        *[f"not looked up: only the first {MOST_DOMAINS} domains are"] * 2,
    ]
    assert len(guide.names.asked) == MOST_DOMAINS


def test_for_other_accounts_nothing_is_made_or_asked():
    guide = Guide(Account(name="Provider", server="mx.example"))
    departure = guide.ask("r@b.example")
    assert (departure.type, departure.routes) == ("smtp", None)
    assert guide.made == []


def test_policies_are_asked_for_as_an_attempt_does():
    guide = Guide()
    guide.ask("r@b.example")
    assert [each.name for _, each in guide.policies.asked] == ["mx1.b.example", "mx2.b.example"]


def test_the_names_in_json_are_those_of_the_design():
    told = to_json(Guide().ask("r@b.example"))
    assert set(told["routes"][0]["hosts"][0]) >= {"name", "addresses", "policy"}
