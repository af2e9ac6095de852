"""From where a request comes, by what proxies say of it."""

from __future__ import annotations

import pytest

from multisendcon_plugin.page.addresses import client_behind, is_one_of
from multisendcon_plugin.settings.names import network

PROXIES = (network("192.0.2.1"), network("2001:db8::/64"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.1"], "198.51.100.1"),
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.1"], "203.0.113.1"),
        # The first one may be what the client has said.
        ("192.0.2.1", ["127.0.0.1, 203.0.113.1"], "203.0.113.1"),
        ("192.0.2.1", ["127.0.0.1", "203.0.113.1"], "203.0.113.1"),
        ("192.0.2.1", ["203.0.113.1, 2001:db8::7"], "203.0.113.1"),
        ("::ffff:192.0.2.1", ["203.0.113.1"], "203.0.113.1"),
        ("192.0.2.1", ["203.0.113.1:50000"], "203.0.113.1"),
        ("192.0.2.1", ["[2001:DB8:1::7]:50000"], "2001:db8:1::7"),
        ("192.0.2.1", ["::ffff:203.0.113.1"], "203.0.113.1"),
        ("192.0.2.1", ["203.0.113.1, unknown"], "192.0.2.1"),
        ("192.0.2.1", ["<script>\n"], "192.0.2.1"),
        ("192.0.2.1", [""], "192.0.2.1"),
        ("192.0.2.1", ["192.0.2.1, 2001:db8::7"], "192.0.2.1"),
        ("", ["203.0.113.1"], ""),
    ],
)
def test_the_client(peer, forwarded, client):
    assert client_behind(peer, forwarded, PROXIES) == client


@pytest.mark.parametrize(
    ("address", "is_one"),
    [
        ("192.0.2.1", True),
        ("::ffff:192.0.2.1", True),
        ("2001:db8::1%eth0", True),
        ("192.0.2.2", False),
        ("", False),
        ("a local socket", False),
    ],
)
def test_an_address_of_a_proxy(address, is_one):
    assert is_one_of(address, PROXIES) is is_one
