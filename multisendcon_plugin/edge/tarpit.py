"""Counts what a session says without bringing mail: slows it down, and ends it.

All limits of one session that are about numbers are here.  What counts is forgotten when a mail is
taken: a session may carry thousands, and only those that bring none are under suspicion.  Pure.
"""

from __future__ import annotations

from ..mail.reply import Reply
from . import replies

#: Refusals that are no errors, and recipients of mails that were given up: after so many, each
#: refusal waits for so many seconds, and in the end the session is closed.  That is slow enough for
#: others, and lets a mail through that has thousands of recipients too many.
REFUSED_AT_ONCE = 1_000
MOST_REFUSALS = 10_000
WAIT_OF_REFUSALS = 0.1
#: What brings a mail on, or the session to its end; all others are limited, also when they are in
#: order: an answer costs more than the question.
OF_MAILS = frozenset([b"MAIL", b"RCPT", b"DATA", b"BDAT", b"QUIT"])
#: Other commands that a client may say until a mail of it is taken; a stranger, until its login.
MOST_OTHER_COMMANDS = 100
MOST_OTHER_COMMANDS_OF_STRANGERS = 10
#: Wrong logins of one session; guessing takes many.
MOST_WRONG_LOGINS = 3
#: Refused commands of a client that is not in the allow list and has not logged in.
MOST_ERRORS_OF_STRANGERS = 5

_ENVELOPE_MISSING = (replies.MAIL_FIRST, replies.RCPT_FIRST)

#: The last reply of a session, and why it ends.
Ending = tuple[Reply, str]


class Tarpit:
    """What one session has said since a mail of it was taken.

    :param is_stranger: the client may do nothing but log in, soon and with few errors.
    :ivar errors: refusals that are the client's fault.
    :ivar refusals: all others, and recipients of mails that were given up.
    :ivar envelope_refused: a part of the envelope of the mail under way was.
    :ivar mail_tried: one of `OF_MAILS` was said since the last RSET.
    :ivar wait: seconds for which the refusal that was counted last is to wait.
    """

    def __init__(self, *, is_stranger: bool = False) -> None:
        self.errors = 0
        self.refusals = 0
        self.wait = 0.0
        self.is_stranger = is_stranger
        self.envelope_refused = False
        self._wrong_logins = 0
        self._errors_as_stranger = 0
        self._other_commands = 0
        self.mail_tried = False

    def other_command(self, verb: bytes) -> Ending | None:
        """Count one that is not in `OF_MAILS`; return the end of the session, when that is now."""
        if verb == b"RSET" and self.mail_tried:
            # Clients say it after a mail that was put off: each of these is limited as a refusal.
            self.mail_tried = False
            return None
        self._other_commands += 1
        most = MOST_OTHER_COMMANDS_OF_STRANGERS if self.is_stranger else MOST_OTHER_COMMANDS
        if self._other_commands > most:
            return replies.TOO_MANY_COMMANDS, f"{most} commands that are not about mail"
        return None

    def refused(self, reply: Reply, verb: bytes, most: int) -> Ending | None:
        """Count what is refused with this reply.

        :param verb: the command; ``b""``: it is a mail.
        :param most: errors that end the session.
        :return: the end of the session, when that is now.
        """
        # A client that pipelines (RFC 2920) has sent the rest of a mail when it reads of the
        # refusal of its beginning.
        follows = False
        if reply in _ENVELOPE_MISSING:
            follows = self.envelope_refused
        elif verb in (b"MAIL", b"RCPT"):
            self.envelope_refused = True
        # Not every 5xx: a mail to a thousand may well have twenty recipients that are refused, and
        # content is refused for what its author did.
        wrong_login = reply == replies.WRONG_CREDENTIALS
        if wrong_login or (reply.enhanced.startswith("5.5.") and not follows):
            ending = self.error(most)
        else:
            ending = self.refusal(1)
        if ending:
            return ending
        if wrong_login:
            self._wrong_logins += 1
            if self._wrong_logins >= MOST_WRONG_LOGINS:
                return replies.TOO_MANY_LOGINS, f"{MOST_WRONG_LOGINS} wrong logins"
        elif self.is_stranger:
            self._errors_as_stranger += 1
            if self._errors_as_stranger >= MOST_ERRORS_OF_STRANGERS:
                why = f"{MOST_ERRORS_OF_STRANGERS} errors without a login"
                return replies.TOO_MANY_ERRORS, why
        return None

    def error(self, most: int) -> Ending | None:
        """Count an error; return the end of the session, when that is now."""
        self.wait = 0.0
        self.errors += 1
        if self.errors >= most:
            return replies.TOO_MANY_ERRORS, f"max_errors ({most}) reached"
        return None

    def refusal(self, number: int) -> Ending | None:
        """Count a refusal that is no error, or recipients that were given up.

        :return: the end of the session, when that is now.
        """
        self.refusals += number
        self.wait = WAIT_OF_REFUSALS if self.refusals > REFUSED_AT_ONCE else 0.0
        if self.refusals >= MOST_REFUSALS:
            why = f"{MOST_REFUSALS} refused recipients and no mail that was taken"
            return replies.TOO_MANY_REFUSALS, why
        return None

    def taken(self) -> None:
        """Forget it all: a mail is taken."""
        self.errors = self.refusals = self._other_commands = 0
