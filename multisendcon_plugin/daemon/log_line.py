"""What a line of the log for an event is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.logger import LogLevel

Fields = dict[str, object]
#: How loud it is, its text, and what else an observer of the log finds; a dict of its own.
Line = tuple[LogLevel, str, Fields]

INFO, WARN, ERROR, CRITICAL = LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical


def filled_in(level: LogLevel, text: str, **more: object) -> Callable[[Any], list[Line]]:
    """Return what makes the line of an event that is seldom: its own fields, and the text."""

    def lines(event: Any) -> list[Line]:
        fields = {**attrs.asdict(event), **more}
        return [(level, text.format(**fields), fields)]

    return lines
