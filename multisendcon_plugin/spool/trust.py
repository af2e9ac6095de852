"""Whether the database can still be believed; the first doubt is told once, and loudly.

There is no way back but a restart.  What follows for the mail is in ``docs/INTERNALS.rst``.
"""

from __future__ import annotations

from pathlib import Path

from twisted.logger import Logger

from ..errors import SpoolBrokenError, SpoolError
from .database import RECOVER, is_damage, lost_trust
from .worker import Reactor


class Trust:
    """What writer and reader share; each asks and tells in its own thread.

    :ivar no_new_mail: why no new mail is stored; what is there can still end.
    :ivar no_writing: why nothing is written any more.
    """

    log = Logger()

    def __init__(self, file: Path, reactor: Reactor) -> None:
        self.no_new_mail: SpoolError | None = None
        self.no_writing: SpoolBrokenError | None = None
        self._file = file
        self._reactor = reactor

    def not_written(self, error: Exception, *, committing: bool) -> None:
        """Look at an exception of the writer.

        :param committing: it was COMMIT that failed.
        """
        if self.no_writing is None and lost_trust(error, committing=committing):
            self.no_writing = SpoolBrokenError(
                f"{self._file}: nothing is written any more: {error}"
            )
            self.no_writing.__cause__ = error
            self._tell(
                "nothing is written, accepted or sent any more, what was on its way may be sent"
                " again: restart after checking the disk",
                error,
            )

    def not_read(self, error: Exception) -> None:
        """Look at an exception of the reader."""
        if self.no_new_mail is None and is_damage(error):
            self.no_new_mail = SpoolError(f"{self._file}: no new mail is stored: {error}")
            self.no_new_mail.__cause__ = error
            self._tell("no new mail is accepted; what can be read is still sent", error)

    def _tell(self, consequence: str, error: Exception) -> None:
        text = f"{self._file}: {error}; {consequence}"
        if is_damage(error):
            text += f". {RECOVER}"
        self._reactor.callFromThread(lambda: self.log.critical("{text}", text=text))
