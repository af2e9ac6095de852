"""The spool of a relay that does not run, or of one that starts or runs nevertheless."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from multisendcon_plugin.errors import SpoolError
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import Parcel, Recipient
from multisendcon_plugin.mail.selection import Selection, Total
from multisendcon_plugin.spool import at_rest
from multisendcon_plugin.spool.database import VERSION
from multisendcon_plugin.spool.stopped import StoppedSpool

ROOT = Path(__file__).parents[2]
ENVELOPE = Envelope(reverse_path="boss@example.com", recipients=("a@x.example",))
PARCELS = (
    Parcel(account="Sales", recipients=(Recipient(address="a@x.example", reason="matches *"),)),
)
#: In a file of its own.
LONG = b"Subject: x\r\n\r\n" + bytes(300_000)


RELAY = """
import sys
from pathlib import Path
from tests.contracts.stores import SqliteStore
from tests.spool.test_stopped import ENVELOPE, LONG, PARCELS

store = SqliteStore()
store.folder = Path(sys.argv[1])
store.open()
print("open", flush=True)
for line in sys.stdin:
    if line == "stop\\n":
        store.close()
    else:
        content = LONG if line == "long\\n" else line.encode()
        store.commit(content, ENVELOPE, PARCELS, header_size=len(content))
        store.finish_writing()
    print("done", flush=True)
"""


class Relay:
    """A relay that has the spool, in a process of its own: SQLite shares files within one."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, "-c", RELAY, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout.readline() == "open\n"

    def do(self, *lines):
        for line in lines:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
            assert self._process.stdout.readline() == "done\n"

    def kill(self):
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start(tmp_path):
    """Return what starts a relay; all of them are killed in the end."""
    with ExitStack() as started:

        def start():
            relay = Relay(folder)
            started.callback(relay.kill)
            return relay

        folder = tmp_path / "spool"
        folder.mkdir(mode=0o700)
        start.folder = folder
        yield start


@pytest.fixture
def stopped(start):
    """Return a folder with two mails that a relay has left that stopped."""
    start().do("text", "long", "stop")
    assert not (start.folder / "spool.db-wal").exists()
    return start.folder


def seen(folder):
    """Return what somebody sees of a folder who looks for changes."""
    return {
        path.name: (path.stat().st_mtime_ns, path.stat().st_size, path.read_bytes())
        for path in folder.iterdir()
        if path.is_file()
    }


def result(deferred):
    """Return an answer, which is at hand."""
    results = []
    deferred.addBoth(results.append)
    [answer] = results
    if hasattr(answer, "raiseException"):
        answer.raiseException()
    return answer


def check(folder, count=2):
    before = seen(folder)
    spool = StoppedSpool(folder)
    page = result(spool.find(Selection(sender="BOSS@example.com".lower()), 10))
    assert [each.account for each in page.deliveries] == ["Sales"] * count
    totals = result(spool.totals())
    assert totals["Sales"] == Total(count, 0, page.deliveries[0].message.arrived)
    content = spool.content(page.deliveries[1].message)
    assert result(content.read()) == LONG[: 128 * 1024]
    assert seen(folder) == before


def test_what_a_relay_leaves_that_stops(stopped):
    check(stopped)


def test_what_a_relay_leaves_that_is_killed(start):
    relay = start()
    relay.do("text", "long")
    relay.kill()
    assert (start.folder / "spool.db-wal").stat().st_size
    check(start.folder)


def test_beside_a_relay_that_runs(start):
    relay = start()
    relay.do("text", "long")
    check(start.folder)
    relay.do("more")
    check(start.folder, 3)


def test_a_relay_that_starts_meanwhile_is_not_disturbed_and_what_it_does_is_seen(start, stopped):
    counts = []

    def question(connection):
        if not counts:
            start().do("more", "stop")
        counts.append(connection.execute("SELECT count(*) FROM delivery").fetchone()[0])
        return counts[-1]

    assert at_rest.ask(stopped / "spool.db", question) == 3
    assert counts[1:] == [3]


def test_a_relay_that_starts_after_a_crash_is_not_disturbed(start):
    relay = start()
    relay.do("text", "long")
    relay.kill()

    def question(connection):
        read = connection.execute("SELECT id FROM delivery")
        read.fetchone()
        start().do("more", "stop")
        return 1 + len(read.fetchall())

    assert at_rest.ask(start.folder / "spool.db", question) == 2
    check(start.folder, 3)


def test_a_database_that_changes_all_the_time_is_not_believed(stopped):
    file = stopped / "spool.db"

    def question(_):
        with closing(sqlite3.connect(file)) as other:
            other.execute("UPDATE meta SET value = value + 1")
            other.commit()

    with pytest.raises(SpoolError, match="it changes all the time"):
        at_rest.ask(file, question)


@pytest.mark.parametrize(
    ("version", "said"),
    [(VERSION - 1, "the relay upgrades it when it starts"), (VERSION + 1, "by a newer")],
)
def test_another_version_is_told(stopped, version, said):
    with closing(sqlite3.connect(stopped / "spool.db")) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(SpoolError, match=said):
        result(StoppedSpool(stopped).totals())


def test_garbage_is_told(tmp_path):
    (tmp_path / "spool.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(SpoolError, match="cannot be read: file is not a database"):
        result(StoppedSpool(tmp_path).totals())


def test_no_spool(tmp_path):
    with pytest.raises(FileNotFoundError):
        result(StoppedSpool(tmp_path).totals())
    assert not list(tmp_path.iterdir())
