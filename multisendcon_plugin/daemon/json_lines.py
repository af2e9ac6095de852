"""Writes each event of the log as one line with a JSON object (RFC 8259), for programs.

What strangers say is shown as in the log for people (`log`), since a program may print it: no value
has a character that ends a line or acts on a terminal, but for the line ends of a traceback.  All
of it is ASCII, and so right in every encoding.  Documented in docs/log.rst.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.logger import LogEvent, eventAsText

from ..mail.escaping import one_line
from ..times import iso
from .log import LONGEST, lines_of

#: The type of what is no event of ours: Twisted's own messages, and those of seldom things.
MESSAGE = "message"
#: What a message tells besides its text, if it has it; others have objects of all kinds.
_OF_MESSAGES = ("id", "account", "address", "security")
#: Fields that are times, in seconds since the epoch.
_TIMES = frozenset({"time", "until", "valid_until", "due", "since"})


def json_line(event: LogEvent, encoding: str = "utf-8") -> str | None:  # noqa: ARG001 -- see above
    """Return what is written of an event; ``None``: nothing."""
    level = event.get("log_level")
    head = {"time": event.get("log_time"), "level": level.name if level else "info"}
    name = event.get("event_type")
    if name is not None:
        said = {"event": name, "text": event["text"], **_own_fields(event)}
    else:
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not text:
            return None
        first, *others = lines_of(event, text, "utf-8")
        said = {"event": MESSAGE, "text": first, "namespace": event.get("log_namespace")}
        said |= {field: event[field] for field in _OF_MESSAGES if field in event}
        if others:
            said["traceback"] = _Lines("\n".join(others))
    return json.dumps(dict(_fields({**head, **said})), allow_nan=False) + "\n"


class _Lines(str):
    """A text of several lines, each of them escaped already."""

    __slots__ = ()


def _own_fields(event: LogEvent) -> dict[str, Any]:
    return {
        field: value
        for field, value in event.items()
        if not field.startswith("log_") and field not in ("text", "event_type")
    }


def _fields(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields as JSON has them, and beside each time the same for people."""
    for field, value in fields.items():
        yield field, _plain(value)
        if field in _TIMES and isinstance(value, float):
            yield f"{field}_at", iso(value)


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | _Lines():
            return value
        case float():
            return value if math.isfinite(value) else None
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {str(key): _plain(each) for key, each in value.items()}
        case _:
            return one_line(str(value), LONGEST)
