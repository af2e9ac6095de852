"""Which role a request needs.

Whoever may see anything may see all of it, secrets excepted, which nobody sees, and sign-ins.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..settings.admins import Role

#: Stands for the name of an account or the ID of a mail, which may be any of the words below.
_ANY = None
_Path = tuple[str | None, ...]
#: What changes no configuration.
_OPERATING: frozenset[_Path] = frozenset(
    {
        *(("queue", each) for each in ("retry", "hold", "release", "delete", "move")),
        *(("mails", _ANY, each) for each in ("retry", "hold", "release", "delete", "move")),
        *(("accounts", _ANY, each) for each in ("pause", "resume", "probe", "test")),
    }
)
#: What is for those only who may do it: with the code of a sign-in, anybody can sign in.
_SIGNING_IN: frozenset[_Path] = frozenset({("accounts", _ANY, "login")})
#: What can be tried without doing it, by the first segment of its path.
_TRIED = ("queue", "configuration")
#: What changes nothing, but says too much for an address.
_ASKING: frozenset[_Path] = frozenset({("explain",)})


def needed(method: str, segments: Sequence[str]) -> Role:
    """Return the role that a request needs.

    :param segments: of the path, without those of the API before them.
    """
    path = tuple(segments)
    paths = {path, (*path[:1], _ANY, *path[2:])}
    if paths & _SIGNING_IN:
        return Role.CONFIGURE
    if method in ("GET", "HEAD") or paths & _ASKING:
        return Role.VIEW
    return Role.OPERATE if paths & _OPERATING else Role.CONFIGURE


def changes(method: str, segments: Sequence[str], *, dry_run: bool) -> bool:
    """Tell whether a request changes something, so that it is told who has made it.

    :param segments: as above.
    :param dry_run: it says so.
    """
    if method in ("GET", "HEAD") or tuple(segments) in _ASKING:
        return False
    # Other operations do not look at what it says there.
    return not (dry_run and segments and segments[0] in _TRIED)
