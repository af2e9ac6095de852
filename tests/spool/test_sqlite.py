"""What is particular to the spool on disk: files, room, group commit, and a disk that fails."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred

from multisendcon_plugin.errors import (
    SpoolBrokenError,
    SpoolError,
    SpoolFullError,
    SpoolLockedError,
)
from multisendcon_plugin.events import Publisher
from multisendcon_plugin.interfaces import Commit
from multisendcon_plugin.mail.dsn import Notify, Return
from multisendcon_plugin.mail.envelope import Client, Envelope
from multisendcon_plugin.mail.message import Delivery, Message, NewMessage, Parcel, Recipient
from multisendcon_plugin.mail.selection import Selection
from multisendcon_plugin.outcome.settlement import Settlement
from multisendcon_plugin.outcome.usage import UsageLog
from multisendcon_plugin.settings.quantities import Room
from multisendcon_plugin.spool import SqliteSpool, rows
from multisendcon_plugin.spool.keys import place, span
from multisendcon_plugin.spool.worker import Job
from tests.contracts.stores import SqliteStore
from tests.queues import logged
from tests.reactors import QueueReactor

KIB = 1024
ENVELOPE = Envelope(reverse_path="boss@example.com", recipients=("a@x.example",))
PARCELS = (
    Parcel(account="Sales", recipients=(Recipient(address="a@x.example", reason="matches *"),)),
)


@pytest.fixture
def store():
    with SqliteStore() as store:
        yield store


def commit(store, content=b"text"):
    (delivery,) = store.commit(content, ENVELOPE, PARCELS)
    return delivery


@contextmanager
def opened(folder):
    reactor = QueueReactor()
    spool = SqliteSpool(str(folder), reactor, events=Publisher())
    spool.open()
    try:
        yield spool, reactor.wait
    finally:
        reactor.wait(spool.close())


class Busy:
    """Keeps the writer at work, so that what follows waits together."""

    def __init__(self, store):
        self._store = store
        self._begun, self._go = Deferred(), threading.Event()

    def __enter__(self):
        self.done = self._store.writer.do(self._hold)
        self._store.wait(self._begun)

    def _hold(self, _):
        self._store.reactor.callFromThread(self._begun.callback, None)
        assert self._go.wait(30)

    def __exit__(self, *exc_info):
        self._go.set()


# Files


def test_only_the_owner_may_look(tmp_path):
    folder = tmp_path / "var" / "spool"
    with opened(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        names = {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}
        assert names.pop("content") == 0o700
        assert names.keys() >= {"spool.db", "spool.db-wal", "spool.lock"}
        assert set(names.values()) == {0o600}


def test_only_the_owner_may_look_into_long_content(store):
    commit(store, bytes(300 * KIB))
    [file] = (store.folder / "content").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_commits_reach_the_disk(store):
    assert store.value("PRAGMA synchronous") == 2
    assert store.value("PRAGMA journal_mode") == "wal"


def test_a_second_one_is_told_what_to_do(store):
    with (
        pytest.raises(SpoolLockedError, match=rf"pid {os.getpid()}.*stop that process"),
        opened(store.folder),
    ):
        pass
    assert commit(store)


def test_another_process_is_kept_out(store):
    code = """
        import sys
        from multisendcon_plugin.errors import SpoolLockedError
        from multisendcon_plugin.events import Publisher
        from multisendcon_plugin.spool import SqliteSpool, rows
        from tests.queues import commit
        from tests.reactors import QueueReactor
        reactor = QueueReactor()
        spool = SqliteSpool(sys.argv[1], reactor, events=Publisher())
        try:
            spool.open()
        except SpoolLockedError:
            print("locked")
        else:
            reactor.wait(spool.close())
            print("opened")
    """
    assert run(code, store.folder).stdout == "locked\n"
    store.close()
    assert run(code, store.folder).stdout == "opened\n"


def run(code, folder):
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(folder)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_killed_process_keeps_what_it_promised(store):
    store.close()
    killed = run(
        """
        import os, signal, sys
        from multisendcon_plugin.mail.envelope import Envelope
        from multisendcon_plugin.mail.message import Parcel, Recipient
        from multisendcon_plugin.events import Publisher
        from multisendcon_plugin.spool import SqliteSpool, rows
        from tests.queues import commit
        from tests.reactors import QueueReactor
        reactor = QueueReactor()
        spool = SqliteSpool(sys.argv[1], reactor, events=Publisher())
        spool.open()
        recipient = Recipient(address="a@x.example", reason="")
        unfinished = spool.draft()
        reactor.wait(unfinished.write(bytes(2_000_000)))
        draft = spool.draft()
        draft.write(bytes(300_000))
        envelope = Envelope(reverse_path="", recipients=("a@x.example",))
        parcels = (Parcel(account="Sales", recipients=(recipient,)),)
        (delivery,) = reactor.wait(commit(spool, draft, envelope, 0, parcels))
        print(delivery.number, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        store.folder,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store.open()
    assert not store.spool.clean
    (delivery,) = store.waiting("Sales")
    assert delivery.number == int(killed.stdout)
    assert store.read(delivery.message) == bytes(300_000)
    assert store.files() == {str(delivery.message.number): 300_000}


@pytest.mark.parametrize("content", [b"garbage", b"garbage" * 1000])
def test_a_file_that_is_no_database_is_named(tmp_path, content):
    file = tmp_path / "spool.db"
    file.write_bytes(content)
    for _ in range(2):  # the lock is let go
        with pytest.raises(SpoolError, match=str(file)) as caught, opened(tmp_path):
            pass
        assert caught.type is SpoolError
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    ("version", "waited", "notify", "original"),
    [
        (1, (0.0, 0.0), None, ""),
        (2, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (3, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (4, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (5, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (6, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (7, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (8, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (9, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
        (10, (1_700_000_050.0, 50.0), Notify.NEVER, "rfc822;b@x"),
    ],
)
def test_a_spool_of_an_earlier_version_goes_on(tmp_path, version, waited, notify, original):
    script = Path(__file__).parent / "versions" / f"{version}.sql"
    connection = sqlite3.connect(tmp_path / "spool.db")
    connection.executescript(script.read_text())
    connection.close()
    for _ in range(2):
        with opened(tmp_path) as (spool, wait):
            (delivery,) = wait(spool.waiting(("Sales", ""), 10))
            assert wait(maybeDeferred(spool.content(delivery.message).read)) == b"text\r\n"
            assert delivery.recipients == (
                Recipient(address="a@x", reason="test"),
                Recipient(address="b@x", reason="test", notify=notify, original=original),
            )
            assert (delivery.attempts, delivery.tried_at, delivery.waited) == (1, *waited)
            assert (delivery.tried, delivery.warned) == (("B",), True)
            assert (delivery.due, delivery.last_reply) == (1_700_000_060.0, "later")
            assert (delivery.destination, delivery.held) == ("", False)
            message = delivery.message
            assert (message.size, message.arrived) == (6, 1_700_000_000.0)
            assert message.envelope == Envelope(
                reverse_path="boss@example.com",
                recipients=("a@x", "b@x"),
                eight_bit=True,
                returns=Return.HEADER if version > 1 else None,
                envelope_id="id+3D" if version > 1 else "",
                client=Client("192.0.2.7", "joe", "client.example", "TLSv1.3")
                if version > 5
                else None,
            )
            assert wait(spool.account_states()) == {"Sales": {"minimum_wait": 1_700_000_000.5}}
            assert wait(spool.pauses()) == ({"B": 1_700_000_001.5} if version > 9 else {})
            assert wait(spool.usage()) == UsageLog()
            with closing(sqlite3.connect(tmp_path / "spool.db")) as other:
                assert other.execute("SELECT count(*) FROM content").fetchone() == (1,)


def test_all_that_an_envelope_says_is_upgraded(tmp_path):
    script = (Path(__file__).parent / "versions" / "7.sql").read_text()
    path = 'Bö"ss\\@ex\u2028ample.com'
    row = (
        *(2 << 16 | 5, "Büro", 7.5, 0, 0.0, 0.0, "[]", 1, 0, "", '[["a@x", "test", null, ""]]'),
        *(6, 3, 5.5, path, 0, 1, None, "", "a@b", '["a@x", "\u00fc@x"]', 4, None, "far", 1),
    )
    with closing(sqlite3.connect(tmp_path / "spool.db")) as connection:
        connection.executescript(script)
        connection.execute(f"INSERT INTO delivery VALUES ({', '.join('?' * len(row))})", row)
        connection.commit()
    with opened(tmp_path) as (spool, wait):
        page = wait(spool.find(Selection(sender='bö"ss\\@ex\u2028ample.com'), 10))
        (delivery,) = page.deliveries
        others = wait(spool.waiting(("Sales", ""), 10))
    assert len(others) == 1
    assert delivery == Delivery(
        number=2 << 16 | 5,
        message=Message(
            number=2,
            envelope=Envelope(
                reverse_path=path, recipients=("a@x", "ü@x"), utf8=True, author="a@b"
            ),
            size=6,
            header_size=3,
            arrived=5.5,
            dots=4,
        ),
        account="Büro",
        destination="far",
        recipients=(Recipient(address="a@x", reason="test"),),
        due=7.5,
        uncertain=True,
        held=True,
    )


def test_the_texts_of_a_message_are_stored_unread(store):
    """These say the same as others, but are not those that we would write."""
    envelope = '["boss@example.com",  ["a@x.example"], false, false, null, "", "", null]'
    recipients = '[ ["a@x.example", "t\\u0065st", null, ""] ]'
    draft = store.begin(b"text")
    commit = Commit(draft, ENVELOPE, 0, PARCELS, (envelope, [recipients]))
    store.wait(store.spool.commit([commit]))
    assert store.value("SELECT envelope FROM delivery") == envelope
    assert store.value("SELECT recipients FROM delivery") == recipients


def test_an_upgraded_spool_has_the_columns_of_a_new_one(tmp_path):
    def columns(folder):
        with opened(folder):
            connection = sqlite3.connect(folder / "spool.db")
        found = {}
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            described = connection.execute(f"PRAGMA table_info({table})").fetchall()
            found[table] = [(name, kind, notnull) for _, name, kind, notnull, _, _ in described]
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > '' ORDER BY name"
        ).fetchall()
        connection.close()
        return version, found, indexes

    old = tmp_path / "old"
    old.mkdir()
    connection = sqlite3.connect(old / "spool.db")
    connection.executescript((Path(__file__).parent / "versions" / "1.sql").read_text())
    connection.close()
    assert columns(old) == columns(tmp_path / "new")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 99", "newer multisendcon .schema 99"),
        ("CREATE TABLE theirs (x)", "not a spool"),
    ],
)
def test_a_database_of_others_is_left_alone(tmp_path, statement, said):
    connection = sqlite3.connect(tmp_path / "spool.db")
    connection.execute(statement)
    connection.close()
    before = (tmp_path / "spool.db").read_bytes()
    with pytest.raises(SpoolError, match=said), opened(tmp_path):
        pass
    assert (tmp_path / "spool.db").read_bytes() == before


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SpoolError, match="file/spool"), opened(tmp_path / "file" / "spool"):
        pass


# What is kept, and what is not


ROWS = "SELECT count(*) FROM content"


def content_rows(store):
    return store.value(ROWS)


def test_nothing_is_left_of_an_ended_message(store):
    delivery = commit(store, bytes(300 * KIB))
    store.settle(Settlement(delivery=delivery, remaining=None))
    for table in ("content", "delivery"):
        assert store.value(f"SELECT count(*) FROM {table}") == 0
    assert store.files() == {}


def test_a_file_stays_until_the_last_delivery_has_ended(store):
    content = bytes(300 * KIB)
    deliveries = store.commit(content, ENVELOPE, PARCELS * 2)
    store.settle(Settlement(delivery=deliveries[0], remaining=None))
    assert store.read(deliveries[1].message) == content


def test_a_file_stays_when_the_end_of_its_message_is_not_written(store):
    delivery = commit(store, bytes(300 * KIB))
    with Busy(store):
        done = store.spool.settle([Settlement(delivery=delivery, remaining=None)])
        store.connection.fail("COMMIT", sqlite3.SQLITE_FULL, {2, 3, 4})
    (answer,) = store.wait(done)
    assert isinstance(answer, SpoolFullError)
    assert store.read(delivery.message) == bytes(300 * KIB)


def test_a_file_that_an_ended_message_has_left_is_swept_up_and_others_are_not(store):
    delivery = commit(store, bytes(300 * KIB))
    folder = store.folder / "content"
    (folder / "16000000000000").write_bytes(b"left")
    for name in ("notes.txt", "20261123" * 3):
        (folder / name).write_bytes(b"theirs")
    store.close()
    store.open()
    assert store.files().keys() == {str(delivery.message.number), "notes.txt", "20261123" * 3}


@pytest.mark.parametrize("harm", [Path.unlink, lambda file: os.truncate(file, 200 * KIB)])
def test_half_a_file_is_no_message(store, harm):
    delivery = commit(store, bytes(300 * KIB))
    harm(store.folder / "content" / str(delivery.message.number))
    with pytest.raises(SpoolError, match="is missing"):
        store.read(delivery.message)


def test_a_file_and_its_name_are_on_disk_before_the_row_that_tells_of_it(store, monkeypatch):
    steps = []
    fsync = os.fsync

    def noted(descriptor):
        steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        steps.append(store.connection.execute(ROWS).fetchone()[0])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    delivery = commit(store, bytes(300 * KIB))
    assert steps == [str(delivery.message.number), 0, "content", 0]
    assert content_rows(store) == 1


def test_a_write_that_takes_only_a_part_goes_on(store, monkeypatch):
    pwrite = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda file, octets, place: pwrite(file, octets[:50_001], place)
    )
    content = bytes(range(256)) * 1200
    assert store.read(commit(store, content).message) == content


def test_long_content_is_stored_while_it_arrives(store):
    draft = store.spool.draft()
    draft.write(bytes(300 * KIB))
    assert store.files() == {str(draft.number): 300 * KIB}
    assert content_rows(store) == 0


@pytest.mark.parametrize("end", ["discard", "crash"])
def test_stored_pieces_of_an_unfinished_message_are_removed(store, end):
    delivery = commit(store, bytes(200 * KIB))
    draft = store.spool.draft()
    draft.write(bytes(700 * KIB))
    if end == "discard":
        draft.discard()
        draft.write(bytes(700 * KIB))
    else:
        store.crash()
        store.open()
    assert store.files() == {str(delivery.message.number): 200 * KIB}


def test_an_unfinished_message_keeps_its_number_to_itself(store):
    draft = store.spool.draft()
    draft.write(bytes(300 * KIB))
    store.crash()
    store.reactor.now -= 1000
    store.open()
    assert store.spool.draft().number > draft.number


def test_a_message_of_which_a_piece_is_lost_is_refused_and_removed(store):
    draft = store.spool.draft()
    draft.write(bytes(200 * KIB))
    store.finish_writing()
    store.fill()
    draft.write(bytes(400 * KIB))
    store.finish_writing()
    store.relieve()
    draft.write(bytes(200 * KIB))
    with pytest.raises(SpoolFullError):
        store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    assert content_rows(store) == 0
    assert store.lanes() == {}


def test_a_message_of_which_a_piece_fails_together_with_the_commit_is_refused(store):
    draft = store.spool.draft()
    store.fill()
    with Busy(store):
        draft.write(bytes(140 * KIB))
        relieved = store.writer.do(store.make_room)
        done = store.commit_draft(draft, ENVELOPE, 0, PARCELS)
    with pytest.raises(SpoolFullError):
        store.wait(done)
    store.wait(relieved)
    assert content_rows(store) == 0
    assert store.lanes() == {}


def test_a_settlement_is_stored_whole_or_not_at_all(store):
    delivery = commit(store)
    good, bad = (
        NewMessage(
            envelope=Envelope(reverse_path="", recipients=("a@x",)),
            content=b"report",
            header_size=0,
            parcels=(evolve(PARCELS[0], account=account),),
        )
        for account in ("Sales", "\ud800")
    )
    with pytest.raises(SpoolError):
        store.settle(
            Settlement(
                delivery=delivery, remaining=None, reports=(good, bad), account_state={"a": 1.0}
            )
        )
    assert store.waiting("Sales") == (delivery,)
    assert store.wait(store.spool.account_states()) == {}
    assert store.read(delivery.message) == b"text"


def plan(store, question):
    """Return how SQLite finds the answer."""
    connection, asked = store.connection, []
    connection.set_trace_callback(asked.append)
    question(connection)
    connection.set_trace_callback(None)
    return str(connection.execute("EXPLAIN QUERY PLAN " + asked[0]).fetchall())


def test_a_lane_is_read_by_its_index_alone(store):
    steps = plan(store, lambda connection: rows.waiting(connection, ("Sales", ""), 10))
    assert "INDEX lane (account=? AND destination=? AND due>?)" in steps
    assert "INDEX lane (account=? AND destination=? AND due=? AND rowid>?)" in steps
    assert "TEMP B-TREE" not in steps


def test_lanes_are_counted_and_brought_forward_by_their_index(store):
    assert "SCAN delivery USING" in plan(store, rows.lanes)
    assert "INDEX lane" in plan(store, rows.lanes)
    steps = plan(store, lambda connection: rows.bring_forward(connection, ("Sales", ""), 5.0))
    assert "INDEX lane (account=? AND destination=? AND due>?)" in steps


def test_keys_of_one_message_never_reach_into_the_next():
    assert place(5, 0) == span(5)[0]
    assert place(5, 65535) == span(5)[1] < span(6)[0]
    with pytest.raises(SpoolError, match="longer"):
        place(5, 65536)


# Group commit


def test_what_waits_is_committed_together(store):
    writer = store.writer
    batches, jobs = sum(writer.batches), writer.jobs
    with Busy(store):
        done = [store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS) for _ in range(10)]
    for each in done:
        store.wait(each)
    assert (sum(writer.batches) - batches, writer.jobs - jobs) == (2, 11)


def test_what_comes_in_one_turn_of_the_reactor_is_committed_together(store):
    writer = store.writer
    batches, jobs = sum(writer.batches), writer.jobs
    done = [store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS) for _ in range(10)]
    for each in done:
        store.wait(each)
    assert (sum(writer.batches) - batches, writer.jobs - jobs) == (1, 10)


@pytest.mark.parametrize(("jobs", "place"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (100_000, 15)])
def test_how_many_jobs_share_a_transaction(store, jobs, place):
    before = store.wait(store.spool.figures())
    store.wait(store.writer.do_all([Job(lambda _: None)] * jobs))
    after = store.wait(store.spool.figures())
    assert after.jobs - before.jobs == jobs
    changed = [new - old for old, new in zip(before.batches, after.batches, strict=True)]
    assert changed == [int(n == place) for n in range(16)]


def test_a_heartbeat_waits_for_the_writer_and_for_no_disk(store):
    with Busy(store):
        beat = store.spool.heartbeat()
        assert not beat.called
    assert store.wait(beat) is None


def test_a_heartbeat_of_a_spool_that_is_broken_says_that_nothing_hangs(store):
    with mock.patch.object(store.writer._trust, "no_writing", SpoolBrokenError("broken")):
        assert store.wait(store.spool.heartbeat()) is None


def settled(delivery):
    return Settlement(delivery=delivery, remaining=None)


def only_answer(answers):
    (answer,) = answers
    if isinstance(answer, SpoolError):
        raise answer
    return answer


def test_a_list_of_settlements_is_one_transaction(store):
    deliveries = store.commit(b"\r\n", ENVELOPE, PARCELS * 5)
    writer = store.writer
    batches, jobs = sum(writer.batches), writer.jobs
    answers = store.wait(store.spool.settle([settled(each) for each in deliveries]))
    assert answers == [()] * len(deliveries)
    assert (sum(writer.batches) - batches, writer.jobs - jobs) == (1, len(deliveries))
    assert store.lanes() == {}


def test_a_settlement_of_a_list_that_fails_is_alone_in_that(store):
    first, bad, last = store.commit(b"\r\n", ENVELOPE, PARCELS * 3)
    # What no column takes: a surrogate is no text in UTF-8.
    broken = Settlement(delivery=bad, remaining=evolve(bad, last_reply="\ud800"))
    answers = store.wait(store.spool.settle([settled(first), broken, settled(last)]))
    assert (answers[0], answers[2]) == ((), ())
    assert isinstance(answers[1], SpoolError)
    assert store.waiting("Sales") == (bad,)


def test_one_settlement_that_is_awaited_takes_its_list_along(store):
    first, second = store.commit(b"\r\n", ENVELOPE, PARCELS * 2)
    done = store.spool.settle([settled(first), evolve(settled(second), awaited=True)])
    assert store.reactor.is_busy()
    assert store.wait(done) == [(), ()]


def test_a_settlement_goes_along_with_the_mail_that_comes_next(store):
    (delivery,) = store.commit(b"\r\n", ENVELOPE, PARCELS)
    writer = store.writer
    batches, jobs = sum(writer.batches), writer.jobs
    settlement = store.spool.settle([settled(delivery)])
    assert not store.reactor.is_busy()
    store.wait(store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS))
    assert settlement.called
    assert (sum(writer.batches) - batches, writer.jobs - jobs) == (1, 2)


