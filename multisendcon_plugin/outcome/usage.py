"""What is written of the use of quotas: believed after a crash, too.  Pure.

A mail is written down before its MAIL is said; then the time at which its server had counted it at
the latest.  The times are those of a clock that is never set, which begins anew with each process:
`UsageClock` is what it takes to understand them later.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class Usage:
    """Some use of quotas: mails that were counted at about the same time.

    :param name: of the quotas, see `queue.quotas`.
    :param number: tells it from others of that name.
    :param counted: when the server had counted it at the latest; ``None``: it is under way.
    :param mails: none: it is forgotten.
    """

    name: str
    number: int
    counted: float | None
    mails: int
    recipients: int


@attrs.frozen
class UsageClock:
    """A clock that is never set while its process runs.

    :param boot: names the time since the machine was started; ``""``: nobody knows.
    :param ahead: seconds by which it is ahead of the time since then.
    :param wall: seconds by which the clock on the wall is ahead of it: somebody has set that.
    """

    boot: str
    ahead: float
    wall: float

    def shift(self, now: UsageClock) -> float:
        """Return what is to be added to its times to have those of another one.

        Since the machine was started, all of them agree in how long ago something was, whatever the
        clock on the wall was set to, and when.  Else that one has to be believed.
        """
        if self.boot and self.boot == now.boot:
            return now.ahead - self.ahead
        return self.wall - now.wall


@attrs.frozen
class UsageLog:
    """All that is known of the use of quotas.

    :param clock: which gives the times; ``None``: nothing was ever written.
    """

    clock: UsageClock | None = None
    usages: tuple[Usage, ...] = ()
