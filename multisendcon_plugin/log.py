"""The log on standard output: line for line what twistd writes there, in a third of the time.

Each mail has two lines.  Twisted's formatter, which asks anew for the offset of the time zone each
time, took an eighth of the time of the reactor's thread.  What is not as simple is left to it.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TypeGuard

from twisted.logger import (
    FileLogObserver,
    LogEvent,
    LogLevel,
    formatEventAsClassicLogText,
    formatTime,
)

_NEEDED = {"log_format", "log_time", "log_namespace", "log_level"}
_SPECIAL = {"log_failure", "log_flattened", "log_system"}


def line(event: LogEvent) -> str | None:
    """Return what is written of an event; ``None``: nothing."""
    text = event.get("log_format")
    if not (_is_plain(text) and event.keys() >= _NEEDED and _SPECIAL.isdisjoint(event)):
        return formatEventAsClassicLogText(event)
    when = _time(int(event["log_time"]))
    system = _system(event["log_namespace"], event["log_level"])
    return f"{when} [{system}] " + text.replace("\n", "\n\t") + "\n"


def _is_plain(text: object) -> TypeGuard[str]:
    """Tell whether it is a text, in which there is nothing to fill in."""
    return isinstance(text, str) and text != "" and "{" not in text and "}" not in text


@lru_cache(maxsize=1)
def _time(second: int) -> str:
    return formatTime(second)


@lru_cache
def _system(namespace: str, level: LogLevel) -> str:
    return f"{namespace}#{level.name}"


def standard_output() -> FileLogObserver:
    """Return what writes the log."""
    return FileLogObserver(sys.stdout, line)
