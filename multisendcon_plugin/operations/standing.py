"""How the relay stands, apart from its accounts: what the events since its start amount to."""

from __future__ import annotations

from .. import events
from .values import SpoolStatus


class Standing:
    """Whether spool and front process do their work.

    :param events: which tell that.
    :param front: clients are served by a process of their own.
    :ivar front: see `values.Status`.
    :ivar spool: how the spool is.
    """

    def __init__(self, publisher: events.Publisher, *, front: bool) -> None:
        self.front = "running" if front else "none"
        self.spool = SpoolStatus(full=False, broken=False, error="")
        publisher.subscribe(events.SpoolFull, self._full)
        publisher.subscribe(events.SpoolHasRoom, self._has_room)
        publisher.subscribe(events.SpoolBroken, self._broken)
        publisher.subscribe(events.FrontProcessEnded, self._front_ended)
        publisher.subscribe(events.FrontProcessStarted, self._front_started)

    @property
    def accepting(self) -> bool:
        """New mail is taken."""
        return not self.spool.full and not self.spool.broken and self.front != "restarting"

    def _full(self, event: events.SpoolFull) -> None:
        if not self.spool.broken:
            self.spool = SpoolStatus(full=True, broken=False, error=event.error)

    def _has_room(self, _: events.SpoolHasRoom) -> None:
        if not self.spool.broken:
            self.spool = SpoolStatus(full=False, broken=False, error="")

    def _broken(self, event: events.SpoolBroken) -> None:
        self.spool = SpoolStatus(full=self.spool.full, broken=True, error=event.error)

    def _front_ended(self, _: events.FrontProcessEnded) -> None:
        self.front = "restarting"

    def _front_started(self, _: events.FrontProcessStarted) -> None:
        self.front = "running"
