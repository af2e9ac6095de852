"""TLS with the mail servers of strangers: by nobody's word, by MTA-STS, and by DANE."""

from __future__ import annotations

import pytest

from tests.interop.dns.block import needs_ports
from tests.interop.dns.name_servers import NEEDED
from tests.interop.dns.policy_hosts import policy
from tests.interop.dns.world import World, own_tlsa
from tests.interop.dns.zones import Zone, tlsa

pytestmark = [NEEDED, needs_ports()]

OTHER = "00" * 32


def fill(plan):
    def domain(name, *, certificate=None, more=(), **how):
        plan.host(f"mx.{name}", certificate)
        plan.domain(name, "mx", more=more, **how)

    wrong, right = plan.distrusted, plan.valid
    domain("clear.test")
    domain("opportunistic.test", certificate=wrong("mx.nowhere.test"))
    _add_mta_sts(plan, domain)

    # DANE.
    pems = {name: wrong("some.name.test") for name in ("match", "mismatch", "authority")}
    domain(
        "match.test",
        certificate=pems["match"],
        more=[own_tlsa("mx", pems["match"])],
        signed=True,
    )
    domain(
        "mismatch.test",
        certificate=pems["mismatch"],
        more=[tlsa("mx", f"3 1 1 {OTHER}")],
        signed=True,
    )
    domain(
        "clear-dane.test",
        more=[tlsa("mx", f"3 1 1 {OTHER}")],
        signed=True,
    )
    domain(
        "unusable.test",
        certificate=wrong("mx.unusable.test"),
        more=[tlsa("mx", f"1 1 1 {OTHER}"), tlsa("mx", f"3 1 9 {OTHER}")],
        signed=True,
    )
    domain("clear-unusable.test", more=[tlsa("mx", f"0 0 1 {OTHER}")], signed=True)
    # Records that nobody has signed are no records.
    domain(
        "unsigned.test",
        certificate=wrong("mx.unsigned.test"),
        more=[tlsa("mx", f"3 1 1 {OTHER}")],
    )
    domain("bogus.test", certificate=right("mx.bogus.test"), bogus=True)
    # Only the DANE records cannot be verified: they are in a zone of their own.
    domain("bogus-tlsa.test", certificate=right("mx.bogus-tlsa.test"), signed=True)
    plan.zones["_tcp.mx.bogus-tlsa.test"] = Zone(
        "_tcp.mx.bogus-tlsa.test", [f"_25 TLSA 3 1 1 {OTHER}"], bogus=True
    )
    # DANE is above MTA-STS: its certificate is enough, and without it nothing is.
    pem = wrong("mx.nowhere.test")
    domain(
        "dane-over-sts.test",
        certificate=pem,
        more=[own_tlsa("mx", pem), *plan.policy("dane-over-sts.test", policy("enforce", "mx.*"))],
        signed=True,
    )
    domain(
        "sts-no-excuse.test",
        certificate=right("mx.sts-no-excuse.test"),
        more=[
            tlsa("mx", f"3 1 1 {OTHER}"),
            *plan.policy("sts-no-excuse.test", policy("enforce", "mx.sts-no-excuse.test")),
        ],
        signed=True,
    )


def _add_mta_sts(plan, domain):
    for name, mode, certificate in (
        ("enforced", "enforce", plan.valid("mx.enforced.test")),
        ("wrong", "enforce", plan.valid("mx.nowhere.test")),
        ("distrusted", "enforce", plan.distrusted("mx.distrusted.test")),
        ("expired", "enforce", plan.valid("mx.expired.test", days=(-30, -1))),
        ("early", "enforce", plan.valid("mx.early.test", days=(1, 30))),
        ("no-tls", "enforce", None),
        ("testing", "testing", plan.distrusted("mx.testing.test")),
        ("none", "none", plan.distrusted("mx.none.test")),
        ("changing", "testing", plan.distrusted("mx.changing.test")),
    ):
        text = policy(mode, f"mx.{name}.test")
        more = plan.policy(f"{name}.test", text)
        domain(f"{name}.test", certificate=certificate, more=more, ttl=1)
    # The policy names other servers.
    domain(
        "not-named.test",
        certificate=plan.valid("mx.not-named.test"),
        more=plan.policy("not-named.test", policy("enforce", "*.nowhere.test")),
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("tls"), fill) as world:
        yield world


