"""Writes the log where twistd would write it, in the same format, with untrusted text escaped.

Text of clients and servers can neither end a line nor act on a terminal, no line is longer than 8
KB, and none is lost because of a character.  Text that has none of this is written as twistd would,
in a third of the time: each mail has two lines, and Twisted's formatter, which asks anew for the
offset of the time zone each time, took an eighth of the time of the reactor's thread.  What is told
in one turn of the reactor is written when the turn is over, unless it is urgent.
"""

from __future__ import annotations

import codecs
import signal
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from threading import get_ident
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, formatTime
from twisted.python import threadable
from twisted.python.logfile import LogFile
from zope.interface import implementer

from ..mail.escaping import one_line
from ..turn import Turn

#: Octets of a line.  What is cut off says so, but is lost as evidence: so recipients are shared out
#: over as many lines as they need (`log_lines`).
LONGEST = 8_000
#: Lines of an event with a traceback.
MOST_LINES = 200

#: Returns what is written of an event to a file with this encoding; ``None``: nothing.
Written = Callable[[LogEvent, str], str | None]

#: What may be lost if the process is killed before its turn is over.
_NOT_URGENT = (LogLevel.debug, LogLevel.info)
#: What Twisted takes for an error where it writes to the system's log.
_ERRORS = (LogLevel.error, LogLevel.critical)


def line(event: LogEvent, encoding: str = "utf-8") -> str | None:
    """Return what is written of an event; ``None``: nothing.

    :param encoding: of the file.
    """
    text = event.get("log_format")
    # One by one: this is asked for each line, and a set would be made of the event's many keys.
    special = "log_failure" in event or "log_flattened" in event or "log_system" in event
    # A text, in which there is nothing to fill in.
    if not special and isinstance(text, str) and text and "{" not in text and "}" not in text:
        try:
            when = _time(int(event["log_time"]))
            system = f"{event['log_namespace']}#{event['log_level'].name}"
        except KeyError:
            pass
        else:
            said = f"{when} [{system}] {text}"
            # Nearly all: there is nothing that `one_line` would change.
            if len(said) > LONGEST or not said.isascii() or not said.isprintable():
                said = one_line(said, LONGEST, encoding)
            return said + "\n"
    text = eventAsText(event)
    # A tab, so that no line of a traceback can pass for a line of its own.
    return "\n\t".join(lines_of(event, text, encoding)) + "\n" if text else None


def lines_of(event: LogEvent, text: str, encoding: str) -> list[str]:
    """Return the lines of the text of an event, the first one and those of its traceback."""
    lines = text.split("\n") if "log_failure" in event else [text]
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        left_out = len(lines) - 2 * half
        lines[half:-half] = [f"... ({left_out} lines are left out)"]
    return [one_line(each, LONGEST, encoding) for each in lines]


@lru_cache(maxsize=1)  # 5 us for each line without it, and a mail has two
def _time(second: int) -> str:
    return formatTime(second)


@implementer(ILogObserver)
class Log:
    """Writes the log to a file.

    The one place where text of strangers is made harmless, with `SystemLog`: whoever logs need not
    think of it, and nobody does it twice.

    :param reactor: tells when a turn is over; while it does not run, each line is written at once.
    :param written: what is written of an event, see `line`.
    """

    def __init__(self, file: LogFile | TextIO, reactor: Any, written: Written = line) -> None:
        self._file = file
        self._encoding = codecs.lookup(getattr(file, "encoding", None) or "utf-8").name
        self._written = written
        self._reactor = reactor
        self._turn = Turn.of(reactor)
        self._lines: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        """Write an event, or let it wait for the end of the turn."""
        text = self._written(event, self._encoding)
        if text is None:
            return
        if get_ident() != threadable.ioThread:
            self._write(text)
            return
        self._lines.append(text)
        if not self._reactor.running or event.get("log_level") not in _NOT_URGENT:
            # What may be the last line must be there: a `kill -9` costs those of this turn only.
            self._write_all()
        elif len(self._lines) == 1:
            self._turn.at_end(self._write_all)

    def _write_all(self) -> None:
        if self._lines:
            text = "".join(self._lines)
            self._lines.clear()
            self._write(text)

    def _write(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()


@implementer(ILogObserver)
class SystemLog:
    """Writes the log to the system's, as Twisted does.

    :param prefix: stands before each line there.
    """

    def __init__(self, prefix: str) -> None:
        from twisted.python.syslog import SyslogObserver  # noqa: PLC0415 -- not on every system

        self._emit = SyslogObserver(prefix).emit

    def __call__(self, event: LogEvent) -> None:
        """Write an event."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if text:
            self._emit(
                {
                    "message": ("\n".join(lines_of(event, text, "utf-8")),),
                    "system": one_line(str(event.get("log_system", "-")), LONGEST),
                    "isError": event.get("log_level") in _ERRORS,
                }
            )


def observer(
    twistd: Mapping[str, Any], reactor: Any, written: Written = line
) -> ILogObserver | None:
    """Return what writes the log where twistd would write it.

    :param twistd: its options.
    :param written: what is written of an event; the system's log has texts, whatever it is.
    :return: ``None``: there is no such place, and twistd says so.
    """
    if twistd["syslog"]:
        return SystemLog(twistd["prefix"])
    name = twistd["logfile"] or ("-" if twistd["nodaemon"] else "twistd.log")
    if name != "-":
        return Log(_file(name, reactor), reactor, written)
    return Log(sys.stdout, reactor, written) if twistd["nodaemon"] else None


def _file(name: str, reactor: Any) -> LogFile:
    """Open a file that is changed for a new one when it is large, and at SIGUSR1."""
    file: LogFile = LogFile.fromFullPath(name)
    if signal.getsignal(signal.SIGUSR1) in (None, signal.SIG_DFL):
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(file.rotate))
    return file
