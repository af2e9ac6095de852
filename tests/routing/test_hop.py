"""What a hop demands of its connection, and what an account says of its own."""

from __future__ import annotations

import pytest

from multisendcon_plugin.routing.account import Account
from multisendcon_plugin.routing.dane import Dane
from multisendcon_plugin.routing.hop import Hop, Tls, TlsPolicy

DANE = Dane(base="mx.example", names=(), records=())
DEMANDS = [
    {"login": True},
    {"client_certificate": "pem"},
    {"fingerprint": "00" * 32},
    {"dane": DANE},
]


def hop(mode, *, port=25, login=False, **policy):
    return Hop(host="mx.example", port=port, login=login, tls=TlsPolicy(mode=mode, **policy))


def demanded(one):
    return one.implicit_tls, one.tls_required, one.tls_dispensable


@pytest.mark.parametrize(
    ("mode", "implicit", "required", "dispensable"),
    [
        (Tls.AUTO, False, False, False),
        (Tls.IMPLICIT, True, True, False),
        (Tls.STARTTLS, False, True, False),
        (Tls.OPPORTUNISTIC, False, False, True),
        (Tls.NONE, False, False, False),
    ],
)
def test_without_a_demand_the_mode_says_what_is_required(mode, implicit, required, dispensable):
    assert demanded(hop(mode)) == (implicit, required, dispensable)


@pytest.mark.parametrize("demand", DEMANDS)
@pytest.mark.parametrize("mode", [mode for mode in Tls if mode is not Tls.NONE])
def test_a_login_a_certificate_and_a_fingerprint_demand_tls(mode, demand):
    assert demanded(hop(mode, **demand)) == (mode is Tls.IMPLICIT, True, False)


@pytest.mark.parametrize("demand", DEMANDS)
def test_without_tls_there_is_none_whatever_is_demanded(demand):
    assert demanded(hop(Tls.NONE, **demand)) == (False, False, False)


@pytest.mark.parametrize("mode", Tls)
def test_port_465_begins_with_tls_unless_the_mode_says_otherwise(mode):
    assert hop(mode, port=465).implicit_tls is (mode in (Tls.AUTO, Tls.IMPLICIT))


def test_an_account_says_how_its_server_is_reached():
    account = Account(
        name="Sales",
        server="mx.example",
        port=587,
        username="sales",
        password="s3cret",
        local_address=("192.0.2.1",),
        helo_domain="relay.example.com",
        tls=Tls.STARTTLS,
        tls_verify=False,
        tls_ca="ca.pem",
        tls_name="mail.example",
        tls_fingerprint="00" * 32,
        tls_ciphers="ECDHE",
        tls_client_certificate="own.pem",
        tls_client_key="own.key",
    )
    assert account.hop == Hop(
        host="mx.example",
        port=587,
        local_addresses=("192.0.2.1",),
        helo_name="relay.example.com",
        login=True,
        tls=TlsPolicy(
            mode=Tls.STARTTLS,
            verify=False,
            ca="ca.pem",
            name="mail.example",
            fingerprint="00" * 32,
            ciphers="ECDHE",
            client_certificate="own.pem",
            client_key="own.key",
        ),
    )
    assert "s3cret" not in repr(account.hop)


def test_accounts_that_differ_in_what_follows_the_login_have_the_same_hop():
    one, other = (
        Account(name=name, server="mx.example", username=name, password=name) for name in "AB"
    )
    assert one.hop == other.hop
    assert hash(one.hop) == hash(other.hop)
    assert one.hop != Account(name="C", server="mx.example").hop