def delivered(world, domain):
    """Return the mail to a domain, as its server has taken it."""
    taken = world.deliver(f"a@{domain}")
    assert taken.host == f"mx.{domain}"
    return taken


def deferred(world, domain, policy):
    """Send a mail that has to wait, because of a policy as the log says; return why."""
    world.send(f"a@{domain}")
    why = world.deferred(f"a@{domain}")
    assert f" for mail to {domain} ({policy})" in world.relay.log.read_text()
    return why


def test_without_a_policy_there_is_tls_with_anybody_or_none(world):
    assert delivered(world, "opportunistic.test").tls.startswith("TLS")
    assert delivered(world, "clear.test").tls == ""


class TestMtaSts:
    def test_what_is_enforced_is_delivered_to_a_valid_certificate(self, world):
        taken = delivered(world, "enforced.test")
        assert taken.tls.startswith("TLS")
        assert taken.sni == "mx.enforced.test"
        assert "enforced.test" in world.web.asked

    @pytest.mark.parametrize("domain", ["wrong.test", "distrusted.test", "no-tls.test"])
    def test_what_is_enforced_and_not_so_waits(self, world, domain):
        assert deferred(world, domain, "mta-sts")

    @pytest.mark.parametrize(
        ("domain", "text"),
        [
            ("expired.test", "the certificate has expired"),
            ("early.test", "the certificate is not valid yet"),
        ],
    )
    def test_a_certificate_has_its_time_and_it_is_said_when_it_is_not_that(
        self, world, domain, text
    ):
        assert text in deferred(world, domain, "mta-sts")

    def test_a_server_that_the_policy_does_not_name_gets_nothing(self, world):
        world.send("a@not-named.test")
        assert "mta-sts" in world.deferred("a@not-named.test")

    @pytest.mark.parametrize("domain", ["testing.test", "none.test"])
    def test_what_is_not_enforced_is_delivered(self, world, domain):
        assert delivered(world, domain).tls.startswith("TLS")

    def test_a_policy_that_changes_is_fetched_anew(self, world):
        delivered(world, "changing.test")
        zone = world.plan.zones["changing.test"]
        text = policy("enforce", "mx.changing.test")
        world.web.policies["changing.test"] = text
        records = [each.replace("id=1", "id=2") for each in zone.records]
        world.names.knot.change(Zone(zone.name, records, ttl=1))

        # Whoever was asked before keeps the answer for a second at most.
        def waits():
            world.send("b@changing.test")
            return any(each["attempts"] for each in world.waiting("b@changing.test"))

        world.until(waits, "the policy is obeyed")
        assert world.web.asked.count("changing.test") == 2


class TestDane:
    def test_the_certificate_of_the_record_is_enough(self, world):
        taken = delivered(world, "match.test")
        assert taken.tls.startswith("TLS")
        assert taken.sni == "mx.match.test"

    @pytest.mark.parametrize("domain", ["mismatch.test", "clear-dane.test", "sts-no-excuse.test"])
    def test_another_certificate_gets_nothing(self, world, domain):
        assert deferred(world, domain, "dane")

    def test_records_of_no_use_demand_tls_with_anybody(self, world):
        assert delivered(world, "unusable.test").tls.startswith("TLS")
        assert deferred(world, "clear-unusable.test", "dane")

    def test_records_that_are_not_signed_demand_nothing(self, world):
        assert delivered(world, "unsigned.test").tls.startswith("TLS")

    @pytest.mark.parametrize("domain", ["bogus.test", "bogus-tlsa.test"])
    def test_what_cannot_be_verified_waits(self, world, domain):
        world.send(f"a@{domain}")
        assert world.deferred(f"a@{domain}")

    def test_it_is_above_mta_sts(self, world):
        assert delivered(world, "dane-over-sts.test").tls.startswith("TLS")


@pytest.mark.parametrize(
    ("domain", "policy"),
    [
        ("opportunistic.test", "opportunistic"),
        ("enforced.test", "mta-sts"),
        ("match.test", "dane"),
    ],
)
def test_the_history_says_which_policy_applied(world, domain, policy):
    recipient = f"history@{domain}"
    world.deliver(recipient)
    world.until(lambda: policy in str(world.story(recipient)["events"]).lower(), "it is told")
