"""The history as it is written to its file, pruned, searched, and put aside."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing, contextmanager

import attrs
import pytest

from multisendcon_plugin.errors import HistoryError
from multisendcon_plugin.events import (
    DeliveryMoved,
    HistoryInterrupted,
    HistoryResumed,
    Publisher,
)
from multisendcon_plugin.history import (
    BACKWARD,
    FORWARD,
    History,
    Kind,
    Search,
    history,
    rows,
    search,
    stories,
)
from multisendcon_plugin.mail.message import queue_id
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.settings.operation import HistorySettings
from multisendcon_plugin.settings.quantities import Room
from tests.history.facts import accepted, delivery, message, tried
from tests.queues import NOW, logged
from tests.reactors import StillReactor

DAY = 24 * 3600


class World:
    """A history with the events of a relay."""

    def __init__(self, folder, **settings):
        self.reactor = StillReactor()
        self.events = Publisher()
        self.told = []
        for kind in (HistoryInterrupted, HistoryResumed):
            self.events.subscribe(kind, self.told.append)
        self.history = History(
            str(folder),
            HistorySettings(**settings),
            events=self.events,
            reactor=self.reactor,
            wall=self.reactor.seconds,
            min_free=Room(),
        )
        self.file = folder / "history.db"

    def publish(self, *facts):
        for fact in facts:
            self.events.publish(fact)

    def mails(self, count, first=1, **more):
        """Let mails be accepted and delivered, a minute from each other."""
        for n in range(first, first + count):
            mail = delivery(message(n, arrived=NOW + 60 * n, **more))
            self.publish(accepted(mail), tried(mail, at=NOW + 60 * n + 0.5))

    def page(self, limit=100, after=(0, 0), way=FORWARD, **said):
        return self.reactor.wait(self.history.find(Search(**said), limit, after, way))

    def find(self, limit=100, **said):
        """Return all numbers that are found, page by page; the other way, it is the same."""
        found = self.all(limit, FORWARD, said)
        assert self.all(limit, BACKWARD, said) == found[::-1]
        return found

    def all(self, limit, way, said):
        found, after = [], way.start
        while after is not None:
            page = self.page(limit, after, way, **said)
            assert len(page.stories) <= limit
            found += page.stories
            after = page.after
        return [each.id for each in found]

    def story(self, number):
        (told,) = self.page(number=number).stories
        return told

    def pass_by(self, seconds):
        """Let time pass, and what is done meanwhile end."""
        for _ in range(round(seconds / 0.5)):
            self.reactor.advance(0.5)
            self.page(limit=1)

    def wait_until(self, condition):
        for _ in range(100):
            if condition():
                return
            self.pass_by(0.5)
        raise AssertionError("it did not happen within 50 seconds")

    def newest(self):
        return self.reactor.wait(self.history.newest())


@contextmanager
def opened(folder, **settings):
    world = World(folder, **settings)
    world.history.startService()
    try:
        yield world
    finally:
        world.reactor.wait(world.history.stopService())


@pytest.fixture
def world(tmp_path):
    with opened(tmp_path) as world:
        yield world


def ids(*numbers):
    return [queue_id(number) for number in numbers]


def kinds(story):
    return [each.event.value for each in story.events]


def test_what_happened_until_then_is_found(world):
    world.mails(1)
    assert kinds(world.story(1)) == ["accepted", "attempt", "delivered", "ended"]
    world.mails(1, first=2)
    assert world.find() == ids(1, 2)


def test_a_story_goes_on_in_other_batches(world):
    mail = delivery(message(1))
    world.publish(accepted(mail))
    assert kinds(world.story(1)) == ["accepted"]
    deferred = tried(mail, Verdict.DEFERRED)
    world.publish(deferred)
    assert kinds(world.story(1)) == ["accepted", "attempt", "deferred"]
    world.publish(tried(deferred.judgement.remaining, at=NOW + 100))
    assert kinds(world.story(1))[3:] == ["attempt", "delivered", "ended"]


def test_it_is_there_after_a_restart(tmp_path):
    with opened(tmp_path) as world:
        world.mails(3)
    assert stat.S_IMODE((tmp_path / "history.db").stat().st_mode) == 0o600
    with opened(tmp_path) as world:
        world.mails(1, first=4)
        assert world.find() == ids(1, 2, 3, 4)
        assert not world.told


def test_nothing_is_listened_to_after_the_stop(tmp_path):
    with opened(tmp_path) as world:
        pass
    world.mails(1)
    with opened(tmp_path) as world:
        assert world.find() == []


def test_a_mail_of_which_only_the_queue_knew(world):
    mail = delivery(message(1, message_id="<1@x>"))
    world.publish(tried(mail, Verdict.DEFERRED))
    told = world.story(1)
    assert kinds(told) == ["accepted", "attempt", "deferred"]
    assert told.events[0].late
    world.publish(tried(mail))
    assert kinds(world.story(1)) == [*kinds(told), "attempt", "delivered", "ended"]
    assert world.find(message_id="1@x") == ids(1)


def test_an_arrival_that_is_told_late_is_where_the_story_begins(world):
    mail = delivery(message(1))
    world.publish(tried(mail, Verdict.DEFERRED))
    world.story(1)
    world.publish(accepted(mail))
    told = world.story(1)
    assert kinds(told) == ["accepted", "attempt", "deferred"]
    assert not told.events[0].late
    assert world.find() == ids(1)


# Search.


@pytest.mark.parametrize("most_fresh", [1, 30, 1000])
def test_each_search_finds_its_stories_in_order_of_time(world, most_fresh, monkeypatch):
    monkeypatch.setattr(rows, "MOST_FRESH", most_fresh)
    for n in range(1, 41):
        of = message(
            n,
            # Numbers are not quite in order of arrival.
            arrived=NOW + 100 * (n ^ 1),
            sender=f"s{n % 3}@a.example" if n % 5 else "",
            recipients=(f"r{n % 4}@b.example", "all@b.example"),
            message_id=f"<{n}@x>",
        )
        mail = delivery(of, "A" if n % 2 else "B")
        world.publish(accepted(mail))
        if n % 10 == 0:
            world.publish(DeliveryMoved(mail, "C", "by hand"))
        if n % 3 == 0:
            world.page(limit=1)  # a batch of its own
    numbers = sorted(range(1, 41), key=lambda n: n ^ 1)
    for limit in (1, 7, 100):
        assert world.find(limit) == ids(*numbers)
        assert world.find(limit, sender="S1@A.example") == ids(
            *(n for n in numbers if n % 3 == 1 and n % 5)
        )
        assert world.find(limit, sender="") == ids(*(n for n in numbers if not n % 5))
        assert world.find(limit, recipient="r3@B.example") == ids(
            *(n for n in numbers if n % 4 == 3)
        )
        assert world.find(limit, recipient="all@b.example") == ids(*numbers)
        assert world.find(limit, message_id="7@x") == ids(7)
        assert world.find(limit, account="A") == ids(*(n for n in numbers if n % 2))
        assert world.find(limit, account="C") == ids(10, 20, 30, 40)
        assert world.find(limit, account="A", recipient="r1@b.example") == ids(
            *(n for n in numbers if n % 4 == 1)
        )
        between = {"since": NOW + 100 * 5, "until": NOW + 100 * 9}
        assert world.find(limit, **between) == ids(4, 7, 6, 9)
        assert world.find(limit, account="B", **between) == ids(4, 6)
        assert world.find(limit, number=7) == ids(7)
        assert world.find(limit, number=7, account="B") == []
        assert world.find(limit, sender="nobody@x") == []
        assert world.find(limit, message_id="99@x") == []


def test_a_listing_goes_on_behind_any_story(world):
    world.mails(5)
    world.find()
    for number, following, before in ((2, ids(3, 4, 5), ids(1)), (5, [], ids(4, 3, 2, 1))):
        place = world.reactor.wait(world.history.place(number))
        assert [each.id for each in world.page(after=place).stories] == following
        assert [each.id for each in world.page(after=place, way=BACKWARD).stories] == before


def test_a_listing_goes_on_where_a_story_was_that_is_gone(world):
    """A number is a time."""
    for n in (1, 3):
        number = int((NOW + n) * 1000) * 32
        world.publish(accepted(delivery(message(number, arrived=NOW + n))))
    place = world.reactor.wait(world.history.place(int((NOW + 2) * 1000) * 32))
    (left,) = world.page(after=place).stories
    assert left.arrived == NOW + 3


def test_a_hash_that_two_texts_share_finds_what_was_looked_for(world, monkeypatch):
    monkeypatch.setattr("multisendcon_plugin.history.marks.crc32", lambda text, seed: len(text))
    world.mails(2, recipients=("one@b.example",))
    world.mails(2, first=3, recipients=("two@b.example",))
    assert world.find(recipient="two@b.example") == ids(3, 4)


def test_a_piece_of_a_listing_looks_at_so_many_stories(world, monkeypatch):
    monkeypatch.setattr(rows, "MOST_FRESH", 1)
    monkeypatch.setattr(search, "LOOKED_AT", 2)
    monkeypatch.setattr(search, "PERIODS_LOOKED_AT", 1)
    world.mails(5)
    page = world.page(account="B")
    assert (page.stories, page.after is None) == ((), False)
    assert world.find() == world.find(account="A") == ids(1, 2, 3, 4, 5)
    assert world.find(recipient="nobody@x") == []


# What is forgotten.


def test_what_is_older_than_it_is_kept_is_forgotten_in_small_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "PRUNED_AT_ONCE", 3)
    monkeypatch.setattr(rows, "MOST_FRESH", 1)
    with opened(tmp_path, keep=DAY) as world:
        world.mails(10, recipients=("a@x", "b@x"))
        assert len(world.find()) == 10
        world.reactor.now = NOW + DAY + 60 * 8 + 1
        world.wait_until(lambda: world.all(100, FORWARD, {}) == ids(9, 10))
        assert world.find(recipient="a@x") == ids(9, 10)
        world.reactor.now = NOW + 2 * DAY
        world.wait_until(lambda: not world.all(100, FORWARD, {}))
        world.wait_until(lambda: counted(world, "mark") == 0)
    assert [counted(world, table) for table in ("piece", "arrival", "mark")] == [0, 0, 0]
    assert not world.told


def counted(world, table):
    with closing(sqlite3.connect(world.file)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_settings_change_while_it_runs(world):
    world.mails(2, subject="one")
    assert world.story(1).subject == "one"
    world.history.reconfigure(HistorySettings(keep=3600, subjects=False))
    world.mails(1, first=3, subject="two")
    assert world.story(3).subject == ""
    world.reactor.now = NOW + 3600 + 60 * 2 + 1
    world.wait_until(lambda: world.all(100, FORWARD, {}) == ids(3))


# What goes wrong.


def damage(file):
    content = bytearray(file.read_bytes())
    content[:100] = b"x" * 100
    content[4096:] = b"y" * len(content[4096:])
    file.write_bytes(content)


def test_a_damaged_file_is_put_aside_at_the_start(tmp_path):
    with opened(tmp_path) as world:
        world.mails(3)
    damage(tmp_path / "history.db")
    kept = (tmp_path / "history.db").read_bytes()
    with opened(tmp_path) as world:
        world.mails(1, first=4)
        assert world.find() == ids(4)
        interrupted, resumed = world.told
        assert "history.db: file is not a database" in interrupted.why
        assert "it is now history.db.damaged-1" in interrupted.why
        assert resumed == HistoryResumed(0)
        assert world.history.trouble == ""
    assert (tmp_path / "history.db.damaged-1").read_bytes() == kept


def test_a_file_that_is_damaged_while_it_is_read_is_put_aside(tmp_path):
    with opened(tmp_path) as world:
        world.mails(500)
    with opened(tmp_path) as world:
        world.find()
        content = (tmp_path / "history.db").read_bytes()
        with (tmp_path / "history.db").open("r+b") as file:
            file.seek(4096)
            file.write(b"y" * (len(content) - 4096))
        assert world.find(message_id="x", recipient="y") == []
        assert "malformed" in world.told[0].why
        world.mails(1, first=501)
        assert world.find() == ids(501)
        assert [type(each) for each in world.told] == [HistoryInterrupted, HistoryResumed]
    assert (tmp_path / "history.db.damaged-1").exists()


def test_damage_is_found_also_if_nobody_reads(tmp_path):
    with opened(tmp_path) as world:
        world.mails(1)
        world.find()
        for name in ("history.db", "history.db-wal"):
            with (tmp_path / name).open("r+b") as file:
                file.write(b"x" * (tmp_path / name).stat().st_size)
        for _ in range(30):
            world.reactor.advance(0.5)
            for worker in (world.history._writer, world.history._reader):
                world.reactor.wait(worker.do([]))
        assert "it is now history.db.damaged-1" in world.told[0].why


def test_another_version_s_file_is_put_aside(tmp_path):
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        connection.executescript("CREATE TABLE other (x); PRAGMA user_version = 9;")
    (tmp_path / "history.db").chmod(0o600)
    with opened(tmp_path) as world:
        world.mails(1)
        assert world.find() == ids(1)
        assert "schema 9" in world.told[0].why


def test_a_file_that_is_not_ours_is_left_alone(tmp_path):
    (tmp_path / "elsewhere").touch()
    (tmp_path / "history.db").symlink_to(tmp_path / "elsewhere")
    with opened(tmp_path) as world:
        world.mails(1)
        with pytest.raises(HistoryError):
            world.find()
        assert "is a link" in world.told[0].why
        assert world.history.trouble == world.told[0].why
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_full_disk_is_told_once_and_all_is_written_when_there_is_room(world, monkeypatch):
    world.find()
    monkeypatch.setattr(world.history._store, "_min_free", Room(share=1.0))
    world.mails(2)
    assert world.find() == []
    world.pass_by(20)
    assert [type(each) for each in world.told] == [HistoryInterrupted]
    assert "too little room on the disk" in world.told[0].why
    monkeypatch.undo()
    world.wait_until(lambda: world.all(100, FORWARD, {}) == ids(1, 2))
    assert world.told[1:] == [HistoryResumed(0)]


def test_when_too_much_waits_the_oldest_is_left_out(world, monkeypatch):
    world.find()
    monkeypatch.setattr(history, "MOST_WAITING", 4)
    monkeypatch.setattr(world.history._store, "_min_free", Room(share=1.0))
    world.mails(1)
    world.find()
    world.mails(3, first=2)
    world.pass_by(1)
    assert len(world.history._waiting) == 4
    monkeypatch.undo()
    world.wait_until(lambda: world.all(100, FORWARD, {}) == ids(3, 4))
    assert world.told[1:] == [HistoryResumed(4)]


def test_a_bug_costs_what_is_written_with_it_and_no_more(world, monkeypatch):
    world.find()
    monkeypatch.setattr("multisendcon_plugin.history.marks.crc32", None)
    with logged() as log:
        world.mails(1)
        assert world.find() == []
    (line,) = log.texts()
    assert "(a bug)" in line
    monkeypatch.undo()
    world.mails(1, first=2)
    world.wait_until(lambda: world.all(100, FORWARD, {}) == ids(2))
    assert world.told[1:] == [HistoryResumed(2)]


# A relay that does not run.


def test_the_file_can_be_read_without_a_relay(tmp_path):
    with opened(tmp_path) as world:
        world.mails(3)
    before = world.file.read_bytes()
    assert [each.id for each in stories(world.file, Search())] == ids(1, 2, 3)
    assert [each.id for each in stories(world.file, Search(number=2))] == ids(2)
    assert [each.id for each in stories(world.file, Search(), after=2)] == ids(3)
    (told,) = stories(world.file, Search(number=1))
    assert told.events[-1].event is Kind.ENDED
    assert world.file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["history.db"]


def test_without_a_history_there_are_no_stories(tmp_path):
    assert list(stories(tmp_path / "history.db", Search())) == []
    assert not list(tmp_path.iterdir())


def test_a_history_that_is_just_begun_has_no_stories(tmp_path):
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        connection.execute("VACUUM")  # a file with nothing in it
    assert list(stories(tmp_path / "history.db", Search())) == []


def test_a_history_of_another_version_is_not_read(tmp_path):
    with closing(sqlite3.connect(tmp_path / "history.db")) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(HistoryError, match="schema 9"):
        list(stories(tmp_path / "history.db", Search()))


def test_the_newest_story_is_the_last_that_is_found(tmp_path):
    with opened(tmp_path) as world:
        assert world.newest() == (0, 0)
        world.mails(3)
        _, number = world.newest()
        assert queue_id(number) == world.find()[-1]
        assert world.page(after=world.newest()).stories == ()


def recent(world, limit, before=BACKWARD.start):
    page = world.page(limit, before, BACKWARD)
    return [each.id for each in page.stories], page.after


def test_the_last_stories_come_first_when_they_are_asked_for_so(world):
    world.mails(5)
    found, after = recent(world, 2)
    assert found == ids(5, 4)
    found, after = recent(world, 2, after)
    assert found == ids(3, 2)
    assert recent(world, 2, after) == (ids(1), None)


def test_they_end_with_a_piece_that_is_not_full(world):
    assert recent(world, 2) == ([], None)
    world.mails(2)
    _, after = recent(world, 2)
    assert recent(world, 2, after) == ([], None)


def test_of_the_null_sender_the_author_is_kept(world):
    for number, sender in ((1, ""), (2, "boss@sales.example")):
        mail = message(number)
        envelope = attrs.evolve(mail.envelope, reverse_path=sender, author="who@sales.example")
        world.publish(accepted(delivery(attrs.evolve(mail, envelope=envelope))))
    assert world.story(1).author == "who@sales.example"
    assert world.story(1).recipients == world.story(2).recipients
    assert world.story(2).author == ""
