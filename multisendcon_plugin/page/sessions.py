"""The sessions of those who have signed in: on this side, and only in memory.

A cookie has nothing but the random number of its session.  Knows no HTTP.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict

import attrs
from twisted.internet.interfaces import IReactorTime

from ..settings.admins import Admin
from .kept import Kept

#: Seconds without a request after which a session ends, and after which it ends in any case.
IDLE, LONGEST = 30 * 60.0, 12 * 3600.0
#: Sessions at the same time; beyond that, the one that was not used for longest ends.
MOST = 1000


@attrs.define(eq=False)
class Session:
    """Somebody who has signed in.

    :ivar admin: as they were then.
    :ivar token: has to come with each form, and is in no cookie.
    :ivar told: what the next page says, of what was just done.
    :ivar kept: secrets that they have written, and not saved.
    """

    number: str = attrs.field(repr=False)
    admin: Admin
    began: float
    used: float
    token: str = attrs.field(factory=lambda: secrets.token_urlsafe(24), repr=False)
    told: list[Told] = attrs.field(factory=list)
    kept: Kept = attrs.field(factory=Kept, repr=False)


@attrs.frozen
class Told:
    """What is said of something that was done.

    :param bad: it was not done.
    """

    text: str
    bad: bool = False
    details: tuple[str, ...] = ()


class Sessions:
    """All sessions.

    :param clock: measures how old they are.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        #: The one that was not used for longest first.
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, admin: Admin) -> Session:
        """Begin a session, with a number that nobody has had."""
        now = self._clock.seconds()
        session = Session(secrets.token_urlsafe(32), admin, now, now)
        self._sessions[session.number] = session
        if len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        return session

    def find(self, number: str) -> Session | None:
        """Return a session by its number, and note that it is in use."""
        session, now = self._sessions.get(number), self._clock.seconds()
        if session is None:
            return None
        if now >= _end(session):
            self.end(session)
            return None
        session.used = now
        self._sessions.move_to_end(number)
        return session

    def goes_on(self, session: Session) -> bool:
        """Tell whether a session has not ended; that is no use of it."""
        now = self._clock.seconds()
        return session.number in self._sessions and now < _end(session)

    def end(self, session: Session) -> None:
        """End a session."""
        self._sessions.pop(session.number, None)


def _end(session: Session) -> float:
    return min(session.used + IDLE, session.began + LONGEST)
