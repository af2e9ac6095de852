"""Policies that are kept over restarts, also if the relay ends in the middle."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from twisted.logger import capturedLogs, formatEvent

from multisendcon_plugin.interfaces.policies import PolicyName
from multisendcon_plugin.policy import PolicyStore
from multisendcon_plugin.policy.kept import KeptPolicy
from multisendcon_plugin.policy.mta_sts import Mode
from multisendcon_plugin.policy.store import FILE
from tests.policy.world import DOMAIN, FAILED, World, sts
from tests.reactors import QueueReactor

NOW = 1_800_000_000.0
POLICY = KeptPolicy("a.example", "1", NOW, sts(Mode.TESTING, "mx.a.example", "*.b.example"))
OTHER = KeptPolicy("b.example", "2", NOW + 1, sts(Mode.NONE))


class Stores:
    """Opens the file of a folder, one time after the other."""

    def __init__(self, folder):
        self.folder = folder
        self.reactor = QueueReactor()
        self.file = folder / FILE

    def open(self):
        return PolicyStore(str(self.folder), self.reactor)

    def close(self, store):
        self.reactor.wait(store.stop())

    def written(self, *policies, gone=()):
        store = self.open()
        for policy in policies:
            store.write(policy, gone)
        self.close(store)

    def read(self, now=NOW):
        store = self.open()
        found = self.reactor.wait(store.load(now))
        self.close(store)
        return found


@pytest.fixture
def stores(tmp_path):
    return Stores(tmp_path)


def test_what_is_written_is_there_after_a_restart(stores):
    assert stores.read() == []
    stores.written(OTHER, POLICY)
    assert stores.read() == [POLICY, OTHER]
    newer = KeptPolicy("a.example", "3", NOW + 2, sts())
    stores.written(newer, gone=["b.example"])
    assert stores.read() == [newer]
    assert stores.file.stat().st_mode & 0o777 == 0o600


def test_what_has_expired_is_removed(stores):
    stores.written(POLICY, OTHER)
    assert stores.read(POLICY.fetched + POLICY.policy.max_age) == [OTHER]
    assert stores.read(NOW) == [OTHER]


@pytest.mark.parametrize("damage", ["text", "row", "version", "short", "table", "no table"])
def test_a_file_that_is_damaged_begins_anew(stores, damage):
    stores.written(POLICY)
    if damage == "text":
        stores.file.write_bytes(b"no database" * 1000)
    elif damage == "short":
        os.truncate(stores.file, 5000)
    else:
        change = {
            "row": "UPDATE policy SET text = 'nonsense'",
            "version": "PRAGMA user_version = 99",
            "table": "UPDATE policy SET text = x'00', fetched = 'never'",
            "no table": "DROP TABLE policy",
        }[damage]
        with closing(sqlite3.connect(stores.file)) as connection:
            connection.execute(change)
            connection.commit()
    with capturedLogs() as said:
        assert stores.read() == []
    assert "the policies of MTA-STS that are kept in it begin anew" in formatEvent(said[0])
    stores.written(OTHER)
    assert stores.read() == [OTHER]


@pytest.mark.parametrize("what", ["link", "link beside", "folder", "no folder"])
def test_a_file_that_cannot_be_used_is_done_without_and_told_once(stores, what, tmp_path):
    if what == "link":
        stores.file.symlink_to(tmp_path / "elsewhere")
    elif what == "link beside":
        (tmp_path / "another").touch()
        (tmp_path / f"{FILE}-wal").symlink_to(tmp_path / "another")
    elif what == "folder":
        stores.file.mkdir()
    else:
        stores.folder = tmp_path / "nowhere"
    store = stores.open()
    with capturedLogs() as said:
        assert stores.reactor.wait(store.load(NOW)) == []
        store.write(POLICY)
        stores.close(store)
    (line,) = said
    assert "policies of MTA-STS are not kept over restarts: " in formatEvent(line)
    assert not (tmp_path / "elsewhere").exists()
    assert what != "link beside" or not (tmp_path / "another").read_bytes()


def test_a_disk_that_is_full_costs_nothing_that_is_kept(stores, monkeypatch):
    stores.written(POLICY)
    store = stores.open()
    transact = store._transact

    def full(work):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(store, "_transact", full)
    with capturedLogs() as said:
        store.write(OTHER)
        store.write(OTHER)
        stores.reactor.wait(store.load(NOW))
    assert len(said) == 1
    monkeypatch.setattr(store, "_transact", transact)
    store.write(OTHER)
    stores.close(store)
    assert stores.read() == [POLICY, OTHER]


KILLED = """
import sys, time
from tests.policy.test_store import OTHER, POLICY, Stores
from pathlib import Path
stores = Stores(Path(sys.argv[1]))
store = stores.open()
store.write(POLICY)
store.write(OTHER)
stores.reactor.wait(store.load(0.0))
print("written", flush=True)
time.sleep(60)
"""


def test_what_was_written_outlives_a_kill(stores):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(stores.folder)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert stores.read() == [POLICY, OTHER]


# With what is known.


def test_after_a_restart_a_policy_holds_that_cannot_be_fetched(stores):
    store = stores.open()
    world = World(store, NOW)
    world.discovery.start()
    waiting = world.begin()
    world.publish(sts())
    assert stores.reactor.wait(waiting).name is PolicyName.MTA_STS
    stores.reactor.wait(world.discovery.stop())

    store = stores.open()
    world = World(store, NOW + 100)
    world.publish(FAILED, "2")
    world.discovery.start()
    waiting = [world.begin() for _ in range(3)]
    for each in waiting:
        policy = stores.reactor.wait(each)
        assert policy.name is PolicyName.MTA_STS
        assert policy.finding
    assert world.fetches.asked == [DOMAIN]
    stores.reactor.wait(world.discovery.stop())
