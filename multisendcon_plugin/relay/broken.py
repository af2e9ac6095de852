"""The exception for a session that has ended, or cannot go on.

It never leaves this room: `factory` turns it into an `Attempt`.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.failure import Action
from .tls import tls_problem


class SessionBrokenError(Exception):
    """The session cannot go on.

    :param phase: what was going on.
    :param reply: what the server said, or with code 0 what happened instead.
    :param lost: the connection is gone; the server did not say anything.
    :param action: what follows from the reply, where that is known already.
    :ivar address: of the server, while the session was not ready for the login.
    """

    def __init__(
        self,
        phase: Phase,
        reply: Reply,
        *,
        lost: bool = False,
        action: Action | None = None,
        address: str = "",
    ) -> None:
        super().__init__(f"{phase.value}: {reply}")
        self.phase = phase
        self.reply = reply
        self.lost = lost
        self.action = action
        self.address = address


def lost(phase: Phase, text: str) -> SessionBrokenError:
    """Return the error for a connection that is gone."""
    return SessionBrokenError(phase, Reply(0, "4.4.2", text), lost=True)


def ending(reason: Failure) -> str:
    """Say why a connection ended."""
    if problem := tls_problem(reason):
        return problem
    if reason.check(ConnectionDone):
        return "the server closed the connection"
    if reason.check(ConnectionLost):
        return "the connection was lost"
    return f"the connection was lost: {reason.getErrorMessage()}"
