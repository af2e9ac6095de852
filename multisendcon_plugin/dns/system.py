"""The DNS servers of the system, as ``/etc/resolv.conf`` has them.

No more is read than the addresses: our names are absolute, and need no search list.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..settings.dns import NameServer
from ..settings.endpoints import address_of

PATH = Path("/etc/resolv.conf")
#: As the system has it (resolv.conf(5)).
_WITHOUT_ANY = (NameServer("127.0.0.1"),)
_MOST = 3
#: Seconds after which the file is looked at again.
_LOOKED_AT_EVERY = 5.0
_LONGEST = 64 * 1024


class SystemServers:
    """The servers of the system, which follow their file.

    :param seconds: a clock.
    """

    def __init__(self, seconds: Callable[[], float], path: Path = PATH) -> None:
        self._seconds = seconds
        self._path = path
        self._look_at = float("-inf")
        self._seen: tuple[int, int, int] | None = None
        self._servers: tuple[NameServer, ...] = _WITHOUT_ANY

    def servers(self) -> tuple[NameServer, ...]:
        """Return them; a file that cannot be read changes nothing."""
        now = self._seconds()
        if now >= self._look_at:
            self._look_at = now + _LOOKED_AT_EVERY
            with suppress(OSError):
                self._look()
        return self._servers

    def _look(self) -> None:
        status = self._path.stat()
        seen = status.st_ino, status.st_mtime_ns, status.st_size
        if seen != self._seen:
            with self._path.open("rb") as file:
                self._servers = servers_in(file.read(_LONGEST).decode("latin-1"))
            self._seen = seen


def servers_in(text: str) -> tuple[NameServer, ...]:
    """Return the servers that the text of the file names: the first three, as the system does."""
    found = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", name, *_] if address := address_of(name):
                found.append(NameServer(str(address)))
    return tuple(dict.fromkeys(found))[:_MOST] or _WITHOUT_ANY
