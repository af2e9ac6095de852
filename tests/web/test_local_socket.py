"""The file of the control socket."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from multisendcon_plugin.errors import ListenError
from multisendcon_plugin.web import local_socket
from multisendcon_plugin.web.local_socket import LocalSocket, address


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.sock"


@pytest.fixture
def long_path(tmp_path):
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    folder.mkdir(parents=True)
    return folder / "control.sock"


def connected(path):
    with socket.socket(socket.AF_UNIX) as client, address(path) as name:
        client.connect(name)


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def test_it_is_for_its_owner_alone_and_gone_in_the_end(path):
    before = os.umask(0)
    try:
        made = LocalSocket(path)
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    connected(path)
    assert sorted(each.name for each in path.parent.iterdir()) == ["control.sock"]
    made.close()
    assert not path.exists()


def test_it_has_its_mode_before_it_has_its_name(path, monkeypatch):
    """Whoever connects before cannot be sent away afterwards."""
    modes = []
    bind = socket.socket.bind

    class Watched(socket.socket):
        def bind(self, name):
            bind(self, name)
            modes.append(mode(Path(name)))

    monkeypatch.setattr(local_socket.socket, "socket", Watched)
    before = os.umask(0)
    try:
        LocalSocket(path).close()
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_a_long_path_is_possible(long_path):
    made = LocalSocket(long_path)
    connected(long_path)
    made.close()
    assert not long_path.exists()


def test_a_long_path_is_refused_where_the_system_has_no_short_name_for_it(long_path, monkeypatch):
    monkeypatch.setattr(local_socket, "_OPEN_FILES", Path("/nowhere"))
    with pytest.raises(ListenError, match="at most 107 octets as the path of a local socket"):
        LocalSocket(long_path)


def test_a_stale_one_is_replaced(path):
    left = LocalSocket(path)
    left._socket.close()  # as a process that is killed
    with pytest.raises(ConnectionRefusedError):
        connected(path)
    made = LocalSocket(path)
    connected(path)
    made.close()


def test_one_that_is_half_made_is_replaced(path):
    path.with_name(".control.sock.new").touch()
    LocalSocket(path).close()
    assert list(path.parent.iterdir()) == []


def test_one_of_another_process_is_not(path):
    other = LocalSocket(path)
    with pytest.raises(ListenError, match="another process does; stop that one"):
        LocalSocket(path)
    connected(path)
    other.close()


def test_a_file_that_is_no_socket_is_not_replaced(path):
    path.write_text("mine")
    with pytest.raises(ListenError, match="it is there, and is no socket; move it away"):
        LocalSocket(path)
    assert path.read_text() == "mine"


def test_another_file_in_its_place_is_not_removed(path):
    made = LocalSocket(path)
    path.unlink()
    path.write_text("mine")
    made.close()
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_used_is_told(path):
    with pytest.raises(ListenError, match=r"cannot listen on .*: No such file or directory"):
        LocalSocket(path.parent / "nowhere" / path.name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "control.sock")
        path.parent.chmod(0o755)  # even if the folder lets them in
        made = LocalSocket(path)
        child = os.fork()
        if not child:
            try:
                os.setgid(65534)
                os.setuid(65534)
                connected(path)
            except PermissionError:
                os._exit(13)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 13
        made.close()
