"""What lies in the spool is ours alone: no links, nobody else's, nothing that others can write.

Where somebody else could write once, a link may lie in wait: what is written through it would empty
a file that only we may touch, and what is read through it would leave as mail.  Links further up
the path are the admin's.  SQLite follows links, so its files are checked before it opens them; when
the folder is ours, nobody else can put a link there after that.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ..errors import SpoolError


def check_folder(path: Path) -> None:
    """Look whether a folder is ours.

    :raise SpoolError: it is not.
    :raise OSError: it cannot be looked at.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise SpoolError(
            f"{path}: is a link, and the spool follows none; the real path is"
            f" {os.path.realpath(path)}"
        )
    if not stat.S_ISDIR(found.st_mode):
        raise SpoolError(f"{path}: is not a folder; move it away")
    _check_owner(path, found)


def check_file(path: Path) -> None:
    """Look whether a file is ours, if it is there: one that others open, to write to it.

    :raise SpoolError: it is not.
    :raise OSError: it cannot be looked at.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    _check_file(path, found, written=True)


def open_file(path: Path, flags: int) -> int:
    """Open a file that is ours; with ``O_CREAT``, it is made for its owner alone.

    :return: its descriptor.
    :raise SpoolError: it is not ours.
    :raise OSError: it cannot be opened.
    """
    try:
        # A pipe that somebody has put there keeps nobody waiting.
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            check_file(path)
        raise
    try:
        written = bool(flags & (os.O_WRONLY | os.O_RDWR))
        _check_file(path, os.fstat(descriptor), written=written)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_file(path: Path, found: os.stat_result, *, written: bool) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise SpoolError(f"{path}: is a link, and the spool follows none; remove it")
    if not stat.S_ISREG(found.st_mode):
        raise SpoolError(f"{path}: is not a file; move it away")
    # Content, which is only read, may have more names: a copy made with hard links has them.
    if written and found.st_nlink > 1:
        raise SpoolError(f"{path}: has another name, too (a hard link); put a copy in its place")
    _check_owner(path, found)


def _check_owner(path: Path, found: os.stat_result) -> None:
    us = os.geteuid()
    if found.st_uid != us:
        raise SpoolError(
            f"{path}: belongs to the user with the number {found.st_uid}, and we run as {us};"
            " chown it, or run as that user"
        )
    if found.st_mode & stat.S_IWOTH:
        raise SpoolError(f"{path}: everybody on this machine can write to it; chmod o-w it")
