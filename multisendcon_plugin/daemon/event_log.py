"""Writes a line of the log for each event; the texts are in `log_lines`."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..events import Publisher
from .log_lines import LINES, Line

#: Lines that are written without a pause: some milliseconds.  A mail may have thousands of
#: recipients, and each of them an answer of its own.
LINES_AT_ONCE = 100

_log = Logger()


class EventLog:
    """Writes the lines of events in the order in which these were published.

    :param clock: gives the rest of many lines its turns.
    """

    def __init__(self, events: Publisher, clock: IReactorTime) -> None:
        self._clock = clock
        self._unwritten: deque[Iterator[Line]] = deque()
        self._later: IDelayedCall | None = None
        for kind, lines in LINES.items():
            events.subscribe(kind, partial(self._write, lines))

    def _write(self, lines: Callable[[Any], Iterable[Line]], event: object) -> None:
        self._unwritten.append(iter(lines(event)))
        if self._later is None:
            self._go_on()

    def _go_on(self, most: int = LINES_AT_ONCE) -> None:
        self._later = None
        while self._unwritten:
            lines = self._unwritten.popleft()
            for level, text, fields in islice(lines, most):
                most -= 1
                # What a `Logger` does, which first looks through all levels for this one.  The text
                # is the format itself: that is quicker than to fill it into another.
                _log.observer(
                    fields
                    | {
                        "log_logger": _log,
                        "log_level": level,
                        "log_namespace": _log.namespace,
                        "log_source": None,
                        "log_format": text.replace("{", "{{").replace("}", "}}"),
                        "log_time": time.time(),
                        "text": text,
                    }
                )
            if not most:
                self._unwritten.appendleft(lines)
                self._later = self._clock.callLater(0, self._go_on)
                return

    def finish(self) -> None:
        """Write at once what is left: the reactor stops."""
        if self._later is not None:
            self._later.cancel()
            self._go_on(sys.maxsize)
