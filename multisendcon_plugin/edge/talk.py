"""What is said in a session: commands in, replies out, refusals, which are counted, last words.

A session's commands have it in common; what is to be done beside talking, it tells the connection.
Pure: no transport, no clock, no reactor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ..mail.reply import Reply
from .parameters import ForwardPath, ReversePath
from .policy import SessionPolicy
from .reading import Reader
from .tarpit import Tarpit

T = TypeVar("T")

#: Name and address of a client, as it has greeted.
Helo = tuple[bytes, bytes]


class Connection(Protocol):
    """What is done for a dialogue: by `RelayESMTP`, or by a test.

    What has the name of an attribute or a hook of Twisted's `ESMTP` is that.
    """

    policy: SessionPolicy
    challengers: Mapping[bytes, Callable[[], Any]]
    portal: Any
    ctx: Any
    authenticated: bool

    @property
    def peer(self) -> str: ...  # the client's address, or a word for a local socket

    @property
    def secure(self) -> bool: ...  # the session runs inside TLS

    # Questions.  What raises is answered with `reply_to_failure`.

    def validateFrom(self, helo: Helo | None, origin: ReversePath) -> Any: ...
    def validateTo(self, user: ForwardPath) -> Any: ...
    def receivedHeader(self, helo: Helo | None, origin: ReversePath, recipients: Any) -> bytes: ...
    def login(self, credentials: Any, user: str) -> Any: ...

    # Goes on with an answer: at once when it is at hand, or it lets the dialogue wait.
    def when(self, answer: Any, then: Callable[[Any], None]) -> None: ...

    # What is said to the exception that is being handled, which is told when it is our fault.
    def reply_to_failure(self) -> Reply: ...
    def reply_to_lost_content(self) -> Reply: ...

    # Actions; what is said goes first.

    def pause(self, seconds: float) -> None: ...  # until it calls `Dialogue.resume`
    def wait_for(self, room: Any) -> None: ...  # no content is read before this has fired
    def start_tls(self) -> None: ...
    def hang_up(self) -> None: ...

    # Facts.

    def mail_begins(self) -> None: ...  # its time limit runs from now on
    def mail_ends(self) -> None: ...  # nothing of it is kept any longer
    def logged_in(self, user: str) -> None: ...
    def refused(self, reply: Reply) -> None: ...  # for good, or by a limit
    def ended_early(self, why: str) -> None: ...  # the session has failed, or we end it


class Talk:
    """What is said in one session.

    :ivar reader: what has come and is not carried out yet.
    :ivar said: replies in wire form that are not written yet: those to what came in one segment
        leave in one (RFC 2920 section 3.2).
    :ivar waiting: for an answer of a hook; no further command is looked at.
    :ivar pausing: the same until a time is over; the replies that are not written yet wait too.
    :ivar closed: there is nothing more to say, or nobody to hear it.
    :ivar helo: ``None``: the client has not greeted.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.policy = connection.policy
        self.reader = Reader(self.policy.settings.max_command_line, self.policy.tolerance)
        self.tarpit = Tarpit(is_stranger=self.policy.is_stranger)
        self.said: list[bytes] = []
        self.waiting = False
        self.pausing = False
        self.closed = False
        self.helo: Helo | None = None

    def say(self, reply: Reply) -> None:
        """Answer the command that is being carried out."""
        self.said.append(reply.wire)

    def refuse(self, reply: Reply) -> None:
        """Answer it so, and count that."""
        self.said.append(reply.wire)
        # 4.7.1 is our word for a rate that is reached: the mail comes again, but the admin should
        # know.
        if reply.permanent or reply.enhanced == "4.7.1":
            self.connection.refused(reply)
        verb = (self.reader.shown.split(maxsplit=1) or [b""])[0].upper()
        ending = self.tarpit.refused(reply, verb, self.policy.settings.max_errors)
        if ending:
            self.close_with(*ending)
        elif self.tarpit.wait:
            self.pause(self.tarpit.wait)

    def pause(self, seconds: float) -> None:
        """Look at no further command for so long."""
        if not self.closed:
            self.pausing = True
            self.connection.pause(seconds)

    def close_with(self, reply: Reply, why: str = "") -> None:
        """Say a last reply and hang up.

        RFC 5321 section 3.8: with a reply, 421 where we want no more, and never without a word.

        :param why: for the log, where the reply does not say it all.
        """
        if self.closed:
            return
        if not reply.positive:
            self.connection.ended_early(why or str(reply))
        self.said.append(reply.wire)
        self.hang_up()

    def hang_up(self) -> None:
        """End the session; there is nothing more to say."""
        if not self.closed:
            self.closed = True
            self.connection.hang_up()
