"""The users of ``[web]``: who may use the page, one line each, ``NAME:HASH:ROLE``.

As in `users`, but for the third field.  ``*`` in the place of the hash: somebody who cannot sign in
by a password, and is only let in by a proxy.  Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from .password import PasswordHash
from .users import check_name, user_key
from .words import InvalidValueError, shown

_MAKE_IT = "make the line with: multisendcon user NAME --role view"
#: Stands for a hash: no password is right.
_NONE = "*"


class Role(enum.Enum):
    """What an admin may do; each role may do what those before it may."""

    VIEW = "view"
    """See all of it."""
    OPERATE = "operate"
    """Change what waits in the queue; pause, resume, probe and test accounts."""
    CONFIGURE = "configure"
    """Change the configuration."""

    def includes(self, other: Role) -> bool:
        """Tell whether who has this role may do what another one allows."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@attrs.frozen
class Admin:
    """Somebody who may use the page.

    :param password: ``None``: they cannot sign in by one.
    """

    name: str
    role: Role
    password: PasswordHash | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Admins:
    """Who may use the page.

    :param path: the file, as it was found.
    """

    path: str
    _by_key: Mapping[str, Admin] = attrs.field(repr=False)

    @property
    def passwords(self) -> tuple[PasswordHash, ...]:
        """All that there are."""
        return tuple(each.password for each in self._by_key.values() if each.password)

    def named(self, name: str) -> Admin | None:
        """Return who has a name, in upper or lower case."""
        return self._by_key.get(user_key(name))


def parse_admins(path: str, text: str) -> Admins:
    """Read the lines of the file.

    :raise InvalidValueError: with all faults of the file, by line.
    """
    admins: dict[str, Admin] = {}
    reasons = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            admin = _read_line(line)
            if user_key(admin.name) in admins:
                raise ValueError(f"{shown(admin.name)} is already on an earlier line")
            admins[user_key(admin.name)] = admin
        except ValueError as error:
            reasons.append(f"the file {shown(path)}, line {number}: {error}")
    if reasons:
        raise InvalidValueError(*reasons)
    if not admins:
        raise InvalidValueError(f"the file {shown(path)} contains no user; {_MAKE_IT}")
    return Admins(path, admins)


def _read_line(line: str) -> Admin:
    fields = line.split(":")
    if len(fields) != 3:
        raise ValueError(f'it is not NAME:HASH:ROLE, with two ":"; {_MAKE_IT}')
    name, hash_, role = fields
    check_name(name)
    try:
        password = None if hash_.strip() == _NONE else PasswordHash.parse(hash_.strip())
    except ValueError as error:
        raise ValueError(f"what follows {shown(name)} {error}; {_MAKE_IT}") from None
    try:
        return Admin(name, Role(role.strip()), password)
    except ValueError:
        known = ", ".join(each.value for each in Role)
        raise ValueError(f"the role of {shown(name)} is none of these: {known}") from None
