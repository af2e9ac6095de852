"""What a client says, as it may be told: never where it may be a secret.

Mail programs send passwords in the wrong place.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from ..mail.escaping import shown

_NOT_IN_A_NAME = re.compile(rb"[^A-Za-z0-9.:_\[\]-]")
_MECHANISM = re.compile(rb"(?:[A-Z0-9_-]{1,20}|[a-z0-9_-]{1,20})(?![^ ])")


# A session has one name for all its mails.
@lru_cache(maxsize=64)
def name_shown(helo: bytes) -> bytes:
    """Return what a client calls itself, with nothing in it that no name has.

    So it can be no other part of the trace field or of the line of the log that it stands in.
    """
    return _NOT_IN_A_NAME.sub(b"?", helo[:255])


def command_shown(line: bytes, known: Collection[bytes], *, may_be_secret: bool) -> str:
    """Return as much of a command as may be in a log.

    :param known: the commands that there are, in capitals.  Others may be anything, also what a
        mail program says to another kind of server: of these the first word is shown.
    :param may_be_secret: the client has begun a login, and may go on with it although it was
        refused.
    """
    verb, *argument = line.split(maxsplit=1) or [b""]
    if verb.upper() == b"AUTH":
        # What is no name of a mechanism (RFC 4422 section 3.1) may be a login without one.
        mechanism = _MECHANISM.match(b"".join(argument))
        return shown(verb + b" " + mechanism[0]) if mechanism else shown(verb)
    if verb.upper() in known:
        return shown(line.strip())
    return "" if may_be_secret else shown(verb)
