"""What sessions with a mail server have to be like: the tables of what domains may publish."""

from __future__ import annotations

import attrs
import pytest

from multisendcon_plugin.dns import Tlsa
from multisendcon_plugin.interfaces.policies import OPPORTUNISTIC, PolicyName
from multisendcon_plugin.outcome.tls import TlsFinding, TlsResult
from multisendcon_plugin.policy.mta_sts import Mode
from multisendcon_plugin.routing.dane import Dane, DaneRecord, Digest
from multisendcon_plugin.routing.hop import Demand, Hop, Tls, TlsPolicy
from tests.policy.world import DOMAIN, FAILED, MX, World, sts

S256 = b"\x01" * 32
OWN, AUTHORITY, WEB = Tlsa(3, 1, 1, S256), Tlsa(2, 0, 1, S256), Tlsa(1, 1, 1, S256)

# MTA-STS.


def test_where_there_is_no_policy_tls_is_opportunistic():
    policy = World().ask()
    assert policy.name is PolicyName.OPPORTUNISTIC
    assert policy.tls == OPPORTUNISTIC
    assert Hop(host=MX, tls=policy.tls).tls_dispensable
    assert (policy.why, policy.told()) == ("example.com demands nothing", "opportunistic")
    assert policy.finding is None


def test_an_enforced_policy_wants_tls_and_a_valid_certificate_for_the_mail_server():
    world = World()
    world.publish(sts(Mode.ENFORCE, "mx1.example.com", "*.example.net"))
    policy = world.ask()
    assert policy.name is PolicyName.MTA_STS
    assert (policy.tls.mode, policy.tls.verify) == (Tls.STARTTLS, True)
    assert policy.tls.demand is Demand.MTA_STS
    hop = Hop(host=MX, tls=policy.tls)
    assert hop.tls_required
    assert not hop.tls_dispensable
    assert (
        policy.why
        == "the MTA-STS policy of example.com wants a valid certificate for mx1.example.com"
    )
    assert policy.told() == "mta-sts"
    assert policy.domain == DOMAIN
    assert policy.patterns == ("mx1.example.com", "*.example.net")
    assert policy.strings == (
        "version: STSv1",
        "mode: enforce",
        "mx: mx1.example.com",
        "mx: *.example.net",
        "max_age: 604800",
    )
    assert world.ask(host="mx9.example.net").tls == policy.tls


def test_an_enforced_policy_keeps_mail_from_a_server_that_it_does_not_name():
    world = World()
    world.publish(sts(Mode.ENFORCE, "mx1.example.com", "*.example.net"))
    policy = world.ask(host="mx2.example.com")
    assert policy.tls is None
    assert policy.why == (
        "the MTA-STS policy of example.com does not name mx2.example.com as a mail server, only"
        " mx1.example.com, *.example.net"
    )
    assert policy.finding == TlsFinding(TlsResult.VALIDATION_FAILURE, policy.why)


def test_a_policy_that_is_tested_demands_nothing_but_to_be_told():
    world = World()
    world.publish(sts(Mode.TESTING))
    policy = world.ask()
    assert policy.name is PolicyName.MTA_STS
    assert policy.testing
    assert policy.tls == attrs.evolve(OPPORTUNISTIC, demand=Demand.MTA_STS_TESTING)
    assert Hop(host=MX, tls=policy.tls).tls_dispensable
    assert policy.told() == "mta-sts in testing mode"
    fault = TlsFinding(TlsResult.CERTIFICATE_EXPIRED, "the certificate has expired")
    assert policy.told(fault) == "mta-sts in testing mode: the certificate has expired"
    other = world.ask(host="mx2.example.com")
    assert other.tls == OPPORTUNISTIC
    assert other.finding.result is TlsResult.VALIDATION_FAILURE
    assert other.told() == f"mta-sts in testing mode: {other.why}"


def test_a_policy_of_nothing_is_none():
    world = World()
    world.publish(sts(Mode.NONE))
    assert world.ask().name is PolicyName.OPPORTUNISTIC
    assert world.ask(host="mx2.example.com").tls == OPPORTUNISTIC


def test_a_policy_that_cannot_be_fetched_is_none_and_that_is_told():
    world = World()
    world.publish(FAILED)
    policy = world.ask()
    assert (policy.name, policy.tls) == (PolicyName.OPPORTUNISTIC, OPPORTUNISTIC)
    assert policy.finding == FAILED.finding
    assert policy.why == FAILED.finding.text
    assert policy.told() == "opportunistic"


@pytest.mark.parametrize("mode", list(Mode))
def test_what_the_account_demands_stays_whatever_the_domain_wants(mode):
    world = World()
    world.publish(sts(mode))
    strict = TlsPolicy(mode=Tls.STARTTLS, verify=True, ca="ca.pem", ciphers="X")
    tls = world.ask(base=strict).tls
    assert (tls.mode, tls.verify, tls.ca, tls.ciphers) == (Tls.STARTTLS, True, "ca.pem", "X")
    assert tls.demand is (Demand.MTA_STS if mode is Mode.ENFORCE else Demand.ADMIN)


def test_an_enforced_policy_wants_the_name_of_the_server_and_no_other():
    world = World()
    world.publish(sts())
    base = attrs.evolve(OPPORTUNISTIC, name="other.example", fingerprint="0" * 64)
    assert (world.ask(base=base).tls.name, world.ask(base=base).tls.fingerprint) == (None, None)


def test_an_address_has_no_policy_and_nobody_is_asked():
    world = World()
    policy = world.ask("[192.0.2.1]", "192.0.2.1", secure=True)
    assert policy.tls == OPPORTUNISTIC
    assert not world.names.asked["_mta-sts.[192.0.2.1]", "TXT"]


