"""Opens a session step by step: says a line, waits for its reply, says the next one.

What is said, and what follows from each reply, is said by generators (`handshake`, `login`): they
yield a line with the phase of its reply, which they are sent.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ..mail.phase import Phase
from ..mail.reply import Reply
from .broken import SessionBrokenError
from .session import Session

T = TypeVar("T")

#: Yields lines, ``b""`` where the server speaks first, each with the phase of the reply.
Steps = Generator[tuple[bytes, Phase], Reply, T]


class Opening(Generic[T]):
    """A part of the dialogue before any mail.

    A `SessionBrokenError` is raised in the generator when there is no further reply, or when it is
    a 421 (RFC 5321 section 3.8).

    :ivar done: fires with what the generator returns, or fails as it does.
    """

    def __init__(self, session: Session, steps: Steps[T]) -> None:
        self._session = session
        self._steps = steps
        self._phase: Phase | None = None
        self.done: Deferred[T] = Deferred()

    def go_on(self) -> bool:
        """Go on with what has come, as far as possible; True when all is said."""
        session, replies = self._session, self._session.reader.replies
        try:
            while True:
                if self._phase is None:
                    line, self._phase = next(self._steps)
                elif replies:
                    reply = replies.popleft()
                    if reply.code == 421:
                        error = SessionBrokenError(self._phase, reply)
                        line, self._phase = self._steps.throw(error)
                    else:
                        line, self._phase = self._steps.send(reply)
                elif session.lost:
                    # Nobody waits for the handshake of TLS: it ends with the reply inside it.
                    phase = Phase.TLS if session.in_handshake else self._phase
                    error = SessionBrokenError(phase, session.lost)
                    line, self._phase = self._steps.throw(error)
                else:
                    return False
                if line:
                    session.write(line + b"\r\n")
                session.expect(self._phase)
        except StopIteration as end:
            self._result = end.value
        except Exception:
            self._result = Failure()
        return True

    def over(self, _: object) -> None:
        """Tell what came of it."""
        self.done.callback(self._result)

    def failed(self, failure: Failure) -> None:
        """An error of ours has ended it."""
        self.done.errback(failure)
