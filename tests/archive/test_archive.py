"""Copies of outgoing mail: what they hold, and that the disk never delays or costs a mail."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import threading
from datetime import UTC, datetime
from itertools import pairwise
from typing import ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from multisendcon_plugin import events
from multisendcon_plugin.archive import archive as archive_module
from multisendcon_plugin.archive import folder as folder_module
from multisendcon_plugin.archive.archive import CALM, Archive
from multisendcon_plugin.archive.copy_file import CopyFile
from multisendcon_plugin.archive.folder import STEP, ArchiveFolder
from multisendcon_plugin.configuration import parse, warnings
from multisendcon_plugin.outcome.attempt import Verdict
from multisendcon_plugin.settings.operation import ArchiveSettings
from tests.interop.programs import until
from tests.live_relay import CONTENT as LIVE_CONTENT
from tests.live_relay import LiveRelayTestCase, account, without_trace
from tests.queues import attempt, collected, delivery
from tests.relays import CLOSE, Server, Way

DAY = 86400.0
#: 2026-11-28, noon.
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
FILES_AND_FOLDERS = 0o777

# The octets.


@given(st.text("a.\r\n", max_size=30), st.lists(st.integers(0, 60)))
def test_the_dots_that_smtp_adds_are_not_in_the_copy(tmp_path_factory, text, cuts):
    """Whatever the pieces: a line that begins with a dot was sent with one more."""
    content = text.encode() + b"\r\n"
    wire = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
    copy = CopyFile(tmp_path_factory.mktemp("copy") / "copy")
    places = sorted({0, len(wire), *(min(each, len(wire)) for each in cuts)})
    for begin, end in pairwise(places):
        copy.write(wire[begin:end])
    copy.close()
    assert copy.path.read_bytes() == content
    assert copy.size == len(content)


# The folder.


class World:
    """An archive whose thread works when it is let.

    :ivar told: events.
    """

    def __init__(self, path, **settings):
        self.clock = Clock()
        self.clock.callFromThread = lambda function, *arguments: function(*arguments)
        self.now = NOW
        self.publisher = events.Publisher()
        self.told = collected(self.publisher)
        self.settings = ArchiveSettings(path=path and str(path), **settings)
        self.archive = Archive(self.settings, self.publisher, self.clock, lambda: self.now)
        self.archive.startService()

    def send(self, *pieces, verdict=Verdict.DELIVERED, sender="s@a.example", **more):
        """Send a mail; what its copy is made of waits for the thread."""
        made = attrs.evolve(delivery(1), **more)
        copy = self.archive.begin(made, sender)
        for piece in pieces or (b"From: x\r\n\r\n..a\r\n",):
            copy.write(piece)
        copy.end(attempt(made, verdict).outcomes, "192.0.2.1 to 192.0.2.2 port 25")

    def work(self):
        """Let the thread do all of it, and begin a new one."""
        self.archive.stopService()
        Threads.run()
        self.archive.startService()


class Threads:
    begun: ClassVar = []

    @classmethod
    def run(cls):
        while cls.begun:
            cls.begun.pop(0)()


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    Threads.begun = []

    class NoThread:
        def __init__(self, target, name, daemon):
            assert daemon
            self.start = lambda: Threads.begun.append(target)

    monkeypatch.setattr(archive_module, "Thread", NoThread)


def files(path):
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file())


def test_a_copy_has_the_mail_and_beside_it_what_became_of_it(tmp_path):
    world = World(tmp_path / "archive")
    world.send(b"From: x\r\n\r\n..a\r", b"\n..", b"b\r\n", attempts=2)
    world.work()
    root = tmp_path / "archive"
    assert files(root) == ["2026-11-28/1-A-3.eml", "2026-11-28/1-A-3.json"]
    assert (root / "2026-11-28/1-A-3.eml").read_bytes() == b"From: x\r\n\r\n.a\r\n.b\r\n"
    assert json.loads((root / "2026-11-28/1-A-3.json").read_text()) == {
        "id": "1",
        "account": "A",
        "attempt": 3,
        "arrived": delivery(1).message.arrived,
        "arrived_at": "2023-11-14T22:13:20.000Z",
        "sent": NOW,
        "sent_at": "2026-11-28T12:00:00.000Z",
        "sender": "s@a.example",
        "recipients": [
            {"address": "r@b.example", "verdict": "delivered", "reply": "250 2.0.0 taken"}
        ],
        "session": "192.0.2.1 to 192.0.2.2 port 25",
    }
    assert world.told == []


def test_nobody_else_may_look_into_it(tmp_path):
    world = World(tmp_path / "archive")
    world.send()
    world.work()
    for each in [tmp_path / "archive", *(tmp_path / "archive").rglob("*")]:
        mode = each.stat().st_mode & FILES_AND_FOLDERS
        assert mode == (0o700 if each.is_dir() else 0o600)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_only_what_the_server_has_or_may_have_is_kept(tmp_path, verdict):
    world = World(tmp_path)
    world.send(verdict=verdict)
    world.work()
    kept = verdict in (Verdict.DELIVERED, Verdict.UNCERTAIN)
    assert len(files(tmp_path)) == 2 * kept


def test_the_parts_of_a_mail_that_was_split_do_not_replace_each_other(tmp_path):
    world = World(tmp_path)
    world.send(b"one\r\n")
    world.send(b"two\r\n")
    world.work()
    assert files(tmp_path)[::2] == ["2026-11-28/1-A-1-2.eml", "2026-11-28/1-A-1.eml"]


@pytest.mark.parametrize("name", ["../../etc", "a/b", "é" * 300, ".", "x\u202e"])
def test_the_name_of_an_account_leads_nowhere_else(tmp_path, name):
    world = World(tmp_path)
    world.send(account=name)
    world.work()
    found = files(tmp_path)
    assert len(found) == 2
    assert all(each.startswith("2026-11-28/1-") and each.count("/") == 1 for each in found)


def test_without_a_place_nothing_is_kept(tmp_path):
    world = World(None)
    assert world.archive.begin(delivery(1), "") is None
    assert Threads.begun == []
    assert world.archive.stopService() is None


# The limits.


def archived(root, day, number, size=10, at=0):
    folder = root / day
    folder.mkdir(exist_ok=True)
    path = folder / f"{number}-A-1.eml"
    path.write_bytes(b"x" * size)
    os.utime(path, (at, at))


def prune(root, **settings):
    """Prune to the end; return how many steps that took."""
    folder = ArchiveFolder(ArchiveSettings(path=str(root), **settings), lambda: NOW)
    steps = 1
    while folder.prune():
        steps += 1
        assert steps < 1000
    assert not folder.prune()
    return steps


def test_days_that_are_too_old_go(tmp_path):
    for day in ("2026-10-28", "2026-10-29", "2026-11-28"):
        archived(tmp_path, day, 1)
    prune(tmp_path, keep=30 * DAY)
    assert files(tmp_path) == ["2026-10-29/1-A-1.eml", "2026-11-28/1-A-1.eml"]
    assert not (tmp_path / "2026-10-28").exists()


def test_a_day_goes_in_small_steps(tmp_path):
    for number in range(5 * STEP):
        archived(tmp_path, "2026-01-01", number)
    assert prune(tmp_path) >= 5
    assert files(tmp_path) == []


def test_beyond_the_size_the_oldest_days_go_as_a_whole(tmp_path):
    for day in ("2026-11-20", "2026-11-21", "2026-11-28"):
        for number in range(150):
            archived(tmp_path, day, number)
    prune(tmp_path, max_size=4000)
    assert {each.split("/")[0] for each in files(tmp_path)} == {"2026-11-21", "2026-11-28"}


def test_of_today_alone_the_oldest_copies_go(tmp_path):
    for number in range(2 * STEP):
        archived(tmp_path, "2026-11-28", number, at=number)
    prune(tmp_path, max_size=1500)
    left = {int(each.split("/")[1].split("-")[0]) for each in files(tmp_path)}
    assert left == set(range(STEP, 2 * STEP))


def test_what_is_none_of_ours_stays_and_is_no_endless_work(tmp_path):
    for name in ("notes.txt", "2026-01-01x"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "2026-01-02").symlink_to(tmp_path / "elsewhere")
    archived(tmp_path, "2026-01-01", 1)
    (tmp_path / "elsewhere" / "kept").touch()
    folder = ArchiveFolder(ArchiveSettings(path=str(tmp_path)), lambda: NOW)
    (tmp_path / "2026-01-01" / ".begun-1-1").touch()  # a copy that is being written
    steps = 0
    while folder.prune():
        steps += 1
        assert steps < 10
    assert files(tmp_path) == ["2026-01-01/.begun-1-1", "elsewhere/kept"]


def test_what_a_crash_has_left_is_swept_at_the_start(tmp_path):
    archived(tmp_path, "2026-11-27", 1)
    for name in (".begun-1-7", ".begun-1-7-json"):
        (tmp_path / "2026-11-27" / name).write_text("half")
    world = World(tmp_path)
    world.work()
    assert files(tmp_path) == ["2026-11-27/1-A-1.eml"]


# Trouble.


def no_room(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("where", ["write", "keep", "begin"])
def test_a_full_disk_is_told_once_and_when_it_is_over(tmp_path, monkeypatch, where):
    world = World(tmp_path)
    with monkeypatch.context() as broken:
        if where == "write":
            broken.setattr(CopyFile, "_write", no_room)
        else:
            broken.setattr(ArchiveFolder, where, no_room)
        for _ in range(3):
            world.send(b"a\r\n", b"b\r\n", b"c\r\n")
        world.send(verdict=Verdict.DEFERRED)
        world.work()
        assert world.told == [events.ArchiveFailed("No space left on device")]
    world.send()
    world.work()
    assert len(world.told) == 1  # it may be full again at once
    world.clock.advance(CALM)
    world.send()
    world.work()
    assert world.told[1:] == [events.ArchiveRecovered(3)]
    assert len([each for each in files(tmp_path) if each.endswith(".eml")]) == 2
    assert not [each for each in files(tmp_path) if ".begun" in each]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    world = World(tmp_path / "file" / "archive")
    world.send()
    world.work()
    assert world.told == [events.ArchiveFailed("Not a directory")]


def test_a_disk_that_hangs_costs_copies_and_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MOST_WAITING", 1_000_000)
    world = World(tmp_path)
    writer = world.archive._writer
    for _ in range(500):
        world.send(b"x" * 9_000 + b"\r\n", b"y" * 9_000 + b"\r\n")
    assert world.told == [events.ArchiveFailed("the disk does not keep up")]
    assert writer._put < 1_100_000
    assert writer._inbox.qsize() < 500
    world.clock.advance(CALM)
    world.work()
    assert writer._put == writer._taken
    [_, recovered] = world.told
    kept = len([each for each in files(tmp_path) if each.endswith(".eml")])
    assert recovered.missing + kept == 500


def test_a_stop_does_not_wait_for_a_disk_that_hangs(tmp_path):
    world = World(tmp_path)
    world.send()
    stopped = world.archive.stopService()
    world.clock.advance(archive_module.STOPS_WITHIN)
    assert stopped.called
    Threads.run()
    assert world.clock.getDelayedCalls() == []


def test_other_settings_hold_for_what_comes_then(tmp_path):
    world = World(tmp_path / "a")
    copy = world.archive.begin(delivery(1), "")
    copy.write(b"begun\r\n")
    world.archive.reconfigure(attrs.evolve(world.settings, path=str(tmp_path / "b")))
    copy.end(attempt(delivery(1)).outcomes, "")
    world.send()
    world.archive.reconfigure(attrs.evolve(world.settings, path=None))
    assert world.archive.begin(delivery(1), "") is None
    world.archive.reconfigure(attrs.evolve(world.settings, path=str(tmp_path / "c")))
    world.send()
    world.archive.stopService()
    Threads.run()
    assert {each.split("/")[0] for each in files(tmp_path)} == {"a", "b", "c"}


def test_an_archive_may_be_switched_on_later(tmp_path):
    world = World(None)
    world.archive.reconfigure(attrs.evolve(world.settings, path=str(tmp_path)))
    world.send()
    world.work()
    assert len(files(tmp_path)) == 2


# From the relay.


def copies(server, tmp_path, *, account=(), **more):
    """Send a mail through a server; return what is kept of it."""
    world = World(tmp_path)
    way = Way(server, **{"archive": True, **dict(account)})
    way.factory.archive = world.archive
    way.begin(**more)
    world.work()
    return files(tmp_path)


def test_what_leaves_is_what_is_kept(tmp_path):
    server = Server("PIPELINING")
    [eml, _] = copies(server, tmp_path)
    sent = server.taken[0].removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
    assert (tmp_path / eml).read_bytes() == sent


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "END"])
def test_what_is_refused_is_not_kept(tmp_path, command):
    assert copies(Server("PIPELINING", **{command: "550 5.7.1 no"}), tmp_path) == []


def test_what_may_have_arrived_is_kept(tmp_path):
    [_, beside] = copies(Server(END=CLOSE), tmp_path)
    assert json.loads((tmp_path / beside).read_text())["recipients"][0]["verdict"] == "uncertain"


def test_an_error_of_ours_leaves_no_copy(tmp_path):
    def pieces():
        yield LIVE_CONTENT
        raise ZeroDivisionError

    assert copies(Server(), tmp_path, pieces=pieces) == []


def test_accounts_that_do_not_archive_have_no_copies(tmp_path):
    assert copies(Server(), tmp_path, account={"archive": False}) == []


def test_an_account_without_a_place_for_its_copies_is_warned_of(tmp_path):
    text = '[[account]]\nname = "A"\nserver = "a.example"\narchive = true\nsenders = "*"\n'
    warned = '[[account]] "A", archive: no copy is kept'
    assert [each for each in warnings(parse(text), NOW) if each.startswith(warned)]
    text += f'[archive]\npath = "{tmp_path}"\n'
    assert not [each for each in warnings(parse(text), NOW) if "archive" in each]


class Live(LiveRelayTestCase):
    """With threads, sockets and a disk."""

    def setUp(self):
        super().setUp()
        self.patch(archive_module, "Thread", threading.Thread)

    def archiving(self, path):
        provider = self.provider()
        settings = {"archive": True, "fixed_sender": "sales@home.example"}
        more = f'[archive]\npath = "{path}"\n'
        self.relay(account("Sales", provider, **settings), more=more)
        return provider

    async def test_a_copy_has_the_fixed_sender_and_its_reply_to(self):
        provider = self.archiving(self.folder / "archive")
        await self.send()
        [mail] = await provider.wait_for(1)
        await self.service.stopService()
        [eml] = self.folder.glob("archive/*/*.eml")
        assert eml.read_bytes() == mail.content
        assert b"From: Author <sales@home.example>" in mail.content
        assert without_trace(mail.content)
        facts = json.loads(eml.with_suffix(".json").read_text())
        assert facts["sender"] == "sales@home.example"
        assert eml.name.startswith(facts["id"])

    async def test_a_full_disk_delays_no_mail(self):
        small = self.folder / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(small)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            self.skipTest("nothing can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(small)], check=True)
        provider = self.archiving(small)
        long = LIVE_CONTENT + b"line\r\n" * 20_000
        for _ in range(3):
            await self.send(content=long)
        mails = await provider.wait_for(3)
        assert len(mails) == 3
        [line] = await self.log.wait_for("copies of outgoing mail are not kept:")
        assert "No space left on device" in line
        [alarm] = await self.log.wait_for("alarm: copies of outgoing mail are not kept")
        assert "(archive, since " in alarm
        await self.service.stopService()
        assert files(small) == []


def test_what_is_left_is_looked_for_again_after_a_while(tmp_path, monkeypatch):
    world_now = [NOW]
    folder = ArchiveFolder(ArchiveSettings(path=str(tmp_path), keep=DAY), lambda: world_now[0])
    assert not folder.prune()
    archived(tmp_path, "2026-11-01", 1)
    assert not folder.prune()
    world_now[0] += folder_module.LOOK_EVERY
    assert folder.prune()
    until(lambda: not folder.prune(), "it is pruned")
    assert files(tmp_path) == []
