"""One copy on its way to disk: the octets as they left, without the dots that SMTP adds."""

from __future__ import annotations

import os
from pathlib import Path

from ..mail.message import ADDED_DOT

_LINE_END = ADDED_DOT[:2]


class CopyFile:
    """A file that is written piece by piece, under a name of its own until it is whole.

    It is not synced: after a power cut copies may be lost or cut off, and mail is not.

    :param path: for as long as it is written.
    :raise OSError: it cannot be made, as can its methods.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)
        self.size = 0
        #: The end of what came last, which may belong to an added dot; the beginning of a mail is
        #: the beginning of a line, too.
        self._held = _LINE_END
        self._skip = len(_LINE_END)

    def write(self, octets: bytes) -> None:
        """Write a piece that is in wire form (RFC 5321, section 4.5.2)."""
        octets = self._held + octets
        for end in (_LINE_END, _LINE_END[:1], b""):
            if octets.endswith(end):
                self._held = end
                break
        self._write(octets[: len(octets) - len(self._held)].replace(ADDED_DOT, _LINE_END))

    def close(self) -> None:
        """Write what is left."""
        try:
            self._write(self._held)
        finally:
            os.close(self._descriptor)

    def remove(self) -> None:
        """Have it never been."""
        os.close(self._descriptor)
        self.path.unlink(missing_ok=True)

    def _write(self, octets: bytes) -> None:
        left = memoryview(octets)[self._skip :]
        self._skip -= len(octets) - len(left)
        self.size += len(left)
        while left:
            left = left[os.write(self._descriptor, left) :]
