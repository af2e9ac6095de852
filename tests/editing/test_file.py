"""The file is whole at any moment: the one from before, or the new one."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from multisendcon_plugin.editing import file
from multisendcon_plugin.errors import FileChangedError, FileNotWrittenError

OLD, NEW = "# ä\r\nold = 1", "new = 2\n"


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "multisendcon.toml"
    path.write_bytes(OLD.encode())
    path.chmod(0o640)
    return path


def write(path, text=NEW):
    return file.write(path, text, file.read(path).hash)


def backups(path):
    return {each.name.rpartition("-")[2]: each for each in path.parent.glob("*.backup-*")}


def text_of(path):
    return path.read_bytes().decode()


def names(path):
    return sorted(each.name for each in path.parent.iterdir())


def test_what_is_written_is_read(path):
    assert file.read(path).text == OLD
    assert write(path) == file.read(path).hash
    assert file.read(path).text == NEW
    assert names(path) == ["multisendcon.toml", "multisendcon.toml.backup-1"]


def test_a_byte_order_mark_stays_and_is_no_part_of_the_text(path):
    path.write_bytes(b"\xef\xbb\xbfold = 1\n")
    assert file.read(path).text == "old = 1\n"
    write(path)
    assert path.read_bytes() == b"\xef\xbb\xbfnew = 2\n"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400, 0o660])
def test_the_mode_stays_and_a_backup_is_for_the_owner_alone(path, mode):
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(backups(path)["1"].stat().st_mode) == mode & 0o600
    assert text_of(backups(path)["1"]) == OLD


def test_the_new_file_is_never_more_open_than_the_old_one(path, monkeypatch):
    path.chmod(0o600)
    seen = set()
    fsync = os.fsync

    def watched(descriptor):
        for each in path.parent.iterdir():
            seen.add(stat.S_IMODE(each.stat().st_mode))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write(path)
    assert seen == {0o600}


def test_owner_and_group_stay(path, monkeypatch):
    given = []
    monkeypatch.setattr(os, "fchown", lambda descriptor, *owner: given.append(owner))
    write(path)
    assert given == []  # they are ours
    fstat = os.fstat

    def foreign(descriptor):
        real = fstat(descriptor)
        owner = (77, 78) if real.st_size == len(NEW.encode()) else real[4:6]
        return os.stat_result((*real[:4], *owner, *real[6:]))

    monkeypatch.setattr(os, "fstat", foreign)
    write(path, OLD)
    assert given == [(77, 78)]  # the new text; the backup is as large as the file of the other


def test_a_file_of_somebody_else_that_would_become_ours_is_left_alone(path, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    fstat = os.fstat
    owners = iter([77, *[0] * 9])

    def foreign(descriptor):
        real = fstat(descriptor)
        return os.stat_result((*real[:4], next(owners), *real[5:]))

    monkeypatch.setattr(os, "fstat", foreign)
    with pytest.raises(FileNotWrittenError, match=r"belongs to another user.*run chown"):
        write(path)
    assert text_of(path) == OLD
    assert names(path) == ["multisendcon.toml"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(path, tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    write(link)
    assert link.is_symlink()
    assert text_of(path) == NEW
    assert list(backups(path)) == ["1"]
    assert list(tmp_path.iterdir()) == [path.parent, link] or len(list(tmp_path.iterdir())) == 2


def test_what_somebody_else_has_written_is_not_overwritten(path):
    seen = file.read(path).hash
    path.write_text("theirs = 3\n")
    with pytest.raises(FileChangedError, match=r"changed meanwhile.*look at it"):
        file.write(path, NEW, seen)
    assert text_of(path) == "theirs = 3\n"
    assert names(path) == ["multisendcon.toml"]


def test_also_if_it_is_written_at_the_last_moment(path, monkeypatch):
    fchmod = os.fchmod

    def late(descriptor, mode):
        path.write_text("theirs = 3\n")
        fchmod(descriptor, mode)

    seen = file.read(path).hash
    monkeypatch.setattr(os, "fchmod", late)
    with pytest.raises(FileChangedError):
        file.write(path, NEW, seen)
    assert text_of(path) == "theirs = 3\n"
    assert names(path) == ["multisendcon.toml", "multisendcon.toml.backup-1"]


def test_the_last_ten_backups_are_kept(path):
    other = path.with_name("multisendcon.toml.backup-old")
    other.write_text("not ours")
    for number in range(1, 15):
        write(path, f"number = {number}\n")
    assert sorted(map(int, set(backups(path)) - {"old"})) == list(range(5, 15))
    assert text_of(backups(path)["14"]) == "number = 13\n"
    assert other.exists()


class Crash(BaseException):
    """The process is gone."""


CALLS = ["open", "fchmod", "fsync", "rename", "unlink"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(12))
def test_a_crash_at_any_step_leaves_the_old_or_the_new_file(path, monkeypatch, step, after):
    for number in range(file.BACKUPS):
        path.with_name(f"multisendcon.toml.backup-{number + 1}").write_text(str(number))
    seen = file.read(path).hash
    counted = []

    def crashing(name, real):
        def call(*arguments, **keywords):
            counted.append(name)
            if len(counted) > step + 1:
                raise Crash  # nothing can be done any more
            if len(counted) == step + 1:
                if after:
                    real(*arguments, **keywords)
                raise Crash
            return real(*arguments, **keywords)

        return call

    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, crashing(name, getattr(os, name)))
        with suppress(Crash):
            file.write(path, NEW, seen)
    assert text_of(path) in (OLD, NEW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    renamed = [number for number, name in enumerate(counted) if name == "rename"]
    if text_of(path) == NEW:
        assert renamed[1] <= step
        assert text_of(backups(path)["11"]) == OLD
    assert len(backups(path)) >= file.BACKUPS
    write(path, "after = 1\n")
    assert text_of(path) == "after = 1\n"


def test_text_and_name_are_synced_in_order(path, monkeypatch):
    told = []

    def telling(name, real):
        def call(*arguments, **keywords):
            told.append(name)
            return real(*arguments, **keywords)

        return call

    seen = file.read(path).hash
    for name in ("fsync", "rename"):
        monkeypatch.setattr(os, name, telling(name, getattr(os, name)))
    file.write(path, NEW, seen)
    assert told == ["fsync", "rename", "fsync"] * 2


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_does_not_take_it_leaves_the_old_file(path, monkeypatch, step, code):
    seen = file.read(path).hash
    calls = []
    fsync = os.fsync

    def failing(descriptor):
        calls.append(descriptor)
        if len(calls) == step + 1:
            raise OSError(code, os.strerror(code))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(FileNotWrittenError, match=os.strerror(code)):
        file.write(path, NEW, seen)
    assert text_of(path) == (NEW if step == 3 else OLD)
    assert not [name for name in names(path) if name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EROFS, "folder is read-only.*ReadWritePaths="),
        (errno.EACCES, "may not write in the folder .*/etc"),
    ],
)
def test_a_folder_that_cannot_be_written_is_told(path, monkeypatch, code, said):
    seen = file.read(path).hash
    real = os.open

    def refusing(name, flags, *mode, **others):
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code))
        return real(name, flags, *mode, **others)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(FileNotWrittenError, match=said):
        file.write(path, NEW, seen)
    assert text_of(path) == OLD


def test_what_is_no_file_is_told(tmp_path, path):
    with pytest.raises(FileNotWrittenError, match="cannot be read: No such file"):
        file.read(tmp_path / "gone")
    with pytest.raises(FileNotWrittenError, match=r"gone: .*No such file"):
        file.write(tmp_path / "gone", NEW, "")
    with pytest.raises(FileNotWrittenError, match="no regular file"):
        file.write("/dev/null", NEW, "")
    path.write_bytes(b"\xff")
    with pytest.raises(FileNotWrittenError, match="is not UTF-8"):
        file.read(path)


def test_a_path_may_be_relative(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    write(Path("multisendcon.toml"))
    assert text_of(path) == NEW
