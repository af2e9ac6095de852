"""The files of the page, which do not change while the relay runs.

Their path has a hash of all of them: so a browser keeps them for good, and modules find each other
by their names.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import NamedTuple

#: Of the only kinds that there are.
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class File(NamedTuple):
    """One of them."""

    content_type: str
    content: bytes


class Files:
    """All of them.

    :ivar folder: the segment of the path that changes with them.
    """

    def __init__(self) -> None:
        found = sorted(files(__package__).joinpath("static").iterdir(), key=lambda each: each.name)
        self._files = {
            each.name: File(_TYPES[each.name.rpartition(".")[2]], each.read_bytes())
            for each in found
            if each.name.rpartition(".")[2] in _TYPES
        }
        digest = hashlib.sha256()
        for name, file in self._files.items():
            digest.update(f"{name} {len(file.content)} ".encode() + file.content)
        self.folder = digest.hexdigest()[:16]

    def at(self, folder: str, name: str) -> File | None:
        """Return the file of a path."""
        return self._files.get(name) if folder == self.folder else None

    def path(self, name: str) -> str:
        """Return the path of a file.

        :raise KeyError: there is none of that name.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.folder}/{name}"
