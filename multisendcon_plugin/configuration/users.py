"""The users of ``[master_relay]``: who may log in, one line each, ``NAME:HASH``.

Names mean the same in upper and lower case, as phones write them at will.  Empty lines and lines
that begin with ``#`` are comments.  No fault shows what stands where a hash
should: it may be a password.  Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import attrs

from ..password import PasswordHash
from .faults import InvalidValueError, shown

_MAKE_IT = "make the line with: multisendcon user NAME"


@attrs.frozen
class Users:
    """Who may log in.

    :param path: the file, as it was found.
    """

    path: str
    hashes: Mapping[str, PasswordHash] = attrs.field(repr=False)


def parse_users(path: str, text: str) -> Users:
    """Read the lines of the file.

    :raise InvalidValueError: with all faults of the file, by line.
    """
    hashes: dict[str, PasswordHash] = {}
    keys = set()
    reasons = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, hash_ = _read_line(line)
            if user_key(name) in keys:
                how = "" if name in hashes else ", in another case"
                raise ValueError(f"{shown(name)} is already on an earlier line{how}")
            keys.add(user_key(name))
            hashes[name] = hash_
        except ValueError as error:
            reasons.append(f"the file {shown(path)}, line {number}: {error}")
    if reasons:
        raise InvalidValueError(*reasons)
    if not hashes:
        raise InvalidValueError(f"the file {shown(path)} contains no user; {_MAKE_IT}")
    return Users(path, hashes)


def user_key(name: str) -> str:
    """Return by what the name of a user is looked up, however a client writes it."""
    return name.lower()


def check_name(name: str) -> None:
    """Look whether a user can have this name.

    :raise ValueError: he cannot.
    """
    if not name or name != name.strip() or name.startswith("#") or ":" in name:
        raise ValueError(
            f'{shown(name)} cannot be a name: it is empty, has a ":", begins with "#", or has'
            " space around it"
        )
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise ValueError(f"{shown(name)} contains a control character")


def _read_line(line: str) -> tuple[str, PasswordHash]:
    name, colon, rest = line.partition(":")
    if not colon:
        raise ValueError(f'there is no ":" after the name; {_MAKE_IT}')
    check_name(name)
    try:
        return name, PasswordHash.parse(rest.strip())
    except ValueError as error:
        raise ValueError(f"what follows {shown(name)} {error}; {_MAKE_IT}") from None