def test_settlements_do_not_wait_for_long(store):
    deliveries = [store.commit(b"\r\n", ENVELOPE, PARCELS)[0] for _ in range(2)]
    writer = store.writer
    batches = sum(writer.batches)
    before = store.reactor.passed()
    settlements = [store.spool.settle([settled(each)]) for each in deliveries]
    for each in settlements:
        store.wait(each)
    assert sum(writer.batches) - batches == 1
    assert store.reactor.passed() - before == pytest.approx(0.001)


def test_a_settlement_that_is_awaited_takes_all_along_at_once(store):
    first, second = store.commit(b"\r\n", ENVELOPE, PARCELS * 2)
    settlement = store.spool.settle([settled(first)])
    assert not store.reactor.is_busy()
    awaited = store.spool.settle([evolve(settled(second), awaited=True)])
    assert store.reactor.is_busy()
    store.wait(awaited)
    assert settlement.called


def test_a_settlement_that_is_held_is_written_before_the_spool_closes(store):
    (delivery,) = store.commit(b"\r\n", ENVELOPE, PARCELS)
    settlement = store.spool.settle([settled(delivery)])
    store.close()
    assert settlement.called
    store.open()
    assert store.lanes() == {}


def test_a_job_that_fails_takes_no_other_with_it(store):
    with Busy(store):
        first = store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS)
        bad = store.writer.do(lambda _: 1 / 0)
        last = store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS)
    with pytest.raises(SpoolError, match="division by zero"):
        store.wait(bad)
    deliveries = (*store.wait(first), *store.wait(last))
    assert store.waiting("Sales") == deliveries


