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
                f"{self._file}: the spool has stopped writing: {error}"
            )
            self.no_writing.__cause__ = error
            self._tell(
                "no mail is accepted or sent any more, and mail in transit may be sent again after"
                " the restart; check the disk, then restart the relay",
                error,
            )

    def not_read(self, error: Exception) -> None:
        """Look at an exception of the reader."""
        if self.no_new_mail is None and is_damage(error):
            self.no_new_mail = SpoolError(f"{self._file}: the spool takes no new mail: {error}")
            self.no_new_mail.__cause__ = error
            self._tell("new mail is rejected (451); readable mail is still delivered", error)

    def _tell(self, consequence: str, error: Exception) -> None:
        text = f"{self._file}: {error}; {consequence}"
        if is_damage(error):
            text += f". {RECOVER}"
        self._reactor.callFromThread(lambda: self.log.critical("{text}", text=text))
