"""Links that lie in wait in the spool, and what others own or may write there.

What ``spool.lock`` as a link to another file did before: of 4,096 octets of its target, the number
of our process was left.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager

import pytest

from multisendcon_plugin import load
from multisendcon_plugin.errors import ConfigurationError, SpoolError
from multisendcon_plugin.events import Publisher
from multisendcon_plugin.spool import SqliteSpool, check
from tests.contracts.stores import SqliteStore
from tests.reactors import QueueReactor
from tests.spool.test_sqlite import commit

PRECIOUS = bytes(4096)
LINKS = [os.symlink, os.link]
FILES = ["spool.lock", "spool.db", "spool.db-wal", "spool.db-shm", "spool.db-journal"]


@contextmanager
def opened(folder):
    reactor = QueueReactor()
    spool = SqliteSpool(str(folder), reactor, events=Publisher())
    spool.open()
    try:
        yield spool
    finally:
        reactor.wait(spool.close())


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def precious(tmp_path):
    file = tmp_path / "precious"
    file.write_bytes(PRECIOUS)
    return file


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("link", LINKS)
def test_nothing_is_written_through_a_link_that_lies_in_wait(folder, precious, link, name):
    link(precious, folder / name)
    for use in (opened, check):
        with pytest.raises(SpoolError, match=rf"{name}: .*link"):
            refused(use, folder)
    assert precious.read_bytes() == PRECIOUS


def refused(use, folder):
    if use is check:
        check(str(folder))
    else:
        with opened(folder):
            pass


@pytest.mark.parametrize("name", FILES[:2])
def test_nothing_is_made_where_a_link_leads_nowhere_yet(folder, tmp_path, name):
    (folder / name).symlink_to(tmp_path / "not there")
    with pytest.raises(SpoolError, match=rf"{name}: is a link"):
        refused(opened, folder)
    assert not (tmp_path / "not there").exists()


@pytest.mark.parametrize("link", LINKS)
def test_the_spare_room_is_not_taken_through_a_link(folder, precious, link):
    link(precious, folder / "spool.spare")
    with opened(folder):
        pass
    assert precious.read_bytes() == PRECIOUS


def test_nothing_is_read_through_a_link_in_place_of_content(tmp_path):
    """What only we may read does not leave as mail."""
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(300 * 1024))
    with SqliteStore() as store:
        delivery = commit(store, bytes(300 * 1024))
        [file] = (store.folder / "content").iterdir()
        file.unlink()
        file.symlink_to(secret)
        with pytest.raises(SpoolError, match="is a link, and the spool follows none"):
            store.wait(store.spool.content(delivery.message).read())


def test_a_pipe_in_place_of_content_keeps_nobody_waiting(tmp_path):
    with SqliteStore() as store:
        delivery = commit(store, bytes(300 * 1024))
        [file] = (store.folder / "content").iterdir()
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(SpoolError, match="is not a file"):
            store.wait(store.spool.content(delivery.message).read())


@pytest.mark.parametrize("use", [opened, check])
def test_a_spool_that_is_a_link_is_refused_with_its_real_path(tmp_path, folder, use):
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(SpoolError) as caught:
        refused(use, link)
    assert str(caught.value) == (
        f"{link}: is a link, and the spool follows none; the real path is {folder}"
    )
    assert list(folder.iterdir()) == []


def test_a_link_further_up_is_the_admins_business(tmp_path, folder):
    (tmp_path / "link").symlink_to(tmp_path)
    with opened(tmp_path / "link" / "spool"):
        assert (folder / "spool.db").exists()


def test_a_folder_of_content_that_is_a_link_is_refused(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1").write_bytes(PRECIOUS)
    (folder / "content").symlink_to(elsewhere)
    with pytest.raises(SpoolError, match="content: is a link"):
        refused(opened, folder)
    assert (elsewhere / "1").read_bytes() == PRECIOUS


@pytest.mark.parametrize("path", [".", "content", "spool.lock", "spool.db", "spool.db-wal"])
def test_what_everybody_can_write_to_is_refused(folder, path):
    (folder / "content").mkdir(mode=0o700)
    if path.startswith("spool"):
        (folder / path).touch(mode=0o600)
    (folder / path).chmod(0o707)
    with pytest.raises(SpoolError, match="everybody on this machine can write to it; chmod o-w it"):
        refused(opened, folder)
    (folder / path).chmod(0o700)
    refused(opened, folder)


@pytest.mark.parametrize("path", [".", "content", "spool.lock", "spool.db", "spool.db-wal"])
def test_what_belongs_to_somebody_else_is_refused(folder, path, monkeypatch):
    refused(opened, folder)
    (folder / "spool.db-wal").touch(mode=0o600)
    us, other = os.geteuid(), os.geteuid() + 1
    found, opened_file = os.lstat(folder / path), os.fstat

    def somebody_elses(result):
        same = (result.st_dev, result.st_ino) == (found.st_dev, found.st_ino)
        return os.stat_result((*result[:4], other, *result[5:])) if same else result

    monkeypatch.setattr(os, "fstat", lambda file: somebody_elses(opened_file(file)))
    monkeypatch.setattr(
        type(folder), "lstat", lambda path: somebody_elses(os.lstat(path)), raising=True
    )
    with pytest.raises(SpoolError, match=f"number {other}, and we run as {us}; chown it"):
        refused(opened, folder)


def test_check_names_the_real_path_with_its_line(tmp_path, folder):
    (tmp_path / "link").symlink_to(folder)
    file = tmp_path / "relay.toml"
    file.write_text('[spool]\npath = "link"\n[[account]]\nname = "A"\nserver = "a.example"\n')
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    [fault] = caught.value.faults
    assert fault == (
        f'{file}, line 2, [spool], path: "link" is a link, which somebody may turn elsewhere;'
        f' write the real path: "{folder}"'
    )
    shutil.rmtree(folder)
    with pytest.raises(ConfigurationError):  # it leads nowhere, but that may change
        load(file)