def test_nothing_of_a_failed_job_stays(store):
    def half(connection):
        connection.execute("INSERT INTO content VALUES (1, x'00')")
        raise ValueError

    with Busy(store):
        good = store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS)
        bad = store.writer.do(half)
    with pytest.raises(SpoolError):
        store.wait(bad)
    store.wait(good)
    assert store.value("SELECT count(*) FROM content WHERE id = 1") == 0


def test_a_source_that_is_faster_than_the_disk_is_asked_to_pause(store):
    draft = store.spool.draft()
    with Busy(store):
        assert draft.write(bytes(500 * KIB)) is None
        paused = draft.write(bytes(500 * KIB))
        assert paused is not None
        assert not paused.called
    assert store.wait(paused) is None
    assert draft.write(b"x") is None
    (delivery,) = store.wait(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    assert store.read(delivery.message) == bytes(1000 * KIB) + b"x"


def test_closing_finishes_what_was_asked_for(store):
    with Busy(store):
        done = store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS)
        closed = store.spool.close()
    (delivery,) = store.wait(done)
    store.wait(closed)
    store.open()
    assert store.spool.clean
    assert store.waiting("Sales") == (delivery,)


# Room


@pytest.fixture
def disk(monkeypatch):
    """Give the disk so many free octets."""
    disk = SimpleNamespace(f_bavail=0, f_blocks=1024 * MIB, f_frsize=1)
    monkeypatch.setattr("multisendcon_plugin.spool.writer.os.statvfs", lambda _: disk)
    return disk


