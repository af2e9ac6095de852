"""Keeps the tokens of accounts: one file for each, for its owner alone.

A file is written beside, synced and renamed, so that what is there is always whole, also after a
power cut.  Blocks: it is called in a thread, all but `TokenFile.stamp`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from ..errors import MultisendconError, SpoolError
from ..settings.files import Stamp, reason, stamp
from ..spool.folder import make_folder, sync_folder
from ..spool.ours import check_folder, open_file
from .token import Identity, StoredToken, StoredTokenError, Token

_ENDING = ".json"
#: Of a file that is being written; no account's ends so.
_UNFINISHED = ".tmp"
#: Octets of a file; an answer of a provider has room in it twice.
_MOST = 256 * 1024
#: Characters of a name: file systems have 255 octets.
_LONGEST_NAME, _BEGINNING = 200, 120


class StoreError(MultisendconError):
    """A token cannot be read or written; the text says why, and nothing of it."""


class StoredMeanwhileError(MultisendconError):
    """Somebody else has written a token."""


class TokenFile:
    """The file of one account.

    :param folder: of the spool.
    :param account: its name.
    :param identity: whose tokens are wanted.
    """

    def __init__(self, folder: str, account: str, identity: Identity) -> None:
        self._spool = Path(folder)
        self._folder = self._spool / "tokens"
        self._account = account
        self._identity = identity
        self._path = self._folder / (_file_name(account) + _ENDING)

    def stamp(self) -> Stamp:
        """Return what is another value when the file is another; fast enough for each session."""
        return stamp([str(self._path)])

    def read(self) -> tuple[Stamp, Token | None]:
        """Return the token, and the stamp of the file with it; ``None``: there is none.

        One of another application, mailbox or grant is none.

        :raise StoreError: the file is there, and cannot be believed.
        """
        before = self.stamp()
        stored = _read(self._path)
        return before, stored.token if stored and stored.identity == self._identity else None

    def write(self, token: Token, expected: Stamp | None = None) -> Stamp:
        """Store a token; afterwards it would survive a power cut.

        :param expected: of the file that may be replaced; ``None``: any.
        :return: the new stamp.
        :raise StoredMeanwhileError: it is another file.
        :raise StoreError: it is not stored.
        """
        octets = json.dumps(StoredToken(self._account, self._identity, token).as_json()).encode()
        try:
            make_folder(self._spool)
            make_folder(self._folder)
            return self._written(octets, expected)
        except SpoolError as error:
            raise StoreError(str(error)) from None
        except OSError as error:
            raise StoreError(f"{self._path}: {reason(error)}") from None

    def _written(self, octets: bytes, expected: Stamp | None) -> Stamp:
        # A name of its own: `account login` may write beside a relay.
        beside = self._path.with_suffix(f".{secrets.token_hex(4)}{_UNFINISHED}")
        try:
            descriptor = open_file(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(descriptor)
            written = stamp([str(beside)])
            # As late as can be: between this and the next line, one that somebody signs in for
            # would have to be written just now.
            if expected is not None and self.stamp() not in (None, expected):
                raise StoredMeanwhileError
            beside.rename(self._path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        sync_folder(self._folder)
        return written

    def adopt(self, known: Container[str]) -> Token | None:
        """Take over the token of an account that is gone, and was the same by another name.

        :param known: the names of the accounts that are there.
        :return: the token, which is this account's now; ``None``: there is none.
        :raise StoreError: it cannot be written.
        """
        for path in _files(self._folder, _ENDING):
            try:
                stored = _read(path)
            except StoreError:
                continue  # somebody else's trouble
            if stored and stored.identity == self._identity and stored.account not in known:
                self.write(stored.token)
                with suppress(OSError):
                    path.unlink()
                return stored.token
        return None


def sweep(folder: str) -> None:
    """Remove what a crash has left unfinished.

    :param folder: of the spool.
    """
    for path in _files(Path(folder) / "tokens", _UNFINISHED):
        with suppress(OSError):
            path.unlink()


def _files(folder: Path, ending: str) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return
    yield from (path for path in found if path.name.endswith(ending))


def _file_name(account: str) -> str:
    """Return a name of a file for one of an account, which may hold any character."""
    name = quote(account, safe=" @")
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(account.encode()).hexdigest()
    return f"{name[:_BEGINNING]}~{digest}"


def _read(path: Path) -> StoredToken | None:
    """Read a file; ``None``: there is none.

    :raise StoreError: it cannot be believed.
    """
    try:
        check_folder(path.parent)
        descriptor = open_file(path, os.O_RDONLY)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(descriptor).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise StoreError(f"{path}: others may read or write it; run chmod 600 on it")
            octets = file.read(_MOST + 1)
    except FileNotFoundError:
        return None
    except SpoolError as error:
        raise StoreError(str(error)) from None
    except OSError as error:
        raise StoreError(f"{path}: it cannot be read: {reason(error)}") from None
    try:
        if len(octets) > _MOST:
            raise StoredTokenError("it is too long")
        return StoredToken.from_json(json.loads(octets))
    except StoredTokenError as error:
        raise StoreError(f"{path}: holds no token: {error}; remove it") from None
    except (ValueError, RecursionError):
        raise StoreError(f"{path}: holds no token: it is no JSON; remove it") from None
