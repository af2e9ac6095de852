"""The servers of the system: what is read of their file, and when."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.dns.system import SystemServers, servers_in
from multisendcon_plugin.settings.dns import NameServer

LOCAL = (NameServer("127.0.0.1"),)


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.53\n", ["192.0.2.53"]),
        ("nameserver 192.0.2.53\nnameserver 2001:DB8::53", ["192.0.2.53", "2001:db8::53"]),
        ("nameserver\t192.0.2.53 # ours\n", ["192.0.2.53"]),
        ("nameserver fe80::1%lo\n", ["fe80::1%lo"]),
        ("#nameserver 192.0.2.1\n; nameserver 192.0.2.2\nsearch example.com\n", ["127.0.0.1"]),
        ("nameserver ns.example\nnameserver\noptions ndots:2", ["127.0.0.1"]),
        ("nameserver 192.0.2.1\n" * 2 + "nameserver 192.0.2.2", ["192.0.2.1", "192.0.2.2"]),
        (
            "".join(f"nameserver 192.0.2.{n}\n" for n in range(1, 9)),
            [f"192.0.2.{n}" for n in (1, 2, 3)],
        ),
        ("", ["127.0.0.1"]),
    ],
)
def test_what_is_read(text, servers):
    assert servers_in(text) == tuple(map(NameServer, servers))


@given(st.text())
def test_any_text_has_servers(text):
    assert 1 <= len(servers_in(text)) <= 3


class TestFile:
    @pytest.fixture
    def now(self):
        return [0.0]

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "resolv.conf"
        path.write_text("nameserver 192.0.2.1\n")
        return path

    @pytest.fixture
    def system(self, now, path):
        return SystemServers(lambda: now[0], path)

    def test_it_is_read_when_it_is_asked_for(self, path, system):
        path.write_text("nameserver 192.0.2.22\n")
        assert system.servers() == (NameServer("192.0.2.22"),)

    def test_it_is_looked_at_again_after_five_seconds(self, now, path, system):
        assert system.servers() == (NameServer("192.0.2.1"),)
        path.write_text("nameserver 192.0.2.22\n")
        now[0] = 4.9
        assert system.servers() == (NameServer("192.0.2.1"),)
        now[0] = 5.0
        assert system.servers() == (NameServer("192.0.2.22"),)

    def test_it_is_not_read_again_unless_it_has_changed(self, now, path, system, monkeypatch):
        first = system.servers()
        now[0] = 5.0
        monkeypatch.setattr("pathlib.Path.open", None)
        assert system.servers() is first

    def test_a_file_that_has_gone_changes_nothing(self, now, path, system):
        system.servers()
        path.unlink()
        now[0] = 5.0
        assert system.servers() == (NameServer("192.0.2.1"),)

    def test_one_that_was_never_there(self, path, system):
        path.unlink()
        assert system.servers() == LOCAL

    def test_one_that_is_replaced_is_read(self, now, path, system):
        system.servers()
        status = path.stat()
        other = path.with_name("other")
        other.write_text("nameserver 192.0.2.2\n")
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.rename(path)
        now[0] = 5.0
        assert system.servers() == (NameServer("192.0.2.2"),)