MIB = 1024 * KIB


@pytest.mark.parametrize(
    ("free", "size", "taken"),
    [
        (9 * MIB, 100 * KIB, True),
        (8 * MIB + 100 * KIB, 100 * KIB, False),
        (8 * MIB, 0, False),
        (8 * MIB + 100 * KIB, 0, True),
    ],
)
def test_new_mail_leaves_the_reserve_alone(store, disk, free, size, taken):
    disk.f_bavail = free
    done = store.spool.draft()
    done.write(bytes(size))
    done = store.commit_draft(done, ENVELOPE, 0, PARCELS)
    if taken:
        store.wait(done)
    else:
        with pytest.raises(SpoolFullError):
            store.wait(done)


@pytest.mark.parametrize(
    ("min_free", "free", "taken"),
    [
        (Room(), 9 * MIB, True),
        (Room(octets=20 * MIB), 21 * MIB, True),
        (Room(octets=20 * MIB), 20 * MIB, False),
        (Room(octets=20 * MIB), 9 * MIB, False),
        (Room(octets=1 * MIB), 8 * MIB, False),  # the reserve is more
        (Room(share=0.25), 257 * MIB, True),
        (Room(share=0.25), 256 * MIB, False),
        (Room(share=0.25), 100 * MIB, False),
    ],
)
def test_new_mail_leaves_to_others_what_they_are_to_have(store, disk, min_free, free, taken):
    store.close()
    store.settings = {"min_free": min_free}
    store.open()
    disk.f_bavail = 500 * MIB
    kept = commit(store)
    disk.f_bavail = free
    if taken:
        assert commit(store, bytes(100 * KIB))
    else:
        with pytest.raises(SpoolFullError, match=r"too little room on the disk \(see min_free\)"):
            commit(store, bytes(100 * KIB))
    store.settle(Settlement(delivery=kept, remaining=None))  # what is there is settled


