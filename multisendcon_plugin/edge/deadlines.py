"""The time limits of a session: of its silence, of a mail, and until the login of a stranger.

What has happened is noted, and one timer looks at the notes when it rings: to move a timer on for
each segment would cost more than the segment.  RFC 5321 section 4.5.3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ..mail.reply import Reply
from . import replies
from .dialogue import Dialogue

#: Seconds that a client that is not in the allow list has for its login: connections are for
#: others.  A mail program needs one or two of them.
LOGIN_WITHIN = 60.0


class Deadlines:
    """Ends a session in time.

    :param where: returns what is said of a silence beside its limit.
    :ivar heard_at: when the client was heard last, or got an answer that it had to wait for.
    """

    def __init__(self, dialogue: Dialogue, clock: IReactorTime, where: Callable[[], str]) -> None:
        self._talk = dialogue.talk
        self._mail = dialogue.mail
        self._settings = dialogue.talk.policy.settings
        self._clock = clock
        self._where = where
        self._begun = self._mail_since = self.heard_at = 0.0
        self._timer: IDelayedCall | None = None

    def begin(self) -> None:
        """The client is connected."""
        self._begun = self.heard_at = self._clock.seconds()
        self._set_timer()

    def mail_begins(self) -> None:
        """The time of a mail runs from now on."""
        self._mail_since = self.heard_at
        # Else the timer rings before that.
        if self._settings.transaction_timeout < self._settings.idle_timeout:
            self._set_timer()

    def end(self) -> None:
        """There is no limit any longer."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.end()
        due, _, _ = self._first()
        self._timer = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        if self._talk.waiting or self._talk.pausing:  # for us, not for the client
            self.heard_at = now
        due, reply, why = self._first()
        if due <= now:
            self._talk.close_with(reply, why)
        else:
            self._set_timer()

    def _first(self) -> tuple[float, Reply, str]:
        """Return until when the session may go on like this, and its last reply then, and why."""
        # RFC 5321 section 4.5.3.2.7 asks for five minutes; they are the client's.
        idle = self._settings.idle_timeout
        why = f"idle_timeout ({idle:g} s) reached{self._where()}"
        limits = [(self.heard_at + idle, replies.IDLE_TOO_LONG, why)]
        # Not after the final dot: the time that the commit takes is ours, and to end the session
        # then would make the client send again what is on disk (RFC 1047).
        if self._mail.origin and not self._mail.owes_reply:
            longest = self._settings.transaction_timeout
            why = f"transaction_timeout ({longest:g} s) reached"
            limits.append((self._mail_since + longest, replies.MAIL_TOO_SLOW, why))
        if self._talk.tarpit.is_stranger:
            why = f"no login within {LOGIN_WITHIN:g} s"
            limits.append((self._begun + LOGIN_WITHIN, replies.NO_LOGIN, why))
        return min(limits, key=itemgetter(0))
