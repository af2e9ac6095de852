"""Which role a request needs.

Whoever may see anything may see all of it, secrets excepted, which nobody sees, and sign-ins.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..settings.admins import Role

#: What changes no configuration, by the first and last segment of its path.
_OPERATING = frozenset(
    {
        *(("queue", each) for each in ("retry", "hold", "release", "delete", "move")),
        *(("mails", each) for each in ("retry", "hold", "release", "delete", "move")),
        *(("accounts", each) for each in ("pause", "resume", "probe", "test")),
    }
)
#: What is for those only who may do it: with the code of a sign-in, anybody can sign in.
_SIGNING_IN = frozenset({("accounts", "login")})
#: What changes nothing, but says too much for an address.
_ASKING = frozenset({("explain", "explain")})


def needed(method: str, segments: Sequence[str]) -> Role:
    """Return the role that a request needs.

    :param segments: of the path, without those of the API before them.
    """
    ends = (segments[0], segments[-1]) if segments else ("", "")
    if ends in _SIGNING_IN and len(segments) > 2:
        return Role.CONFIGURE
    if method in ("GET", "HEAD"):
        return Role.VIEW
    if ends in _ASKING:
        return Role.VIEW
    return Role.OPERATE if ends in _OPERATING else Role.CONFIGURE