def test_free_pages_of_the_database_are_no_room_below_what_others_are_to_have(store, disk):
    disk.f_bavail = 100 * MIB
    for delivery in [commit(store, bytes(100 * KIB)) for _ in range(10)]:
        store.settle(Settlement(delivery=delivery, remaining=None))
    store.close()
    store.settings = {"min_free": Room(octets=20 * MIB)}
    store.open()
    disk.f_bavail = 20 * MIB
    assert commit(store, bytes(100 * KIB))
    disk.f_bavail -= 1
    with pytest.raises(SpoolFullError):
        commit(store, bytes(100 * KIB))


@pytest.mark.parametrize(("free", "taken"), [(5 * MIB, True), (3 * MIB, False)])
def test_free_pages_of_the_database_count_as_room(store, disk, free, taken):
    disk.f_bavail = 100 * MIB
    for delivery in [commit(store, bytes(100 * KIB)) for _ in range(10)]:
        store.settle(Settlement(delivery=delivery, remaining=None))
    disk.f_bavail = free
    if taken:
        assert commit(store, bytes(100 * KIB))
    else:
        with pytest.raises(SpoolFullError):
            commit(store, bytes(100 * KIB))


def test_what_comes_together_shares_the_room(store, disk):
    disk.f_bavail = 8 * MIB + 300 * KIB
    with Busy(store):
        done = []
        for _ in range(2):
            draft = store.spool.draft()
            draft.write(bytes(100 * KIB))
            done.append(store.commit_draft(draft, ENVELOPE, 0, PARCELS))
    store.wait(done[0])
    with pytest.raises(SpoolFullError):
        store.wait(done[1])


