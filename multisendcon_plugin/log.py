"""The log on standard output: line for line what twistd writes there, in a third of the time.

Each mail has two lines.  Twisted's formatter, which asks anew for the offset of the time zone each
time, took an eighth of the time of the reactor's thread.  What is not as simple is left to it.
What is told in one turn of the reactor is written when the turn is over, unless it is urgent.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, TextIO, TypeGuard

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.threadable import isInIOThread
from zope.interface import implementer

#: What may be lost if the process is killed before its turn is over.
_NOT_URGENT = (LogLevel.debug, LogLevel.info)


def line(event: LogEvent) -> str | None:
    """Return what is written of an event; ``None``: nothing."""
    text = event.get("log_format")
    # One by one: this is asked for each line, and a set would be made of the event's many keys.
    special = "log_failure" in event or "log_flattened" in event or "log_system" in event
    if special or not _is_plain(text):
        return formatEventAsClassicLogText(event)
    try:
        when = _time(int(event["log_time"]))
        system = _system(event["log_namespace"], event["log_level"])
    except KeyError:
        return formatEventAsClassicLogText(event)
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


@implementer(ILogObserver)
class Log:
    """Writes the log to a file.

    :param reactor: tells when a turn is over; while it does not run, each line is written at once.
    """

    def __init__(self, file: TextIO, reactor: Any) -> None:
        self._file = file
        self._reactor = reactor
        self._lines: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        """Write an event, or let it wait for the end of the turn."""
        text = line(event)
        if text is None:
            return
        if not isInIOThread():
            self._write(text)
            return
        self._lines.append(text)
        if not self._reactor.running or event.get("log_level") not in _NOT_URGENT:
            self._write_all()
        elif len(self._lines) == 1:
            self._reactor.callLater(0, self._write_all)

    def _write_all(self) -> None:
        if self._lines:
            text = "".join(self._lines)
            self._lines.clear()
            self._write(text)

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


def standard_output(reactor: Any) -> Log:
    """Return what writes the log."""
    return Log(sys.stdout, reactor)
