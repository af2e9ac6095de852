"""Reads the configuration file, and writes it so that what is there is always whole.

The new text is written beside, synced and renamed.  Before that, what was there becomes a backup,
which nobody can read who could not read the file.  The only module of this room that looks at the
machine; it blocks.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path

import attrs

from ..errors import FileChangedError, FileNotWrittenError

#: How many backups are kept.
BACKUPS = 10

_MARK = "\ufeff".encode()


@attrs.frozen
class FileText:
    """What is in a file.

    :param text: without the byte order mark that some editors begin with.
    :param hash: of the octets, as hexadecimal digits; it is another when they are others.
    """

    text: str
    hash: str


def read(path: str | os.PathLike[str]) -> FileText:
    """Read a file.

    :raise FileNotWrittenError: it cannot be read, or is not UTF-8.
    """
    try:
        octets = Path(path).read_bytes()
        return FileText(octets.removeprefix(_MARK).decode(), _hash(octets))
    except UnicodeDecodeError:
        raise FileNotWrittenError(f"{path}: is not UTF-8; save it in this encoding") from None
    except OSError as error:
        raise FileNotWrittenError(f"{path}: cannot be read: {error.strerror}") from None


def write(path: str | os.PathLike[str], text: str, expected_hash: str) -> str:
    """Replace the text of a file; afterwards it would survive a power cut.

    Mode, owner, and a byte order mark are those that it had; a link stays and leads to it.

    :param expected_hash: of what is replaced.
    :return: the new hash.
    :raise FileChangedError: somebody else has written the file.
    :raise FileNotWrittenError: it cannot be written, and is as it was; or is not sure to last, as
        the text says then.
    """
    real = Path(os.path.realpath(path))
    try:
        if not stat.S_ISREG(real.stat().st_mode):
            raise FileNotWrittenError(f"{real}: is no regular file; it cannot be replaced")
        with real.open("rb") as file:
            status = os.fstat(file.fileno())
            old = file.read()
        _check(real, old, expected_hash)
        new = (_MARK if old.startswith(_MARK) else b"") + text.encode()
        _back_up(real, old, status)
        beside = _written_beside(real, new, status, stat.S_IMODE(status.st_mode))
        _replace(beside, real, expected_hash)
    except OSError as error:
        raise FileNotWrittenError(_reason(real, error)) from None
    try:
        _sync(real.parent)
    except OSError as error:
        raise FileNotWrittenError(
            f"{real}: is written, but may be as before after a power cut: {error.strerror}"
        ) from None
    return _hash(new)


def _hash(octets: bytes) -> str:
    return hashlib.sha256(octets).hexdigest()


def _check(path: Path, octets: bytes, expected: str) -> None:
    if _hash(octets) != expected:
        raise FileChangedError(
            f"{path}: has been changed meanwhile, so it was not overwritten; look at it as it is"
            " now, and make the change again"
        )


def _written_beside(path: Path, octets: bytes, status: os.stat_result, mode: int) -> Path:
    """Write a file that is to get a name in the same folder, and return when it is on disk."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            _hand_over(descriptor, status)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
    except BaseException:
        _remove(beside)
        raise
    return beside


def _hand_over(descriptor: int, status: os.stat_result) -> None:
    """Give a file the owner and group of another one."""
    ours = os.fstat(descriptor)
    if (ours.st_uid, ours.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _replace(beside: Path, path: Path, expected_hash: str) -> None:
    try:
        # As late as can be: between this and the next line, somebody would have to write just now.
        _check(path, path.read_bytes(), expected_hash)
        beside.rename(path)
    except BaseException:
        _remove(beside)
        raise


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _back_up(path: Path, octets: bytes, status: os.stat_result) -> None:
    """Keep what is in the file, for its owner alone, and remove the oldest backups."""
    pattern = re.compile(re.escape(path.name) + r"\.backup-([0-9]{1,9})")
    numbers = sorted(
        int(found[1]) for each in path.parent.iterdir() if (found := pattern.fullmatch(each.name))
    )
    number = numbers[-1] + 1 if numbers else 1
    mode = stat.S_IMODE(status.st_mode) & 0o600
    beside = _written_beside(path, octets, status, mode)
    try:
        beside.rename(_backup(path, number))
    except BaseException:
        _remove(beside)
        raise
    _sync(path.parent)
    for old in numbers[: -BACKUPS + 1]:
        _remove(_backup(path, old))


def _backup(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.backup-{number}")


def _reason(path: Path, error: OSError) -> str:
    match error.errno:
        case errno.EROFS:
            return (
                f"{path}: its folder is read-only; for a service of systemd, add"
                f" ReadWritePaths={path.parent} to it"
            )
        case errno.EACCES:
            return (
                f"{path}: this process (user {os.geteuid()}) may not write in the folder"
                f" {path.parent}; let it, for example by chown, or edit the file by hand"
            )
        case errno.EPERM:
            return (
                f"{path}: belongs to another user or group than this process (user {os.geteuid()}),"
                " and would belong to it; run chown on the file, or edit it by hand"
            )
    return f"{path}: cannot be written: {error.strerror}"