def test_a_disk_that_cannot_be_measured_is_an_error_and_not_silence(store, monkeypatch):
    def statvfs(_):
        raise OSError(5, "Input/output error")

    delivery = commit(store)
    monkeypatch.setattr("multisendcon_plugin.spool.writer.os.statvfs", statvfs)
    with pytest.raises(SpoolError, match="Input/output error"):
        commit(store)
    store.settle(Settlement(delivery=delivery, remaining=None))


# A disk that fails


# In these tests the first COMMIT is that of the job that keeps the writer busy.


@pytest.mark.parametrize(
    ("statement", "code", "which"),
    [
        ("COMMIT", sqlite3.SQLITE_IOERR_FSYNC, 2),
        ("COMMIT", sqlite3.SQLITE_IOERR, 2),
        ("INSERT INTO delivery", sqlite3.SQLITE_IOERR_FSYNC, 1),
    ],
)
def test_after_a_failed_sync_nothing_is_written_any_more(store, statement, code, which):
    delivery = commit(store)
    with Busy(store):
        done = [store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS) for _ in range(3)]
        store.connection.fail(statement, code, {which})
    done.append(store.spool.settle([Settlement(delivery=delivery, remaining=None)]))
    done[-1].addCallback(only_answer)
    with logged() as log:
        for each in done:
            with pytest.raises(SpoolBrokenError, match="the spool has stopped writing"):
                store.wait(each)
    assert store.connection.tried == which
    [text] = log.texts()
    assert f"{store.folder}/spool.db: made up; no mail is accepted or sent any more" in text
    assert "check the disk, then restart the relay" in text
    assert "recover" not in text
    assert store.waiting("Sales") == (delivery,)
    assert store.read(delivery.message) == b"text"
    store.close()
    store.open()
    assert not store.spool.clean
    assert store.waiting("Sales") == (delivery,)


