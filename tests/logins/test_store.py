"""Tokens are kept in files of their owner alone, whole or as before; nothing else is believed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multisendcon_plugin.logins.store import StoredMeanwhileError, StoreError, TokenFile, sweep
from multisendcon_plugin.logins.token import Identity, StoredToken, StoredTokenError, Token
from tests.logins.world import CANARY, NOW

IDENTITY = Identity("device", "app", "https://login.example/token", "a@b.example", "")
TOKEN = Token(
    access_token=f"{CANARY}-access",
    expires_at=NOW + 3600,
    refresh_token=f"{CANARY}-refresh",
    refreshed_at=NOW,
    obtained_at=NOW - 86400,
)


@pytest.fixture
def file(tmp_path):
    return TokenFile(str(tmp_path / "spool"), "Sales", IDENTITY)


@pytest.fixture
def path(tmp_path):
    """Return where it lies."""
    return tmp_path / "spool" / "tokens" / "Sales.json"


def trouble(file):
    with pytest.raises(StoreError) as caught:
        file.read()
    assert CANARY not in str(caught.value)
    return str(caught.value)


def test_what_is_written_is_read(file, path):
    assert file.read() == (None, None)
    stamp = file.write(TOKEN)
    assert file.read() == (stamp, TOKEN) == (file.stamp(), TOKEN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(path.read_bytes())["account"] == "Sales"


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", ".", "ä ö", "a\nb", "%2F", "x" * 300, "x" * 299 + "y", "ä" * 100, 'a"b', "~"],
)
def test_an_account_may_have_any_name(tmp_path, name):
    file = TokenFile(str(tmp_path), name, IDENTITY)
    file.write(TOKEN)
    assert file.read()[1] == TOKEN
    [found] = (tmp_path / "tokens").iterdir()
    assert found.suffix == ".json"


def test_names_that_are_long_are_told_apart(tmp_path):
    for end in "yz":
        TokenFile(str(tmp_path), "x" * 299 + end, IDENTITY).write(TOKEN)
    assert len(list((tmp_path / "tokens").iterdir())) == 2


@pytest.mark.parametrize("field", ["grant", "client_id", "token_url", "mailbox", "scope"])
def test_a_token_of_somebody_else_does_not_count(tmp_path, file, field):
    import attrs

    other = attrs.evolve(IDENTITY, **{field: "other"})
    TokenFile(str(tmp_path / "spool"), "Sales", other).write(TOKEN)
    assert file.read()[1] is None


@pytest.mark.parametrize(
    ("mode", "hint"), [(0o640, "chmod 600"), (0o604, "chmod 600"), (0o602, "chmod")]
)
def test_one_that_others_may_read_or_write_is_not_believed(file, path, mode, hint):
    file.write(TOKEN)
    path.chmod(mode)
    assert hint in trouble(file)


def test_a_link_is_not_followed(tmp_path, file, path):
    file.write(TOKEN)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in trouble(file)
    # It is replaced, and what it leads to stays as it is.
    before = (tmp_path / "elsewhere").read_bytes()
    file.write(TOKEN)
    assert not path.is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_a_folder_or_pipe_in_its_place_keeps_nobody_waiting(file, path):
    path.parent.mkdir(parents=True, mode=0o700)
    os.mkfifo(path, 0o600)
    assert "is not a file" in trouble(file)
    path.unlink()
    path.mkdir()
    assert trouble(file)
    with pytest.raises(StoreError):
        file.write(TOKEN)


def test_a_link_in_the_place_of_the_folder(tmp_path, file, path):
    (tmp_path / "elsewhere").mkdir()
    path.parent.parent.mkdir(mode=0o700)
    path.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link"):
        file.write(TOKEN)


@pytest.mark.parametrize(
    "octets",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b" " * 300_000, b"9" * 9000],
)
def test_a_damaged_file(file, path, octets):
    file.write(TOKEN)
    path.write_bytes(octets)
    assert "holds no token" in trouble(file)


def test_one_that_was_written_meanwhile_is_not_replaced(file):
    before = file.write(TOKEN)
    now = file.write(TOKEN)
    assert now != before
    with pytest.raises(StoredMeanwhileError):
        file.write(TOKEN, before)
    assert file.stamp() == now


def test_a_write_that_fails_leaves_the_file_before(file, path, monkeypatch):
    file.write(TOKEN)
    before = path.read_bytes()

    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreError, match="No space left on device"):
        file.write(TOKEN)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_it_is_synced_before_it_has_its_name_and_the_folder_after(file, path, monkeypatch):
    happened = []
    real_sync, real_rename = os.fsync, Path.rename

    def fsync(descriptor):
        happened.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        real_sync(descriptor)

    def rename(old, new):
        happened.append("rename")
        return real_rename(old, new)

    file.write(TOKEN)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    file.write(TOKEN)
    assert happened == ["file", "rename", "folder"]


def test_what_a_crash_has_left_is_removed(file, path):
    file.write(TOKEN)
    (path.parent / "Sales.12345678.tmp").write_bytes(b"half")
    sweep(str(path.parent.parent))
    assert list(path.parent.iterdir()) == [path]
    sweep("/nowhere")


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(
    st.dictionaries(st.sampled_from(["version", "account", "identity", "token"]), VALUES)
    | st.fixed_dictionaries(
        {
            "version": st.just(1),
            "account": st.text(),
            "identity": st.dictionaries(st.sampled_from(list(IDENTITY.__slots__)), VALUES),
            "token": st.dictionaries(st.sampled_from(list(TOKEN.__slots__)), VALUES),
        }
    )
    | VALUES
)
def test_any_json_is_a_token_or_none(value):
    with suppress(StoredTokenError):
        StoredToken.from_json(value)
