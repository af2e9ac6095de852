"""A damaged database: what can be read of it still leaves, and nothing makes it worse."""

from __future__ import annotations

import errno
import re
import shutil
import smtplib
import sqlite3
import subprocess
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from multisendcon_plugin.errors import SpoolBrokenError, SpoolError
from multisendcon_plugin.events import SpoolBroken
from multisendcon_plugin.mail.envelope import Envelope
from multisendcon_plugin.mail.message import Parcel, Recipient
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.spool import check
from tests.contracts.stores import Connections, SqliteStore
from tests.live_relay import LiveRelayTestCase, account
from tests.queues import collected, logged

ENVELOPE = Envelope(reverse_path="boss@example.com", recipients=("a@x.example",))
PARCELS = (Parcel(account="Sales", recipients=(Recipient(address="a@x.example", reason="*"),)),)
PAGE = 4096


@pytest.fixture
def store():
    with SqliteStore() as store:
        yield store


def commit(store, content):
    (delivery,) = store.commit(content, ENVELOPE, PARCELS)
    return delivery


def fill(store):
    """Store mails of which each has a page of its own; return their deliveries."""
    deliveries = [commit(store, b"mail %d " % n + bytes(3000)) for n in range(20)]
    store.finish_writing()
    # What is kept in memory is not; and by another connection, so that the writer reads again.
    store.close()
    store.open()
    with closing(sqlite3.connect(store.folder / "spool.db")) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    return deliveries


def overwrite_page(file, marker):
    """Overwrite the page that holds some octets with garbage."""
    octets = bytearray(file.read_bytes())
    start = octets.index(marker) // PAGE * PAGE
    octets[start : start + PAGE] = b"\xa5" * PAGE
    write_over(file, octets)


def write_over(file, octets):
    # Into the same file: the spool has it open.
    with file.open("r+b") as opened:
        opened.write(octets)


# While the spool is open


@pytest.mark.parametrize("reads", [True, False], ids=["read", "written"])
def test_that_it_can_no_longer_be_believed_is_told_once(store, reads):
    events = collected(store.events)
    if reads:
        deliveries = fill(store)
        overwrite_page(store.folder / "spool.db", b"mail 7 ")
        for _ in range(2):
            with pytest.raises(SpoolError):
                store.read(deliveries[7].message)
    else:
        fill(store)
        write_over(store.folder / "spool.db", b"garbage" * 1000)
        for _ in range(2):
            with pytest.raises(SpoolBrokenError):
                commit(store, b"new")
    (broken,) = events
    assert isinstance(broken, SpoolBroken)
    assert broken.writes is reads
    assert broken.file == str(store.folder / "spool.db")
    assert broken.error
    assert "sqlite3 spool.db .recover" in broken.advice


def test_what_cannot_be_read_stops_no_other_mail_and_new_mail_is_not_taken(store):
    deliveries = fill(store)
    overwrite_page(store.folder / "spool.db", b"mail 7 ")
    with logged() as log:
        for _ in range(2):
            with pytest.raises(SpoolError, match="malformed"):
                store.read(deliveries[7].message)
        with pytest.raises(SpoolError, match="the spool takes no new mail"):
            commit(store, b"new")
    [text] = log.texts()
    assert text.startswith(f"{store.folder}/spool.db: ")
    assert "new mail is rejected (451); readable mail is still delivered" in text
    assert "sqlite3 spool.db .recover" in text
    for delivery in (*deliveries[:7], *deliveries[8:]):
        assert store.read(delivery.message).startswith(b"mail ")
    for delivery in deliveries[10:]:
        store.settle(Settlement(delivery=delivery, remaining=None))
    assert store.waiting("Sales") == tuple(deliveries[:10])


def test_a_write_that_meets_damage_is_the_last_one(store):
    deliveries = fill(store)
    overwrite_page(store.folder / "spool.db", b"mail 7 ")
    # As though the page had not been in use lately.
    store.connection.execute("PRAGMA shrink_memory")
    with logged() as log:
        for delivery in (deliveries[7], deliveries[0]):
            with pytest.raises(SpoolBrokenError, match="malformed"):
                store.settle(Settlement(delivery=delivery, remaining=None))
        with pytest.raises(SpoolBrokenError):
            commit(store, b"new")
    [text] = log.texts()
    assert "no mail is accepted or sent any more" in text
    assert "sqlite3 spool.db .recover" in text
    assert store.waiting("Sales") == tuple(deliveries)


def test_what_is_no_database_any_more_takes_no_new_mail(store):
    fill(store)
    write_over(store.folder / "spool.db", b"garbage" * 1000)
    with logged() as log:
        for _ in range(2):
            with pytest.raises(SpoolBrokenError, match="not a database"):
                commit(store, b"new")
    assert len(log.texts()) == 1


# At the start


def damaged_header(octets):
    return b"garbage" * 1000 + octets[7000:]


def damaged_catalogue(octets):
    """The header of the file is right, the page that it belongs to is not."""
    return octets[:100] + b"\xa5" * (PAGE - 100) + octets[PAGE:]


