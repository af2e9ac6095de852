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
    :ivar given_up: see `given_up`.
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
    ) -> None:
        super().__init__(f"{phase.value}: {reply}")
        self.phase = phase
        self.reply = reply
        self.address = address
        self.scope = scope
        self.given_up = False
        self.tls_finding: TlsFinding | None = None


def given_up(reply: Reply) -> SessionBrokenError:
    """Return what we have not opened after all: others are from now on, or none.

    It says nothing about the account, nor about the mail.
    """
    broken = SessionBrokenError(Phase.CONNECT, reply, scope=Scope.ACCOUNT)
    broken.given_up = True
    return broken


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
