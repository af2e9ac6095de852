"""The file of a local socket: for its owner alone, replaced when stale, removed in the end.

A path may be as long as the system allows for files, and not only as for sockets (108 octets).
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import ListenError

#: Octets of an address of a local socket, without the zero at its end (unix(7)).
_LONGEST = 107
#: Where a system shows the open files of a process, so that a folder has a short name.
_OPEN_FILES = Path("/proc/self/fd")
_BACKLOG = 128


@contextmanager
def address(path: Path) -> Iterator[str]:
    """Give the address of a local socket, good as long as the block lasts.

    :raise ListenError: the path is too long for this system.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    if not _OPEN_FILES.is_dir():
        raise ListenError(
            f"{path}: this system takes at most {_LONGEST} octets as the path of a local socket;"
            " give the spool's folder a shorter path"
        )
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield str(_OPEN_FILES / str(folder) / path.name)
    finally:
        os.close(folder)


class LocalSocket:
    """A local socket that listens, in a file that only its owner may use.

    :raise ListenError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        _check_free(path)
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._file = self._make()
        except OSError as error:
            self._socket.close()
            raise ListenError(f"cannot listen on {path}: {error.strerror}") from error

    def _make(self) -> tuple[int, int]:
        # Under another name first: who finds the file may use it at once.
        made = self._path.with_name(f".{self._path.name}.new")
        with suppress(FileNotFoundError):
            made.unlink()
        # On Linux, the file gets the mode of the socket; elsewhere there is the mode of the folder.
        os.fchmod(self._socket.fileno(), 0o600)
        with address(made) as name:
            self._socket.bind(name)
        made.chmod(0o600)
        self._socket.setblocking(False)
        self._socket.listen(_BACKLOG)
        made.rename(self._path)
        return _identity(self._path)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Remove the file, unless it is another one by now."""
        with suppress(FileNotFoundError):
            if _identity(self._path) == self._file:
                self._path.unlink()
        self._socket.close()


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _check_free(path: Path) -> None:
    """See that a file may be made there, or replaced.

    :raise ListenError: it is no socket, or somebody listens there.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ListenError(f"cannot listen on {path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on {path}: it is there, and is no socket; move it away")
    with socket.socket(socket.AF_UNIX) as probe, address(path) as name:
        probe.settimeout(1)
        try:
            probe.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            return  # a relay that was killed has left it
        except OSError as error:
            raise ListenError(f"cannot listen on {path}: {error.strerror}") from error
    raise ListenError(f"cannot listen on {path}: another process does; stop that one")
