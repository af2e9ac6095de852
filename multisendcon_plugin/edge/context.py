"""What a line of the log about a session adds: which mail it was about, and which text.

A client's text is shown so that it fits into a line, and never where it may be a secret: mail
programs send passwords in the wrong place.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ..mail.escaping import escaped

#: Characters of a client's text, and recipients, that a line of the log shows.
_LONGEST_SHOWN = 200
_MOST_RECIPIENTS = 3

_NOT_IN_A_NAME = re.compile(rb"[^A-Za-z0-9.:_\[\]-]")
_MECHANISM = re.compile(rb"(?:[A-Z0-9_-]{1,20}|[a-z0-9_-]{1,20})(?![^ ])")


def shown(octets: bytes) -> str:
    """Return what a client says as a line of the log shows it."""
    text = escaped(octets[:_LONGEST_SHOWN].decode("utf-8", "backslashreplace"))
    return text + "..." if len(octets) > _LONGEST_SHOWN else text


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


def context(
    said: str, *, sender: str | None = None, recipients: Sequence[str] = (), command: str = ""
) -> str:
    """Return what is to be added to what is said, without what that says already.

    :param sender: of the mail that it is about; ``""`` for the null reverse-path, ``None`` when it
        is about none.
    :param recipients: those that it has so far.
    :param command: what is refused, unless it is the mail.
    """
    paths = [f"<{shown(each.encode())}>" for each in recipients[:_MOST_RECIPIENTS]]
    more = len(recipients) - len(paths)
    parts = []
    if sender is not None and (path := f"<{shown(sender.encode())}>") not in said:
        parts.append(f"from {path}")
    if command:
        _, bracket, path = command.partition("<")
        if not bracket or bracket + path not in said:
            parts.append(f"command: {command}")
    elif not all(path in said for path in paths):
        parts.append(f"to {', '.join(paths)}" + (f" and {more} more" if more else ""))
    return "".join(f"; {part}" for part in parts)
