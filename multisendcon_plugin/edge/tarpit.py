"""Slows down sessions whose commands are only refused, and closes them in the end.

Refusals are counted until a mail is accepted.  Pure.
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

#: The last reply of a session, and why it ends.
Ending = tuple[Reply, str]


class Tarpit:
    """What one session was refused since a mail of it was taken, which sets both numbers to 0.

    :ivar errors: refusals that are the client's fault.
    :ivar refusals: all others, and recipients of mails that were given up.
    :ivar wait: seconds for which the refusal that was counted last is to wait.
    """

    def __init__(self) -> None:
        self.errors = 0
        self.refusals = 0
        self.wait = 0.0

    def error(self, most: int) -> Ending | None:
        """Count an error.

        :param most: errors that end the session.
        :return: its end, when that is now.
        """
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
