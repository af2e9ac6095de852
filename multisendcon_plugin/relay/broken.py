"""What ends a session, or keeps it from being opened.

`SessionBrokenError` never leaves this room: `attempt` turns it into an `Attempt`.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from ..mail.phase import Phase
from ..mail.reply import Reply
from ..outcome.attempt import Scope
from ..outcome.tls import TlsFinding
from .tls import tls_problem


class SessionBrokenError(Exception):
    """The session cannot be used for mail.

    :param phase: what was going on.
    :param reply: what the server said, or with code 0 what happened instead.
    :param scope: whom it is about; ``None``: the server.
    :param given_up: by us, since others are opened from now on, or none: it says nothing.
    :ivar address: of the server, while the session was not ready for the login.
    :ivar tls_finding: what was wrong with TLS.
    """

    def __init__(
        self,
        phase: Phase,
        reply: Reply,
        *,
        address: str = "",
        scope: Scope | None = None,
        given_up: bool = False,
    ) -> None:
        super().__init__(f"{phase.value}: {reply}")
        self.phase = phase
        self.reply = reply
        self.address = address
        self.scope = scope
        self.given_up = given_up
        self.tls_finding: TlsFinding | None = None


def lost(text: str) -> Reply:
    """Return what stands for a reply when the connection is gone."""
    return Reply(0, "4.4.2", text)


def ending(reason: Failure) -> str:
    """Say why a connection ended."""
    if problem := tls_problem(reason):
        return problem
    if reason.check(ConnectionDone):
        return "the server closed the connection"
    if reason.check(ConnectionLost):
        return "the connection was lost"
    return f"the connection was lost: {reason.getErrorMessage()}"
