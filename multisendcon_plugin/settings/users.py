"""The users of ``[master_relay]``: who may log in, one line each, ``NAME:HASH``.

``NAME:HASH:MASK, MASK`` names the only senders that the user may use.  Names mean the same in upper
and lower case, as phones write them at will.  Empty lines and lines that begin with ``#`` are
comments.  No fault shows what stands where a hash should: it may be a password.  Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import attrs

from ..errors import MaskError
from ..mail.masks import Masks
from .password import PasswordHash
from .words import InvalidValueError, shown

_MAKE_IT = "make the line with: multisendcon user NAME"


@attrs.frozen
class Users:
    """Who may log in.

    :param path: the file, as it was found.
    :param senders: of those users whose senders are named; the others may use every sender.
    """

    path: str
    hashes: Mapping[str, PasswordHash] = attrs.field(repr=False)
    senders: Mapping[str, Masks] = attrs.field(factory=dict)


def parse_users(path: str, text: str) -> Users:
    """Read the lines of the file.

    :raise InvalidValueError: with all faults of the file, by line.
    """
    hashes: dict[str, PasswordHash] = {}
    senders: dict[str, Masks] = {}
    keys = set()
    reasons = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, hash_, masks = _read_line(line)
            if user_key(name) in keys:
                how = "" if name in hashes else ", in another case"
                raise ValueError(f"{shown(name)} is already on an earlier line{how}")
            keys.add(user_key(name))
            hashes[name] = hash_
            if masks is not None:
                senders[name] = masks
        except (ValueError, MaskError) as error:
            reasons.append(f"the file {shown(path)}, line {number}: {error}")
    if reasons:
        raise InvalidValueError(*reasons)
    if not hashes:
        raise InvalidValueError(f"the file {shown(path)} contains no user; {_MAKE_IT}")
    return Users(path, hashes, senders)


def user_key(name: str) -> str:
    """Return by what the name of a user is looked up, however a client writes it."""
    return name.lower()


def check_name(name: str) -> None:
    """Look whether a user can have this name.

    :raise ValueError: they cannot.
    """
    if not name or name != name.strip() or name.startswith("#") or ":" in name:
        raise ValueError(
            f'{shown(name)} cannot be a name: it is empty, has a ":", begins with "#", or has'
            " space around it"
        )
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise ValueError(f"{shown(name)} contains a control character")


def _read_line(line: str) -> tuple[str, PasswordHash, Masks | None]:
    name, colon, rest = line.partition(":")
    if not colon:
        raise ValueError(f'there is no ":" after the name; {_MAKE_IT}')
    check_name(name)
    hash_, colon, masks = rest.partition(":")
    try:
        password = PasswordHash.parse(hash_.strip())
    except ValueError as error:
        raise ValueError(f"what follows {shown(name)} {error}; {_MAKE_IT}") from None
    return name, password, _read_masks(masks) if colon else None


def _read_masks(text: str) -> Masks:
    pieces = [piece for piece in text.split(",") if piece.strip()]
    if not pieces:
        raise ValueError('there is no mask after the last ":"; write at least one, or leave it out')
    return Masks.parse(pieces)
