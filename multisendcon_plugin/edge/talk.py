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

    `validateFrom`, `validateTo` and `receivedHeader` are those of Twisted's `IMessageDelivery`;
    what raises is answered with `reply_to_failure`.
    """

    policy: SessionPolicy
    challengers: Mapping[bytes, Callable[[], Any]]
    portal: Any
    ctx: Any
    authenticated: bool

    @property
    def peer(self) -> str:
        """The client's address, or a word for a local socket."""

    @property
    def secure(self) -> bool:
        """The session runs inside TLS."""

    def validateFrom(self, helo: Helo | None, origin: ReversePath) -> Any:
        """Ask whether a sender may be used; the answer is what becomes the sender."""

    def validateTo(self, user: ForwardPath) -> Any:
        """Ask whether there is a way to a recipient; the answer makes the message."""

    def receivedHeader(self, helo: Helo | None, origin: ReversePath, recipients: Any) -> bytes:
        """Return the trace field."""

    def login(self, credentials: Any, user: str) -> Any:
        """Ask whether these credentials are right; if not, the answer is a failure."""

    def when(self, answer: Any, then: Callable[[Any], None]) -> None:
        """Go on with an answer: at once when it is at hand, or let the dialogue wait for it."""

    def wait_for(self, room: Any) -> None:
        """Read no more content until this has fired."""

    def reply_to_failure(self) -> Reply:
        """Return what is said to the exception that is being handled, and tell our own faults."""

    def reply_to_lost_content(self) -> Reply:
        """Return the same for one that content has met."""

    def pause(self, seconds: float) -> None:
        """Call `Dialogue.resume` after so long."""

    def mail_begins(self) -> None:
        """From now on a mail is under way, which has its time limit."""

    def mail_ends(self) -> None:
        """Nothing of a mail is kept any longer."""

    def logged_in(self, user: str) -> None:
        """Tell of it."""

    def start_tls(self) -> None:
        """Go on inside TLS, after what is said."""

    def refused(self, reply: Reply) -> None:
        """Tell that a command or a mail is refused for good, or by a limit."""

    def ended_early(self, why: str) -> None:
        """Tell that the session has failed, or that we end it."""

    def hang_up(self) -> None:
        """Close the connection, after what is said."""


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

    def refuse(self, reply: Reply, *, follows: bool = False) -> None:
        """Answer it so, and count that.

        :param follows: see `Tarpit.refused`.
        """
        self.said.append(reply.wire)
        # 4.7.1 is our word for a rate that is reached: the mail comes again, but the admin should
        # know.
        if reply.permanent or reply.enhanced == "4.7.1":
            self.connection.refused(reply)
        ending = self.tarpit.refused(reply, self.policy.settings.max_errors, follows=follows)
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
