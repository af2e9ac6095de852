"""What the search for a host has come to, when none takes the mail."""

from __future__ import annotations

import pytest

from multisendcon_plugin.mail.message import Recipient
from multisendcon_plugin.mail.phase import Phase
from multisendcon_plugin.mail.reply import Reply
from multisendcon_plugin.outcome.attempt import AccountFault, Scope, Verdict
from multisendcon_plugin.outcome.failure import Action
from multisendcon_plugin.relay.direct.verdict import UnusableHost, none_usable

RECIPIENTS = tuple(Recipient(address=f"{n}@b.example", reason="") for n in range(2))
NEVER = AccountFault.of(Phase.GREETING, Reply(521, "", "no mail here"), Action.REST)
NOT_NOW = AccountFault.of(Phase.GREETING, Reply(554, "", "no service"), Action.REST)
DEAD = AccountFault.of(Phase.CONNECT, Reply(0, "4.4.1", "refused"), Action.REST)


@pytest.mark.parametrize(
    ("faults", "all_tried", "verdict"),
    [
        ([NEVER], True, Verdict.FAILED),
        ([NEVER, NEVER], True, Verdict.FAILED),
        ([NEVER, NEVER], False, Verdict.DEFERRED),
        ([NEVER, NOT_NOW], True, Verdict.DEFERRED),
        ([NEVER, DEAD], True, Verdict.DEFERRED),
        ([NOT_NOW], True, Verdict.DEFERRED),
    ],
)
def test_mail_fails_only_where_no_host_ever_takes_any(faults, all_tried, verdict):
    named = [UnusableHost(f"mx{n}.b.example", "dane", fault) for n, fault in enumerate(faults)]
    attempt = none_usable(RECIPIENTS, named, all_tried=all_tried)
    assert [each.verdict for each in attempt.outcomes] == [verdict] * 2
    assert (attempt.fault is None) is (verdict is Verdict.FAILED)
    assert attempt.scope is Scope.DESTINATION


def test_the_last_server_that_has_said_something_is_told():
    named = [
        UnusableHost("mx1", "dane", NOT_NOW),
        UnusableHost("mx2", "mta-sts", NEVER),
        UnusableHost("mx3", "dane", DEAD),
    ]
    attempt = none_usable(RECIPIENTS, named, all_tried=True)
    assert (attempt.server, attempt.policy) == ("mx2", "mta-sts")
    assert str(attempt.fault) == "greeting: 521 no mail here (from mx2; 3 mail servers were tried)"


def test_one_that_lacks_what_tls_is_to_have_is_told_whatever_others_say():
    lacks = AccountFault.of(Phase.TLS, Reply(0, "4.7.0", "no certificate"), Action.REST)
    named = [
        UnusableHost("mx1", "dane", lacks),
        UnusableHost("mx2", "dane", NOT_NOW),
        UnusableHost("mx3", "dane", DEAD),
    ]
    attempt = none_usable(RECIPIENTS, named, all_tried=True)
    assert attempt.server == "mx1"
    assert attempt.fault.phase is Phase.TLS