def truncated(octets):
    return octets[: len(octets) // 2]


@pytest.mark.parametrize(
    ("damage", "end"),
    [
        (damaged_header, "close"),
        (damaged_header, "crash"),
        (damaged_catalogue, "close"),
        (damaged_catalogue, "crash"),
        (truncated, "close"),
    ],
)
def test_a_damaged_database_is_left_as_it_is(store, damage, end):
    fill(store)
    commit(store, b"in the log")
    getattr(store, end)()
    file, log = store.folder / "spool.db", store.folder / "spool.db-wal"
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    before = log.read_bytes() if end == "crash" else b""
    for start in (store.open, lambda: check(str(store.folder))):
        with pytest.raises(SpoolError, match="the database is damaged") as caught:
            start()
        text = str(caught.value)
        assert text.startswith(str(file))
        assert "sqlite3 spool.db .recover" in text
        assert "\n" not in text
    assert file.read_bytes() == damaged
    assert (log.read_bytes() if log.exists() else b"") == before


@pytest.mark.parametrize("loss", ["missing", "empty"])
def test_what_the_log_holds_is_not_thrown_away_with_a_lost_database(store, loss):
    delivery = commit(store, b"text")
    store.crash()
    file, log = store.folder / "spool.db", store.folder / "spool.db-wal"
    whole, logged = file.read_bytes(), log.read_bytes()
    file.unlink()
    if loss == "empty":
        file.touch()
    with pytest.raises(SpoolError, match=r"/spool\.db-wal: ") as caught:
        store.open()
    assert "\n" not in str(caught.value)
    assert log.read_bytes() == logged
    file.write_bytes(whole)
    store.open()
    assert store.waiting("Sales") == (delivery,)


def test_files_are_not_swept_up_with_a_lost_database(store):
    delivery = commit(store, bytes(300_000))
    store.close()
    file = store.folder / "spool.db"
    whole = file.read_bytes()
    file.unlink()
    for start in (store.open, lambda: check(str(store.folder))):
        with pytest.raises(SpoolError, match=r"/content: contains mail"):
            start()
    file.write_bytes(whole)
    store.open()
    assert store.read(delivery.message) == bytes(300_000)


def test_what_was_cut_off_of_a_database_with_a_log_is_found_when_it_is_read(store):
    """The log may hold pages beyond the end: SQLite cannot tell at the start what is missing."""
    deliveries = fill(store)
    commit(store, b"in the log")
    store.crash()
    file = store.folder / "spool.db"
    file.write_bytes(truncated(file.read_bytes()))
    store.open()
    with logged() as log:
        unread = 0
        for delivery in deliveries:
            try:
                store.read(delivery.message)
            except SpoolError:
                unread += 1
        assert 0 < unread < len(deliveries)
        with pytest.raises(SpoolError, match="the spool takes no new mail"):
            commit(store, b"new")
    assert len(log.texts()) == 1


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the shell of SQLite")
def test_the_remedy_of_the_document_saves_what_can_be_read(store):
    deliveries = fill(store)
    store.close()
    overwrite_page(store.folder / "spool.db", b"mail 7 ")
    document = Path(__file__).parents[2] / "docs/INTERNALS.rst"
    [block] = re.findall(
        r"^    \(sqlite3 .*\n(?:    .*\n)*", document.read_text("utf-8"), re.MULTILINE
    )
    subprocess.run(textwrap.dedent(block), shell=True, check=True, cwd=store.folder, timeout=60)
    (store.folder / "recovered.db").rename(store.folder / "spool.db")
    store.open()
    assert store.waiting("Sales") == tuple(deliveries)
    for delivery in (*deliveries[:7], *deliveries[8:]):
        assert store.read(delivery.message).startswith(b"mail ")


# Read-only


def test_a_folder_that_cannot_be_written_to_is_named(monkeypatch, tmp_path):
    def refuse(path, *_):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr("multisendcon_plugin.spool.folder.os.open", refuse)
    with pytest.raises(SpoolError, match="Read-only file system") as caught:
        check(str(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}: ")


def test_a_folder_that_becomes_read_only_puts_mail_off_until_it_is_not(store):
    delivery = commit(store, b"text")
    store.connection.fail("BEGIN", sqlite3.SQLITE_READONLY, {1, 2})
    with pytest.raises(SpoolError, match="made up"):
        commit(store, b"new")
    assert store.read(delivery.message) == b"text"
    store.settle(Settlement(delivery=delivery, remaining=None))
    assert commit(store, b"new")


# The whole relay


class FailedDiskTestCase(LiveRelayTestCase):
    async def test_after_a_failed_sync_clients_are_put_off_and_the_log_says_once_why(self):
        provider = self.provider()
        with Connections() as connections:
            self.relay(account("Sales", provider))
        await self.send()
        await provider.wait_for(1)
        while await self.waiting():
            pass
        connections.last.fail("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, {1})
        for _ in range(3):
            with pytest.raises(smtplib.SMTPDataError) as refused:
                await self.send()
            assert refused.value.smtp_code == 451
        assert connections.last.tried == 1
        [line] = self.log.having("check the disk, then restart the relay")
        assert f"{self.folder}/spool/spool.db" in line
        await self.service.stopService()
        assert len(provider.mails) == 1
