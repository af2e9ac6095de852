"""The lines of the log about clients that are refused, or whose sessions end before their time.

Lines that repeat each other are summed up: no client can fill the log, or hide what else is in it.
A connection that comes and goes without a word, as probes of monitoring do, has no line.  Logins,
right and wrong, have all of their lines, and those are not written here.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ..mail.reply import Reply
from .peers import Place
from .protocol import RelayESMTP
from .summary import MINUTE, Summary

_Key = tuple[Place | str, str]
_OTHERS: _Key = "other addresses", "rejected or closed:"


class Journal:
    """What the log says of clients.

    :param clock: tells when a minute is over.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._summary = Summary(_OTHERS)
        self._minute: IDelayedCall | None = None

    # The place of a client is what it is counted by; ``None``: it came by a local socket.

    def not_listed(self, host: str, place: Place, key: str) -> None:
        """A client is sent away, since a list of `[master_relay]` lacks it."""
        if self._is_written(place, f"rejected: not in [master_relay] {key}"):
            self.log.info("{host} rejected: not in [master_relay] {key}", host=host, key=key)

    def no_room(self, host: str, place: Place | None, why: str, **values: Any) -> None:
        """A client is sent away, or a mail of it, since there are too many.

        :param why: with the names of values in braces.
        """
        if self._is_written(place, f"rejected: {why.format(**values)}"):
            self.log.warn("{host} rejected: " + why, host=host, **values)

    def refused(self, session: RelayESMTP, place: Place | None, reply: Reply) -> None:
        """A command or a mail is refused for good."""
        if self._is_written(place, f"rejected: {reply.code} {reply.enhanced}".rstrip()):
            text = str(reply)
            self.log.info(
                "{peer} rejected: {reply}{context}",
                peer=session.peer,
                reply=text,
                context=session.context(text),
            )

    def ended_early(self, session: RelayESMTP, place: Place | None, why: str) -> None:
        """A session has failed, or we end it."""
        if self._is_written(place, "session closed:"):
            self.log.info(
                "{peer}: session closed: {why}{context}",
                peer=session.peer,
                why=why,
                context=session.context(why),
            )

    def _is_written(self, place: Place | None, kind: str) -> bool:
        if self._summary.is_written((place or "local", kind), self._clock.seconds()):
            return True
        if self._minute is None:
            self._minute = self._clock.callLater(MINUTE, self._minute_is_over)
        return False

    def _minute_is_over(self) -> None:
        self._minute = None
        self.sum_up()

    def sum_up(self) -> None:
        """Say how many lines were left out."""
        if self._minute:
            self._minute.cancel()
            self._minute = None
        for key, count in self._summary.take():
            place, kind = cast("_Key", key)
            self.log.warn(
                "{place} {kind} ... and {count:,} more",
                place=str(place),
                kind=kind,
                count=count,
                security=True,
            )