@pytest.mark.parametrize("which", ["file", "folder"])
def test_after_a_failed_sync_of_a_file_nothing_is_written_any_more(store, monkeypatch, which):
    delivery = commit(store)
    tried = []

    def fails(_):
        tried.append(which)
        if len(tried) == (1 if which == "file" else 2):
            raise OSError(errno.ENOSPC, "made up")

    monkeypatch.setattr(os, "fsync", fails)
    with Busy(store):
        draft = store.begin(bytes(300 * KIB))
        done = store.commit_draft(draft, ENVELOPE, 0, PARCELS)
    with logged() as log, pytest.raises(SpoolBrokenError, match="the spool has stopped writing"):
        store.wait(done)
    assert len(tried) == (1 if which == "file" else 2)
    assert "check the disk, then restart the relay" in log.texts()[0]
    store.close()
    store.open()
    assert store.waiting("Sales") == (delivery,)
    assert store.files() == {}


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE])
def test_a_commit_for_which_there_is_no_room_is_tried_one_by_one(store, code):
    with Busy(store):
        done = [store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS) for _ in range(3)]
        store.connection.fail("COMMIT", code, {2, 3})
    with pytest.raises(SpoolFullError):
        store.wait(done[0])
    deliveries = (*store.wait(done[1]), *store.wait(done[2]))
    assert store.waiting("Sales") == deliveries


def test_a_settlement_has_room_that_new_mail_has_not(store, disk):
    disk.f_bavail = 100 * MIB
    spare = store.folder / "spool.spare"
    deliveries = [commit(store) for _ in range(2)]
    assert spare.stat().st_blocks * 512 >= 4 * MIB
    for delivery in deliveries:
        with Busy(store):
            draft = store.spool.draft()
            refused = store.commit_draft(draft, ENVELOPE, 0, PARCELS)
            settled = store.spool.settle([Settlement(delivery=delivery, remaining=None)])
            store.connection.fail("COMMIT", sqlite3.SQLITE_FULL, {2, 3, 4})
        with pytest.raises(SpoolFullError):
            store.wait(refused)
        assert store.wait(settled) == [()]
        assert not spare.exists()
        commit(store)
        assert spare.exists()


def test_an_input_output_error_of_one_job_is_its_own(store):
    with Busy(store):
        done = [store.commit_draft(store.spool.draft(), ENVELOPE, 0, PARCELS) for _ in range(2)]
        store.connection.fail("INSERT INTO delivery", sqlite3.SQLITE_IOERR_READ, {1, 2})
    with pytest.raises(SpoolError):
        store.wait(done[0])
    assert store.waiting("Sales") == store.wait(done[1])
