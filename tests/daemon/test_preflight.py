from __future__ import annotations

import socket

import pytest

from multisendcon_plugin.configuration import Configuration
from multisendcon_plugin.daemon.preflight import preflight
from multisendcon_plugin.errors import ListenError, SpoolError, SpoolLockedError
from multisendcon_plugin.settings.values import MasterRelay, SpoolSettings
from multisendcon_plugin.spool.folder import Lock, make_folder


def configuration(folder, *listen):
    return Configuration(
        master_relay=MasterRelay(listen=listen), spool=SpoolSettings(path=str(folder / "spool"))
    )


def test_what_it_looked_at_is_free_afterwards(tmp_path):
    with socket.socket() as reserved:
        # Bound, but deaf: nobody else gets the port.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        for _ in range(2):
            preflight(configuration(tmp_path, f"tcp:port={port}:interface=127.0.0.1"))
        with socket.create_server(("127.0.0.1", port)) as listening:
            assert listening.getsockname()[1] == port
    lock = Lock(tmp_path / "spool")
    try:
        with pytest.raises(SpoolLockedError):
            Lock(tmp_path / "spool")
    finally:
        lock.release()


@pytest.mark.parametrize("before", ["", "haproxy:"])
def test_a_taken_port_is_told(tmp_path, before):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"{before}tcp:port={taken.getsockname()[1]}:interface=127.0.0.1"
        with pytest.raises(ListenError) as caught:
            preflight(configuration(tmp_path, "tcp:port=0:interface=127.0.0.1", listen))
    assert str(caught.value) == f"cannot listen on {listen}: Address already in use"


def test_an_address_of_another_machine_is_told(tmp_path):
    with pytest.raises(ListenError, match="Cannot assign requested address"):
        preflight(configuration(tmp_path, "tcp:port=0:interface=192.0.2.1"))


@pytest.mark.parametrize("listen", ["unix:address=socket", "systemd:domain=INET:index=0"])
def test_what_has_no_port_is_left_to_the_start(tmp_path, listen, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "socket", pytest.fail)
    preflight(configuration(tmp_path, listen))
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]


def test_a_spool_in_use_is_told(tmp_path):
    make_folder(tmp_path / "spool")
    lock = Lock(tmp_path / "spool")
    try:
        with pytest.raises(SpoolLockedError):
            preflight(configuration(tmp_path))
    finally:
        lock.release()


def test_a_spool_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "spool").write_text("no folder")
    with pytest.raises(SpoolError):
        preflight(configuration(tmp_path))


def test_before_user_and_group_change_no_file_is_made(tmp_path):
    preflight(configuration(tmp_path), spool=False)
    assert list(tmp_path.iterdir()) == []
