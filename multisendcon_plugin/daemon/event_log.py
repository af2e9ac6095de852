"""Writes a line of the log for each event; the texts are in `log_lines`."""

from __future__ import annotations

import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..events import Publisher
from .log_line import Line
from .log_lines import LINES

#: Lines that are written without a pause: some milliseconds.  A mail may have thousands of
#: recipients, and each of them an answer of its own.
LINES_AT_ONCE = 100

_log = Logger()


def event_type(kind: type) -> str:
    """Return the name of a class of events for programs: ``mail_accepted``."""
    return re.sub(r"\B(?=[A-Z])", "_", kind.__name__).lower()


class EventLog:
    """Writes the lines of events in the order in which these were published.

    :param clock: gives the rest of many lines its turns.
    """

    def __init__(self, events: Publisher, clock: IReactorTime) -> None:
        self._clock = clock
        self._unwritten: deque[tuple[str, Iterator[Line]]] = deque()
        self._later: IDelayedCall | None = None
        for kind, lines in LINES.items():
            events.subscribe(kind, partial(self._write, event_type(kind), lines))

    def _write(
        self,
        name: str,
        lines: Callable[[Any], Iterable[Line]],
        event: object,
        most: int = LINES_AT_ONCE,
    ) -> None:
        """Write the lines of an event behind those that are left, unless these wait for a turn.

        :param name: of the type of the event.
        """
        self._unwritten.append((name, iter(lines(event))))
        if self._later is not None:
            return
        while self._unwritten:
            name, left = self._unwritten.popleft()
            for level, text, fields in left:
                # What a `Logger` does, which first looks through all levels for this one.  The text
                # is the format itself: that is quicker than to fill it into another.
                fields["log_logger"] = _log
                fields["log_level"] = level
                fields["log_namespace"] = _log.namespace
                fields["log_source"] = None
                fields["log_format"] = text.replace("{", "{{").replace("}", "}}")
                fields["log_time"] = time.time()
                fields["text"] = text
                fields["event_type"] = name
                _log.observer(fields)
                most -= 1
                if not most:
                    self._unwritten.appendleft((name, left))
                    self._later = self._clock.callLater(0, self._go_on)
                    return

    def _go_on(self, most: int = LINES_AT_ONCE) -> None:
        self._later = None
        self._write("", iter, (), most)

    def finish(self) -> None:
        """Write at once what is left: the reactor stops."""
        if self._later is not None:
            self._later.cancel()
            self._go_on(sys.maxsize)
