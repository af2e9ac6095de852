"""What domains demand of the TLS of their servers, and what is told of it."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.events import TlsPolicyApplied
from multisendcon_plugin.interfaces.policies import OPPORTUNISTIC, HostPolicy, PolicyName
from multisendcon_plugin.outcome.attempt import Scope
from multisendcon_plugin.outcome.tls import TlsFinding, TlsResult
from multisendcon_plugin.routing.hop import Tls, TlsPolicy
from tests.relay.direct.world import Mailing, said
from tests.relays import CLOSE, Server, ehlo

ONE, TWO = "198.51.100.1", "198.51.100.2"
REQUIRED = TlsPolicy(mode=Tls.STARTTLS, verify=False)


def policy(tls, **more):
    return HostPolicy(
        name=PolicyName.MTA_STS, tls=tls, why="b.example demands it", domain="b.example", **more
    )


def mailing_to(*servers, **policies):
    mailing = Mailing()
    names = [f"mx{n}.b.example" for n, _ in enumerate(servers, 1)]
    mailing.domain("b.example", *names)
    for n, server in enumerate(servers, 1):
        mailing.host(f"mx{n}.b.example", f"198.51.100.{n}", server=server)
    mailing.policies.hosts = {f"{name}.b.example": each for name, each in policies.items()}
    return mailing


def with_tls():
    return Server("STARTTLS")


def test_a_server_that_must_not_be_used_is_not_and_the_next_one_is():
    mailing = mailing_to(with_tls, with_tls, mx1=policy(None))
    assert said(mailing.send())[0] == "delivered"
    assert mailing.tried == [TWO]


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        (HostPolicy(name=PolicyName.DANE, tls=REQUIRED, why="", domain=""), "dane"),
        (policy(REQUIRED), "mta-sts"),
        (policy(OPPORTUNISTIC, testing=True), "testing"),
        (policy(None), "mta-sts"),
    ],
)
def test_an_attempt_says_which_policy_applied(applied, expected):
    for server in (with_tls, lambda: Server("STARTTLS", GREETING="554 no")):
        mailing = mailing_to(server, mx1=applied)
        assert mailing.send().policy == expected
        assert mailing.send().policy == expected  # also of a host that rests


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        (Tls.AUTO, "opportunistic"),
        (Tls.STARTTLS, "opportunistic"),
        (Tls.OPPORTUNISTIC, "opportunistic"),
        (Tls.NONE, "none"),
    ],
)
def test_where_no_domain_demands_anything_it_is_the_account_s(tls, expected):
    mailing = mailing_to(with_tls)
    mailing.relay = mailing.relays.of(attrs.evolve(mailing.account, tls=tls))
    assert mailing.send().policy == expected


def test_without_a_host_there_is_none():
    assert Mailing().send().policy == ""


def test_where_none_may_be_used_the_mail_waits():
    mailing = mailing_to(with_tls, mx1=policy(None))
    attempt = mailing.send()
    assert said(attempt) == ("deferred", "tls", "4.7.0 b.example demands it")
    assert attempt.fault.scope is Scope.DESTINATION
    assert not mailing.tried


def test_what_fails_says_who_demands_it():
    mailing = mailing_to(Server, mx1=policy(REQUIRED))
    (_, phase, text) = said(mailing.send())
    assert phase == "tls"
    assert text.endswith("(TLS is required); b.example demands it")


def test_mail_is_not_sent_in_the_clear_where_tls_is_demanded():
    mailing = mailing_to(Server, with_tls, mx1=policy(REQUIRED), mx2=policy(REQUIRED))
    attempt = mailing.send()
    assert said(attempt)[0] == "delivered"
    assert mailing.tried == [ONE, TWO]
    assert attempt.session.endswith("TLSv1.3, mx2.b.example, mta-sts")


def test_where_nothing_is_demanded_any_tls_will_do_and_none_as_well():
    mailing = mailing_to(lambda: Server("STARTTLS", EHLO=[ehlo("STARTTLS"), CLOSE]))
    servers = iter(
        [Server("STARTTLS", EHLO=[ehlo("STARTTLS"), CLOSE], HANDSHAKE="never"), Server()]
    )
    mailing.network.at[ONE] = lambda: next(servers)
    assert said(mailing.send())[0] == "delivered"
    assert mailing.tried == [ONE, ONE]


def test_an_account_may_demand_more_than_domains_do():
    mailing = mailing_to(Server)
    mailing.relay = mailing.relays.of(attrs.evolve(mailing.account, tls=Tls.STARTTLS))
    assert said(mailing.send())[:2] == ("deferred", "tls")


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        (Tls.AUTO, [(Tls.OPPORTUNISTIC, False)]),
        (Tls.STARTTLS, [(Tls.STARTTLS, False)]),
        # Whatever the domain demands.
        (Tls.OPPORTUNISTIC, []),
        (Tls.NONE, []),
    ],
)
def test_certificates_are_verified_only_where_a_domain_demands_it(monkeypatch, tls, expected):
    mailing = mailing_to(with_tls)
    mailing.relay = mailing.relays.of(attrs.evolve(mailing.account, tls=tls))
    bases = []
    answer = mailing.policies.of

    def noted(domain, server, base):
        bases.append(base)
        return answer(domain, server, base)

    monkeypatch.setattr(type(mailing.policies), "of", lambda _, *arguments: noted(*arguments))
    mailing.send()
    assert [(base.mode, base.verify) for base in bases] == expected


def test_a_host_with_a_name_that_no_certificate_has_is_not_verified():
    mailing = Mailing()
    mailing.host("a:b.b.example", ONE, server=with_tls)
    mailing.domain("b.example", "a:b.b.example")
    demanded = TlsPolicy(mode=Tls.STARTTLS)
    mailing.policies.hosts = {"a:b.b.example": policy(demanded)}
    mailing.send()
    assert mailing.tried == [ONE]


def test_sessions_are_not_shared_by_domains_that_demand_other_tls():
    mailing = Mailing()
    mailing.host("mx.provider.example", ONE, server=with_tls)
    for name in ("b.example", "c.example"):
        mailing.domain(name, "mx.provider.example")
    mailing.send("b.example")
    mailing.policies.hosts = {"mx.provider.example": policy(REQUIRED)}
    mailing.send("c.example")
    assert mailing.tried == [ONE, ONE]
    mailing.send("c.example")
    assert mailing.tried == [ONE, ONE]


def test_each_session_is_told_once_with_the_policy_that_applied():
    mailing = mailing_to(with_tls, mx1=policy(REQUIRED, strings=("version: STSv1",)))
    mailing.send()
    mailing.send()
    assert mailing.told == [
        TlsPolicyApplied(
            account="Direct",
            policy="mta-sts",
            domain="b.example",
            recipient_domain="b.example",
            strings=("version: STSv1",),
            server="mx1.b.example",
            address=ONE,
            local_address="192.0.2.10",
        )
    ]


def test_a_session_that_failed_is_told_with_what_was_wrong():
    mailing = mailing_to(Server, mx1=policy(REQUIRED))
    mailing.send()
    [told] = mailing.told
    assert told.result is TlsResult.STARTTLS_NOT_SUPPORTED
    assert told.address == ONE


def test_a_server_that_a_policy_lets_have_nothing_is_told_too():
    finding = TlsFinding(TlsResult.VALIDATION_FAILURE, "not named")
    mailing = mailing_to(with_tls, mx1=policy(None, finding=finding))
    mailing.send()
    [told] = mailing.told
    assert (told.server, told.address, told.result) == ("mx1.b.example", "", finding.result)
    assert told.reason == "not named"


@pytest.mark.parametrize("answers", [{"GREETING": "554 no"}, {"GREETING": CLOSE}])
def test_what_ends_before_tls_says_nothing_of_it(answers):
    mailing = mailing_to(lambda: Server(**answers), mx1=policy(REQUIRED))
    mailing.send()
    assert mailing.told == []


def test_what_is_wrong_with_a_policy_is_told_too():
    finding = TlsFinding(TlsResult.STS_POLICY_FETCH_ERROR, "no answer")
    mailing = mailing_to(with_tls, mx1=policy(OPPORTUNISTIC, testing=True, finding=finding))
    attempt = mailing.send()
    [told] = mailing.told
    assert (told.result, told.reason, told.testing) == (finding.result, "no answer", True)
    assert attempt.session.endswith("mta-sts in testing mode: no answer")