# DANE.


def test_records_of_a_secure_server_are_what_its_certificate_has_to_match():
    world = World()
    world.tlsa(OWN, AUTHORITY, WEB)
    policy = world.ask(secure=True)
    assert policy.name is PolicyName.DANE
    assert (policy.tls.mode, policy.tls.name) == (Tls.STARTTLS, MX)
    assert policy.tls.dane == Dane(
        base=MX,
        names=(MX, DOMAIN),
        records=(
            DaneRecord(True, False, Digest.SHA256, S256),
            DaneRecord(False, True, Digest.SHA256, S256),
        ),
    )
    assert Hop(host=MX, tls=policy.tls).tls_required
    assert (policy.why, policy.told()) == (
        "DANE says which certificate mx1.example.com has (TLSA _25._tcp.mx1.example.com)",
        "dane",
    )
    assert policy.domain == MX
    assert policy.strings == tuple(f"{each} {S256.hex()}" for each in ("3 1 1", "2 0 1", "1 1 1"))


def test_without_secure_answers_nobody_asks_for_records():
    world = World()
    world.tlsa(OWN)
    assert world.ask(secure=False).name is PolicyName.OPPORTUNISTIC
    assert not world.names.asked[f"_25._tcp.{MX}", "TLSA"]


def test_records_that_are_not_secure_are_none():
    world = World()
    world.tlsa(OWN, secure=False)
    assert world.ask(secure=True).name is PolicyName.OPPORTUNISTIC


def test_records_that_cannot_be_used_demand_tls_with_anybody():
    world = World()
    world.tlsa(WEB)
    policy = world.ask(secure=True)
    assert policy.name is PolicyName.DANE
    assert (policy.tls.mode, policy.tls.verify, policy.tls.dane) == (Tls.STARTTLS, False, None)
    assert Hop(host=MX, tls=policy.tls).tls_required
    assert policy.finding.result is TlsResult.TLSA_INVALID
    assert policy.why == (
        "none of the DANE records of mx1.example.com can be used (TLSA"
        " _25._tcp.mx1.example.com), but it has some, so TLS is required, with any certificate"
    )


def test_a_server_whose_records_cannot_be_looked_up_gets_no_mail():
    world = World()
    world.publish(sts(Mode.NONE))
    world.names.failures[f"_25._tcp.{MX}"] = "the answer is bogus"
    policy = world.ask(secure=True)
    assert policy.tls is None
    assert policy.name is PolicyName.DANE
    assert policy.finding.result is TlsResult.DNSSEC_INVALID
    assert policy.why == (
        "the DANE records of mx1.example.com cannot be looked up: TLSA of"
        " _25._tcp.mx1.example.com: the answer is bogus; until they can, it gets no mail"
    )


def test_a_name_that_is_too_long_for_records_has_none():
    world = World()
    host = ".".join(["a" * 62] * 4)
    assert world.ask(host=host, secure=True).name is PolicyName.OPPORTUNISTIC


def test_the_records_of_an_alias_are_those_of_the_name_behind_it_or_else_its_own():
    world = World()
    real, alias = "mail.example.net", MX
    world.tlsa(OWN, host=real)
    world.tlsa(AUTHORITY, host=alias)
    policy = world.ask(canonical=real, secure=True)
    assert (policy.tls.dane.base, policy.tls.name, policy.domain) == (real, real, real)
    assert policy.tls.dane.names == (real, alias, DOMAIN)
    policy = world.ask(canonical=real, secure=True, expanded="real.example")
    assert policy.tls.dane.names == (real, alias, DOMAIN, "real.example")
    assert not policy.tls.dane.records[0].anchor
    world.tlsa(host=real)
    policy = world.ask(canonical=real, secure=True)
    assert policy.tls.dane.base == alias
    assert policy.tls.dane.names == (alias, real, DOMAIN)
    assert policy.tls.dane.records[0].anchor
    world.tlsa(host=alias)
    assert world.ask(canonical=real, secure=True).name is PolicyName.OPPORTUNISTIC


# Both.


@pytest.mark.parametrize(
    "published", [sts(Mode.ENFORCE), sts(Mode.ENFORCE, "no"), sts(Mode.TESTING), FAILED]
)
def test_dane_comes_before_mta_sts_which_nobody_asks_for_then(published):
    world = World()
    world.publish(published)
    world.tlsa(OWN)
    assert world.ask(secure=True).tls.dane
    world.names.failures[f"_25._tcp.{MX}"] = "no answer"
    assert world.ask(secure=True).tls is None
    assert world.fetches.asked == []


@pytest.mark.parametrize(
    ("published", "name", "verify"),
    [
        (sts(Mode.ENFORCE), PolicyName.MTA_STS, True),
        (sts(Mode.TESTING), PolicyName.DANE, False),
        (sts(Mode.NONE), PolicyName.DANE, False),
        (FAILED, PolicyName.DANE, False),
        (None, PolicyName.DANE, False),
    ],
)
def test_records_that_cannot_be_used_take_nothing_from_what_mta_sts_enforces(
    published, name, verify
):
    world = World()
    world.publish(published)
    world.tlsa(WEB)
    policy = world.ask(secure=True)
    assert policy.name is name
    assert (policy.tls.mode, policy.tls.verify) == (Tls.STARTTLS, verify)


def test_without_records_of_dane_mta_sts_holds_also_for_a_secure_server():
    world = World()
    world.publish(sts())
    assert world.ask(secure=True).name is PolicyName.MTA_STS
