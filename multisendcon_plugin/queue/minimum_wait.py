"""The minimum wait: how long after the end of an account's mail its next one may begin.

That one mail at a time is under way is `Account.under_way`.  Pure.
"""

from __future__ import annotations

from .gate import Ended


class MinimumWait:
    """One account's minimum wait: see `Gate`.

    :param seconds: from the end of a mail, whatever came of it: the server has seen its MAIL FROM.
    :param state: when the last mail ended before the relay was started; ``None``: there was none.
    :param started: when that was.
    :param crashed: it had not been stopped in good order.
    :ivar state: when the last mail ended, or may have ended at the latest.
    """

    name = "minimum_wait"

    def __init__(
        self, seconds: float, state: float | None, *, started: float, crashed: bool
    ) -> None:
        # After a crash the end of the last mail may be missing; it was not later than the start.
        mail_ended = started if crashed else state
        if mail_ended is not None:
            # One that is still to come was written while the clock was wrong.
            mail_ended = min(mail_ended, started)
        self._seconds = seconds
        self.state = mail_ended
        self.opens_at = 0.0 if mail_ended is None else mail_ended + seconds

    def configure(self, seconds: float) -> None:
        """Keep another wait, also since the last mail."""
        self._seconds = seconds
        if self.state is not None:
            self.opens_at = self.state + seconds

    def ended(self, ended: Ended) -> Ended:
        """An attempt has ended."""
        mail_ended = ended.attempt.mail_ended
        if mail_ended is not None:
            self.state = mail_ended
            self.opens_at = max(self.opens_at, mail_ended + self._seconds)
        return ended
