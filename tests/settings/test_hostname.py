from __future__ import annotations

import pytest

from multisendcon_plugin.settings import hostname
from multisendcon_plugin.settings.hostname import is_full, own_hostname

HOSTS = """
127.0.0.1   localhost
127.0.1.1   relay.example.com relay   # the first name is the full one
192.0.2.7   other.example.com other

::1         localhost ip6-localhost
"""


@pytest.mark.parametrize(
    ("given", "hosts", "name"),
    [
        ("relay", HOSTS, "relay.example.com"),
        ("RELAY", HOSTS, "relay.example.com"),
        ("relay.example.net", HOSTS, "relay.example.net"),
        ("other", HOSTS, "other.example.com"),
        ("elsewhere", HOSTS, "elsewhere"),
        ("localhost", HOSTS, "localhost"),
        ("relay", "127.0.0.1 localhost relay\n", "relay"),
        ("relay", "127.0.0.1 localhost.localdomain localhost relay\n", "relay"),
        ("relay", "127.0.0.1 relay relay.example.com", "relay.example.com"),
        ("relay", "127.0.0.1 relay\n192.0.2.7 mail.example.com relay\n", "mail.example.com"),
        ("relay", "#127.0.1.1 relay.example.com relay\n", "relay"),
        ("relay", "127.0.1.1 # relay.example.com relay\n", "relay"),
        ("relay", "127.0.1.1\n\n", "relay"),
        ("relay", "127.0.1.1 big-relay.example.com big-relay\n", "relay"),
        ("relay.localdomain", "192.0.2.7 relay.example.com relay.localdomain", "relay.example.com"),
        ("relay", "\xff 192.0.2.7", "relay"),
        ("relay", None, "relay"),
    ],
)
def test_the_name_of_this_machine(monkeypatch, tmp_path, given, hosts, name):
    monkeypatch.setattr(hostname.socket, "gethostname", lambda: given)
    path = tmp_path / "hosts"
    if hosts is not None:
        path.write_text(hosts, "latin-1")
    assert own_hostname(path) == name


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("relay.example.com", True),
        ("relay.local", True),
        ("[192.0.2.1]", True),
        ("[IPv6:2001:db8::1]", True),
        ("relay", False),
        ("localhost", False),
        ("localhost.localdomain", False),
        ("relay.LocalDomain", False),
        ("relay.localhost", False),
        ("", False),
    ],
)
def test_what_a_full_name_is(name, full):
    assert is_full(name) is full
