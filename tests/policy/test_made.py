"""All of it together, as the relay makes it."""

from __future__ import annotations

from multisendcon_plugin.dns import Txt
from multisendcon_plugin.interfaces.policies import MailServer, PolicyName
from multisendcon_plugin.policy import make_policies
from multisendcon_plugin.policy.store import FILE
from multisendcon_plugin.testing import FakeNames
from tests.reactors import QueueReactor


def test_policies_begin_answer_and_end(tmp_path):
    reactor = QueueReactor()
    names = FakeNames(zones={"_mta-sts.example.com": {"TXT": [Txt("v=STSv1; id=1")]}})
    policies = make_policies(reactor, names, str(tmp_path), reactor.seconds, allow_private=bool)
    policies.start()
    mx = MailServer(name="mx1.example.com", canonical="mx1.example.com")
    policy = reactor.wait(policies.of("example.com", mx))
    assert policy.name is PolicyName.OPPORTUNISTIC
    assert policy.finding.text == (
        "the policy at mta-sts.example.com cannot be fetched: it has no address that can be reached"
        " from here"
    )
    reactor.wait(policies.stop())
    assert (tmp_path / FILE).exists()
