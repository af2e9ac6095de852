from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from multisendcon_plugin.edge.peers import counted_as, listed, peer_address, settings_for
from multisendcon_plugin.settings.values import BareLf, ClientSettings


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_address_of_a_peer(host, address):
    assert peer_address(host) == ip_address(address)


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("192.0.2.1", ip_address("192.0.2.1")),
        ("::ffff:192.0.2.1", ip_address("192.0.2.1")),
        ("2001:db8::1", ip_network("2001:db8::/64")),
        ("2001:db8::ffff:ffff:ffff:ffff", ip_network("2001:db8::/64")),
        ("2001:db8:0:1::1", ip_network("2001:db8:0:1::/64")),
        ("fe80::1%eth0", ip_network("fe80::/64")),
        ("::1", ip_network("::/64")),
    ],
)
def test_what_the_connections_of_a_peer_are_counted_by(host, place):
    assert counted_as(host) == place


SCANNER = ClientSettings(addresses=(ip_network("192.0.2.7"),), bare_lf=BareLf.FIX)
OFFICE = ClientSettings(addresses=(ip_network("198.51.100.0/24"), ip_network("192.0.2.0/24")))
FAR = ClientSettings(addresses=(ip_network("2001:db8::/32"),))


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("192.0.2.7", SCANNER),
        ("::ffff:192.0.2.7", SCANNER),
        ("192.0.2.8", OFFICE),
        ("198.51.100.1", OFFICE),
        ("2001:db8:1::1", FAR),
        ("203.0.113.1", None),
        ("::1", None),
    ],
)
def test_first_table_that_lists_an_address_applies(host, settings):
    assert settings_for(host, [SCANNER, OFFICE, FAR]) is settings


def test_a_table_behind_a_wider_one_never_applies():
    assert settings_for("192.0.2.7", [OFFICE, SCANNER]) is OFFICE


def test_an_ipv4_client_is_listed_by_no_ipv6_network():
    assert not listed("::ffff:192.0.2.1", [ip_network("::/0")])
