"""Whether the database can still be believed; the first doubt is told once, and loudly.

There is no way back but a restart.  What follows for the mail is in ``docs/INTERNALS.rst``.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import SpoolBrokenError, SpoolError
from ..events import Publisher, SpoolBroken
from .database import RECOVER, is_damage, lost_trust
from .worker import Reactor


class Trust:
    """What writer and reader share; each asks and tells in its own thread.

    :ivar no_new_mail: why no new mail is stored; what is there can still end.
    :ivar no_writing: why nothing is written any more.
    """

    def __init__(self, file: Path, reactor: Reactor, events: Publisher) -> None:
        self.no_new_mail: SpoolError | None = None
        self.no_writing: SpoolBrokenError | None = None
        self._file = file
        self._reactor = reactor
        self._events = events

    def not_written(self, error: Exception, *, committing: bool) -> None:
        """Look at an exception of the writer.

        :param committing: it was COMMIT that failed.
        """
        if self.no_writing is None and lost_trust(error, committing=committing):
            self.no_writing = SpoolBrokenError(
                f"{self._file}: the spool has stopped writing: {error}"
            )
            self.no_writing.__cause__ = error
            self._tell(error, writes=False)

    def not_read(self, error: Exception) -> None:
        """Look at an exception of the reader."""
        if self.no_new_mail is None and is_damage(error):
            self.no_new_mail = SpoolError(f"{self._file}: the spool takes no new mail: {error}")
            self.no_new_mail.__cause__ = error
            self._tell(error, writes=True)

    def _tell(self, error: Exception, *, writes: bool) -> None:
        advice = RECOVER if is_damage(error) else ""
        broken = SpoolBroken(str(self._file), str(error), writes, advice)
        self._reactor.callFromThread(self._events.publish, broken)
